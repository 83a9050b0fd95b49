"""Check what is told of an image without a column, and the test against it."""

import numpy as np
import pytest
from scipy import stats

import sbd
from sbd.audits.removals import image_removal, remove_columns
from sbd.columns.finding import Columns
from sbd.evidence.erasure import ErasedColumns, erase_columns
from sbd.evidence.laws import ScoreLaws


@pytest.fixture(scope="module")
def pair():
    """A particle that the eraser never saw, with some columns and without them."""
    atoms = sbd.pt_on_ceria("PtNp2", thickness=40.0)
    removal = remove_columns(atoms, (3.0, 0.0), number=8, rng=np.random.default_rng(1))
    ((present, absent),) = image_removal(removal, (3.0, 0.0), np.array([60.0]))
    sites = removal.sites
    found = sbd.find_columns(present, threshold=0.15)
    places = sites[["row", "column"]].to_numpy() / (50 / 804)
    match = sbd.match_columns(found.positions, places, tolerance=0.8 / 0.0622)
    return present.astype(float), absent.astype(float), found[match.pairs[:, 0]]


def test_what_is_left_of_a_column_is_little(pair):
    present, absent, columns = pair
    assert len(columns) >= 5
    erased = erase_columns(present, columns)
    laws = ScoreLaws(present, columns, 1.0, erased=erased)
    whole = laws._sum(laws.weights * (laws.there - laws.bare))
    left = laws._sum(laws.weights * (absent[laws.pixels] - laws.bare)) / whole
    # vacuum leaves up to a third on the same sites; measured.eraser has the figures
    assert np.median(np.abs(left)) < 0.15
    # within three of its own standard deviations, but for one in a thousand
    assert (left < erased.doubts[:, 0] + 3 * erased.doubts[:, 1]).all()


def test_an_empty_site_is_found_no_more_often_than_the_level(pair):
    present, absent, columns = pair
    for dose in (1, 20):
        erased = erase_columns(present, columns).scaled(dose)
        laws = ScoreLaws(dose * present, columns, 1.0, erased=erased)
        power = laws.power(0.05)
        laws.full = dose * absent[laws.pixels]
        found = laws.power(0.05)
        # the level holds over places: at many electrons each is found, or is not, by
        # how far its null is off; two of seven have a probability of 0.04
        assert found.mean() < (0.06 if dose == 1 else 0.2)
        assert np.median(found) < 0.05
        assert power.mean() > (0.3 if dose == 1 else 0.7)


def test_neither_dose_nor_vacuum_matters(pair):
    present, _, columns = pair
    once, more = (erase_columns(f * present, columns) for f in (1.0, 3.0))
    np.testing.assert_allclose(more.means, 3 * once.means, rtol=1e-4)
    np.testing.assert_allclose(more.doubts, once.doubts, atol=1e-4)


def test_the_size_of_a_pixel_hardly_matters(pair):
    present, _, columns = pair
    fine = np.kron(present, np.ones((2, 2)))
    places = 2 * columns.positions + 0.5
    twice = Columns(places, 2 * columns.radii, columns.amplitudes)
    once = erase_columns(present, columns)
    again = erase_columns(fine, twice, pixel=0.0311)
    mean = [
        np.bincount(sbd.columns.discs.disc_pixels(e.columns, image.shape)[0], e.means)
        for e, image in ((once, present), (again, fine))
    ]
    # four pixels for one; a disc's edge is 2 percent of its pixels
    np.testing.assert_allclose(mean[1] / 4, mean[0], rtol=0.04)


def test_doubt_about_the_null_is_part_of_the_law():
    y, x = np.indices((25, 25)) - 12
    bump = np.exp(-(x**2 + y**2) / (2 * 3.5**2))
    claim = 4 * (1 + 0.5 * bump)
    one = Columns(np.array([[12.0, 12.0]]), np.array([8.0]), np.array([0.5]))
    inside = x**2 + y**2 <= 64
    doubts = np.array([[0.1, 0.2]])
    erased = ErasedColumns(one, np.full(inside.sum(), 4.0), doubts)
    laws = ScoreLaws(claim, one, 1.0, erased=erased)
    rng, p = np.random.default_rng(0), []
    for _ in range(2000):
        truth = 4 * (1 + 0.5 * rng.normal(*doubts[0]) * bump)
        p.append(laws.presence(rng.poisson(truth))[0])
    # the law takes the variance of the null's median, which changes by a few percent
    assert stats.kstest(p, "uniform").statistic < 0.03 + 1.6 / 2000**0.5


def test_many_electrons_are_no_harder_to_judge(pair):
    present, absent, columns = pair
    rng = np.random.default_rng(0)
    for dose in (10, 50, 250, 1000):
        erased = erase_columns(present, columns).scaled(dose)
        laws = ScoreLaws(dose * present, columns, 1.0, erased=erased)
        there, gone = (rng.poisson(dose * v) for v in (present, absent))
        assert np.median(laws.presence(there)) < 1e-3
        assert (laws.absence(there) > 1e-4).all()
        assert np.median(laws.presence(gone)) > 0.05
        assert np.median(laws.power(0.05)) > 0.99


def test_the_normal_law_of_many_electrons_is_the_exact_one(monkeypatch):
    y, x = np.indices((25, 25)) - 12
    claim = 60 * (1 + 0.06 * np.exp(-(x**2 + y**2) / (2 * 3.5**2)))
    one = Columns(np.array([[12.0, 12.0]]), np.array([8.0]), np.array([0.5]))
    with monkeypatch.context() as change:
        change.setattr("sbd.evidence.laws._COARSE", 0.0)
        normal = ScoreLaws(claim, one, 60.0)
    monkeypatch.setattr("sbd.evidence.laws._GRID", 2**17)
    exact = ScoreLaws(claim, one, 60.0)
    assert normal.coarse.all()
    assert not exact.coarse.any()
    for seed in range(20):
        counts = np.random.default_rng(seed).poisson(claim)
        p, q = exact.presence(counts), exact.absence(counts)
        # the kurtosis of ten thousand electrons, three deviations out
        np.testing.assert_allclose(normal.presence(counts), p, rtol=0.03)
        np.testing.assert_allclose(normal.absence(counts), q, rtol=0.03)
    np.testing.assert_allclose(normal.power(0.01), exact.power(0.01), atol=0.01)


def test_no_doubt_makes_a_mean_negative():
    one = Columns(np.array([[12.0, 12.0]]), np.array([8.0]), np.array([0.5]))
    y, x = np.indices((25, 25)) - 12
    number = np.count_nonzero(x**2 + y**2 <= 64)
    erased = ErasedColumns(one, np.full(number, 1.0), np.array([[-0.5, 0.1]]))
    laws = ScoreLaws(np.full((25, 25), 9.0), one, 1.0, erased=erased)
    p = laws.presence(np.full((25, 25), 9))
    assert np.isfinite(p).all()
    assert p[0] < 1e-6


def test_verdicts_need_no_vacuum(pair):
    present, _, _ = pair
    inner = np.s_[250:600, 200:550]  # no vacuum in it
    counts = np.random.default_rng(0).poisson(4 * present[inner])
    truth = present[inner]

    def judge(**how):
        return sbd.judge_columns(
            counts, lambda y: truth * (y.sum() / truth.sum()),
            rng=np.random.default_rng(0), deals=2, threshold=0.15, **how,
        )  # fmt: skip

    assert judge().supported.sum() > 10
    with pytest.raises(ValueError, match="vacuum must be"):
        judge(vacuum=1.2)


def test_what_no_eraser_can_use_is_refused(tmp_path):
    flat = np.full((64, 64), 0.45)
    one = Columns(np.array([[32.0, 32.0]]), np.array([8.0]), np.array([0.1]))
    with pytest.raises(ValueError, match=r"pixel must be 0\.01 to 0\.35 angstrom"):
        erase_columns(flat, one, pixel=0.5)
    junk = tmp_path / "junk.safetensors"
    junk.write_bytes(b"nothing")
    with pytest.raises(ValueError, match="eraser must be a file that save_eraser"):
        erase_columns(flat, one, eraser=junk)
    other = Columns(one.positions + 1, one.radii, one.amplitudes)
    with pytest.raises(ValueError, match="erased must be what erase_columns gives"):
        sbd.evidence.column_p_values(
            np.ones((64, 64)), flat, other, erased=erase_columns(flat, one)
        )
    assert len(erase_columns(flat, one[[]]).means) == 0


@pytest.mark.parametrize("name", ["means", "doubts"])
def test_what_is_no_number_is_no_evidence(name):
    one = Columns(np.array([[12.0, 12.0]]), np.array([0.5]), np.array([0.5]))
    parts = {"means": np.array([0.45]), "doubts": np.array([[0.0, 0.1]])}
    parts[name][..., -1] = np.nan
    erased = ErasedColumns(one, **parts)
    with pytest.raises(ValueError, match=f"erased must have finite {name}"):
        ScoreLaws(np.full((25, 25), 0.9), one, 0.45, erased=erased)
