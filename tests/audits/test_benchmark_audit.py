"""Audit denoisers whose faults are known, on images whose columns are drawn."""

import itertools

import numpy as np
import pandas as pd
import pytest
from ase import Atoms
from scipy import ndimage

import sbd
from sbd.audits.benchmark_audit import (
    column_audit,
    found_by_score,
    inspect_rows,
    legible,
    spread_rows,
    summarise_audit,
    tabulate_inspections,
)
from sbd.audits.comparison import dose_curve
from sbd.audits.inspection import inspect_columns
from sbd.audits.placed_atoms import project_columns
from sbd.audits.vacuum import peak_share, vacuum_response

PIXEL = 0.2  # angstrom; five times coarser than a dot is wide
SIGMA = 0.45  # of a dot [angstrom]
FLAT = np.full((64, 64), sbd.VACUUM)


class Drawing:
    """A benchmark of one image: a Gaussian dot at each column, and no microscope."""

    def __init__(self, contrast=0.2, extra=(), structure="PtNp2-D0-40"):
        labels = {"structure": structure, "particle": "PtNp2", "thickness": 40.0}
        labels |= {"tilt_x": 0.0, "tilt_y": 0.0, "defocus": 6.0, "contrast": "white"}
        self.table = pd.DataFrame([labels])
        columns = sbd.atoms_per_column(sbd.pt_on_ceria("PtNp2", thickness=40.0))
        columns = columns[columns["element"] != "O"]
        places = [
            (50.0 - y, x) for x, y in zip(columns["x"], columns["y"], strict=True)
        ]
        self.places, self.contrast = [*places, *extra], contrast

    def image(self, index, *, samples):
        assert index == 0
        at = np.arange(samples) * 50.0 / samples
        rows, columns = (
            np.exp(-((np.array(line)[:, None] - at) ** 2) / (2 * SIGMA**2))
            for line in zip(*self.places, strict=True)
        )
        return sbd.VACUUM + self.contrast * rows.T @ columns


def inspect(denoiser, drawing=None, **options):
    drawing = drawing or Drawing()
    return inspect_columns(denoiser, drawing, 0, seed=0, pixel=PIXEL, **options)


def truth(drawing=None):
    return inspect(np.array, drawing).clean


def dot(places, contrast=0.2):
    """Dots to lay over an image, at (row, column) [pixels]."""
    rows, columns = np.indices(truth().shape)
    wide = 2 * (SIGMA / PIXEL) ** 2
    return sum(
        contrast * np.exp(-((rows - r) ** 2 + (columns - c) ** 2) / wide)
        for r, c in places
    )


def constant(noisy):
    return np.full(noisy.shape, noisy.mean())


@pytest.mark.parametrize("contrast", [0.2, -0.2], ids=["bright", "dark"])
def test_a_perfect_denoiser_finds_all_columns_and_nothing_else(contrast):
    drawing = Drawing(contrast)
    clean = truth(drawing)
    table = column_audit(lambda _: clean, drawing, [0], seed=0, pixel=PIXEL)
    assert table["columns"].item() == 43  # of PtNp2, as its publication shows
    assert table["polarity"].item() == np.sign(contrast)
    ratios = table[["limit", "found_share", "kept_share", "true_share"]]
    assert (ratios == 1.0).all(axis=None)
    assert (table[["ghosts", "false", "invented"]] == 0).all(axis=None)


@pytest.mark.parametrize("which", [0, 20, 42])
def test_an_erased_column_is_missed_and_no_other(which):
    clean = truth()
    place = inspect(np.array).columns[which]
    one = inspect(lambda _: clean - dot([place]))
    assert np.flatnonzero(~one.found).tolist() == [which]
    assert one.seen.all()
    assert not len(one.false)


def test_a_dot_in_the_vacuum_is_false_and_invented():
    clean = truth()
    one = inspect(lambda _: clean + dot([(20.0, 30.0)]))
    assert one.found.all()
    np.testing.assert_allclose(one.false, [(20, 30)], atol=0.1)
    assert one.invented.tolist() == [True]


def test_a_dot_between_cerium_columns_is_the_supports():
    clean = truth()
    assert not len(inspect(lambda _: clean + dot([(150.0, 100.0)])).false)


def test_what_the_clean_image_shows_too_is_no_invention():
    drawing = Drawing(extra=[(8.0, 8.0)])  # a ghost: no atoms are there
    clean = truth(drawing)
    one = inspect(lambda _: clean, drawing)
    assert (len(one.ghosts), len(one.false), one.invented.sum()) == (1, 1, 0)


def test_a_constant_finds_nothing_and_invents_nothing():
    table = column_audit(constant, Drawing(), [0], seed=0, pixel=PIXEL)
    assert table["found"].item() == table["false"].item() == 0
    assert (table["found_share"].item(), table["true_share"].item()) == (0.0, 1.0)


def test_the_seed_makes_the_table():
    first, again, other = (
        column_audit(np.array, Drawing(), [0], seed=seed, pixel=PIXEL, dose=900.0)
        for seed in (0, 0, 1)
    )
    pd.testing.assert_frame_equal(first, again)
    assert first["psnr"].item() != other["psnr"].item()


def test_the_denoised_image_is_on_the_scale_of_the_clean_one_at_every_dose():
    one = inspect(np.array, dose=400.0)
    error = one.denoised - one.clean
    # counts of 400 scatter by 5 %; scaled to 0.45, by 0.0225, here over 39,000 pixels
    assert error.std() == pytest.approx(0.45 / 20, rel=0.05)
    assert abs(error.mean()) < 4 * 0.0225 / np.sqrt(error.size)


@pytest.mark.parametrize("dose", [0.45, 4.0])
def test_the_score_is_that_of_the_matched_filter(dose):
    shape = dot([(60.0, 60.0)])
    # best weights are the dot itself: signal sum(s^2), noise sqrt(v sum(s^2))
    ideal = np.sqrt((shape**2).sum() / sbd.VACUUM * dose / sbd.VACUUM)
    one = inspect(np.array, dose=dose)
    # 5 neighbours' widths away, the Laplacian of six neighbours is 2 % of a dot's own
    np.testing.assert_allclose(one.scores, ideal, rtol=0.1)


@pytest.mark.parametrize(
    ("tilt", "moved"), [((45.0, 0.0), (2.0, 0.0)), ((0.0, 45.0), (0.0, 2.0))]
)
def test_a_tilt_moves_a_column_by_its_mean_depth(tilt, moved):
    # two atoms 4 and 0 angstrom before the last layer, and one in it
    places = [(10.0, 20.0, 0.0), (10.0, 20.0, 4.0), (12.0, 21.0, 4.0)]
    table = project_columns(Atoms("Pt3", places, cell=(50, 50, 40)), tilt)
    assert table["atoms"].tolist() == [2, 1]
    wanted = [(30 + moved[0], 10 + moved[1]), (29, 12)]
    np.testing.assert_allclose(table[["row", "column"]], wanted)


def test_a_structure_that_is_not_listed_is_refused():
    with pytest.raises(ValueError, match="default_recipes lists; got mine"):
        inspect(np.array, Drawing(structure="mine"))
    with pytest.raises(ValueError, match="dose must be positive; got 0"):
        inspect(np.array, dose=0)
    with pytest.raises(ValueError, match="rows must name at least one image; got none"):
        column_audit(np.array, Drawing(), [], seed=0)


def test_images_are_summed_up_by_their_columns():
    names = ["columns", "seen", "found", "kept", "ghosts", "false", "invented"]
    rows = [(50, 50, 50, 50, 0, 0, 0), (10, 5, 0, 0, 1, 3, 2)]
    table = pd.DataFrame(rows, columns=names).assign(psnr=[40.0, 30.0])
    summary = summarise_audit(table)
    assert (summary["images"], summary["columns"]) == (2, 60)
    assert summary["found_share"] == pytest.approx(50 / 60)
    assert summary["kept_share"] == pytest.approx(50 / 55)
    assert summary["true_share"] == pytest.approx(50 / 53)
    assert (summary["false"], summary["psnr"]) == (1.5, 35.0)
    assert legible(table).tolist() == [True, False]


@pytest.mark.parametrize("number", [7, 120, 171])
def test_rows_are_spread_evenly(number):
    tilts = [(float(t), 0.0) for t in range(5)] + [(0.0, float(t)) for t in range(1, 5)]
    grid = itertools.product(range(19), tilts, range(21))
    grid = pd.DataFrame(
        [(s, *tilt, f) for s, tilt, f in grid],
        columns=["structure", "tilt_x", "tilt_y", "defocus"],
    )
    grid.index += 1000
    chosen = grid.loc[spread_rows(grid, number)]
    assert len(chosen) == number == len(chosen.drop_duplicates())
    for names in (["structure"], ["tilt_x", "tilt_y"], ["defocus"]):
        every = len(grid.drop_duplicates(names))
        counts = chosen.groupby(names).size()
        assert counts.max() <= -(-number // every)
        assert len(counts) == min(every, number)


def test_counts_score_what_their_variance_says():
    table = dose_curve(
        {"raw": np.array}, {"flat": FLAT}, doses=[1000, 4000], draws=2, seed=0
    )
    assert table["draw"].tolist() == [0, 1, 0, 1]
    # scaled counts of a dose d have variance 0.45^2 / d; the mean of 4,096 squares has
    # a relative error of sqrt(2 / 4096), 0.1 dB
    expected = -10 * np.log10(sbd.VACUUM**2 / table["dose"])
    np.testing.assert_allclose(table["psnr"], expected, atol=0.4)


def test_every_method_sees_the_same_counts():
    methods = {"one": np.array, "other": np.array, "constant": constant}
    images = {"flat": FLAT, "brighter": 2 * FLAT}
    table = dose_curve(methods, images, doses=[2, 10], draws=2, seed=3)
    scores = table.pivot(
        index=["image", "dose", "draw"], columns="method", values="psnr"
    )
    assert len(scores) == 8
    assert (scores["one"] == scores["other"]).all()
    assert scores["one"].nunique() == 8
    pd.testing.assert_frame_equal(
        table, dose_curve(methods, images, doses=[2, 10], draws=2, seed=3)
    )


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"doses": [0.45, -1]}, r"doses must be one or more numbers above 0; got"),
        ({"doses": []}, r"doses must be one or more numbers above 0; got \[\]"),
        ({"draws": 0}, "draws must be a whole number of at least 1; got 0"),
        ({"denoisers": {}}, "denoisers must hold at least one; got none"),
        ({"cleans": {"x": -FLAT}}, "x must hold electron counts"),
    ],
)
def test_an_impossible_dose_curve_is_refused(changed, message):
    options = {"denoisers": {"raw": np.array}, "cleans": {"flat": FLAT}}
    options |= {"doses": [0.45], "draws": 1, "seed": 0}
    with pytest.raises(ValueError, match=message):
        dose_curve(**options | changed)


def noise(kind, seed=0, size=192):
    """Noise without a lattice: white, smoothed, or cut off in frequency."""
    white = np.random.default_rng(seed).normal(size=(size, size))
    if kind == "white":
        return white
    if kind == "smoothed":
        return ndimage.gaussian_filter(white, 3.0, mode="wrap")
    k = np.fft.fftfreq(size)
    inside = (np.abs(k[:, None]) < 0.12) & (np.abs(k) < 0.12)
    return np.fft.ifft2(np.fft.fft2(white) * inside).real


def lattice(size=192):
    """Three waves at 60 degrees, of variance 1."""
    rows, columns = np.indices((size, size))
    return sum(
        np.cos(2 * np.pi / 12.3 * (np.cos(t) * rows + np.sin(t) * columns))
        for t in (0.2, 0.2 + np.pi / 3, 0.2 + 2 * np.pi / 3)
    ) * np.sqrt(2 / 3)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("kind", ["white", "smoothed", "cut off"])
def test_noise_of_any_spectrum_holds_no_lattice(kind, seed):
    # one in a hundred images may, by the threshold's definition
    assert peak_share(noise(kind, seed)) == 0.0


@pytest.mark.parametrize("share", [0.05, 0.3])
def test_the_share_of_a_lattice_is_its_share_of_the_variance(share):
    image = np.sqrt(1 - share) * noise("white") + np.sqrt(share) * lattice()
    # the 6 peaks' surroundings, 121 coefficients each, are 2 % of the spectrum; their
    # own noise is known to a fifth, from the medians of 80
    assert peak_share(image) == pytest.approx(share, abs=0.005)


def test_a_patch_of_fringes_is_periodic_and_a_lone_bump_is_not():
    rows, columns = np.indices((192, 192)) - 96
    envelope = np.exp(-(rows**2 + columns**2) / (2 * 30.0**2))
    assert peak_share(envelope * np.cos(columns / 2)) > 0.9
    assert peak_share(envelope) == 0.0


def test_an_invented_lattice_is_told_from_noise_of_the_same_deviation():
    size = 192
    plain = noise("white")
    faint = 0.95 * plain + np.sqrt(1 - 0.95**2) * lattice()

    def respond(pattern):
        return vacuum_response(
            lambda noisy: noisy.mean() + 0.01 * pattern,
            doses=[0.45],
            shape=(size, size),
            seed=0,
        ).iloc[0]

    quiet, loud = respond(plain), respond(faint)
    # the two add up but for their chance correlation, some 1/192
    assert loud["deviation"] == pytest.approx(quiet["deviation"], rel=0.02)
    assert quiet["peaks"] == 0.0
    assert loud["peaks"] > 0.08


def test_raw_counts_of_nothing_vary_as_counts_do():
    table = vacuum_response(np.array, doses=[0.1, 10], shape=(128, 128), seed=0)
    # standard errors over 16,384 pixels: of a mean sqrt(d / n); of a deviation about
    # sqrt((2 + 1 / d) / (4 n)) of it, at most 1.4 %
    spread = np.sqrt(table["dose"])
    assert (abs(table["mean"] - table["dose"]) < 4 * spread / 128).all()
    np.testing.assert_allclose(table["deviation"], spread, rtol=0.055)
    np.testing.assert_allclose(table["relative"], 1 / spread, rtol=0.055)
    assert (table["largest"] > 2 * table["deviation"]).all()
    assert (table["peaks"] == 0).all()


def test_an_image_too_small_for_a_spectrum_is_refused():
    with pytest.raises(ValueError, match="at least 32 x 32 pixels; got shape"):
        peak_share(np.ones((31, 64)))


def test_the_share_found_is_told_by_score():
    clean = truth()
    weak = inspect(lambda _: clean - dot([inspect(np.array).columns[4]]))
    strong = inspect(lambda _: clean, dose=9.0)
    table = found_by_score([weak, strong], edges=[0.0, strong.scores.min()])
    assert table["columns"].tolist() == [43, 43]
    assert table["found_share"].tolist() == [42 / 43, 1.0]


def test_every_denoiser_inspects_the_same_counts():
    both = inspect_rows(
        {"one": np.array, "other": np.array}, Drawing(), [0], seed=1, pixel=PIXEL
    )
    (one,), (other,) = both.values()
    np.testing.assert_array_equal(one.denoised, other.denoised)
    table = tabulate_inspections([one, other])
    assert table["structure"].tolist() == ["PtNp2-D0-40"] * 2
    assert table["psnr"].nunique() == 1
