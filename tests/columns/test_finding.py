"""Check columns against lattices of Gaussian blobs, where the truth is known."""

import itertools

import numpy as np
import pytest

from sbd.columns.finding import Columns, Match, find_columns, match_columns

VACUUM = 0.45


def blobs(shape, centres, *, sigma=8.0, contrast=0.2):
    """Draw a vacuum with a Gaussian of the given contrast at each centre."""
    rows, cols = np.indices(shape)
    image = np.full(shape, VACUUM)
    contrasts = np.broadcast_to(contrast, len(centres))
    for (row, col), height in zip(centres, contrasts, strict=True):
        image += height * np.exp(
            -((rows - row) ** 2 + (cols - col) ** 2) / (2 * sigma**2)
        )
    return image


def hexagon(spacing, *, rings=2, centre=(160.0, 170.0), angle=0.2):
    """Return the close-packed points of a hexagon: 1, 7, 19, ... of them."""
    steps = range(-rings, rings + 1)
    axial = np.array([(a, b) for a in steps for b in steps if abs(a + b) <= rings])
    along = np.array([[np.sin(t), np.cos(t)] for t in (angle, angle + np.pi / 3)])
    return spacing * axial @ along + centre


def columns_at(positions, shape=None):
    n = len(positions)
    return Columns(np.array(positions), np.full(n, 5.0), np.ones(n), 1, shape)


@pytest.mark.parametrize("sign", [1, -1], ids=["bright", "dark"])
def test_isolated_blobs_give_their_centre_radius_and_contrast(sign):
    centres = [(60.37, 70.81), (150.5, 160.5), (61.0, 190.24)]
    image = blobs((220, 260), centres, sigma=8.0, contrast=sign * 0.2)
    columns = find_columns(image)
    assert columns.polarity == sign
    match = match_columns(columns, centres, tolerance=1)
    assert (len(match.missed), len(match.spurious)) == (0, 0)
    # the response is a Gaussian-like top 11 pixels wide; a parabola through three of
    # its points, one pixel apart, errs by its fourth derivative: a few 0.001 pixels
    assert match.distances.max() < 0.01
    # third-order terms over a step of 2^(1/8) in width, about (0.09)^2 of it
    np.testing.assert_allclose(columns.radii, 8 * np.sqrt(2), rtol=0.01)
    # the parabola over the widths errs by less than one step of them would, 0.2 %;
    # the three share their neighbours' tails, exp(-(90/11)^2/2), not visible
    np.testing.assert_allclose(columns.amplitudes, sign * 0.2, rtol=0.0005)


@pytest.mark.parametrize("spacing", [10.0, 25.0, 50.0])
@pytest.mark.parametrize("sign", [1, -1], ids=["bright", "dark"])
def test_a_lattice_is_found_whole_at_any_pixel_size(spacing, sign):
    true = hexagon(spacing)
    image = blobs((320, 340), true, sigma=0.2 * spacing, contrast=sign * 0.2)
    columns = find_columns(image)
    match = match_columns(columns, true, tolerance=0.05 * spacing)
    assert match.f1 == 1.0
    assert columns.polarity == sign
    # blobs are discs well apart: no overlap, but no specks either
    assert 2 * columns.radii.max() < spacing < 5 * columns.radii.min()


def test_an_absent_column_is_not_made_up():
    true = np.delete(hexagon(40.0), 9, axis=0)
    assert len(find_columns(blobs((320, 340), true))) == 18


def test_light_noise_costs_no_column():
    true = hexagon(40.0)
    rng = np.random.default_rng(3)
    image = blobs((320, 340), true) + 0.05 * rng.standard_normal((320, 340))
    # the Laplacian at width 8 averages the noise to 0.05 / (8 sqrt(2 pi)) = 0.0025, or
    # 0.005 in contrast: a ninth of the floor of 0.045
    match = match_columns(find_columns(image), true, tolerance=2)
    assert match.f1 == 1.0


def test_flat_and_rippled_vacuum_hold_no_columns():
    rows, cols = np.indices((200, 150))
    ripples = 0.01 * np.cos(rows / 6) * np.cos(cols / 7)
    for vacuum in (np.full((200, 150), VACUUM), VACUUM + ripples, np.zeros((9, 9))):
        assert len(find_columns(vacuum)) == 0


@pytest.mark.parametrize("shape", [(1, 1), (2, 5), (1, 40)])
def test_an_image_too_small_for_a_column_holds_none(shape):
    image = np.zeros(shape)
    image[0, 0] = 1.0
    assert len(find_columns(image, floor=0.0)) == 0


def test_a_straight_fringe_is_no_column():
    rows, cols = np.indices((200, 240))
    # not quite straight, so that its crest has maxima
    fringe = np.exp(-((rows - 60 - np.cos(cols / 20)) ** 2) / (2 * 8.0**2))
    image = blobs((200, 240), [(140.0, 120.0)]) + 0.2 * fringe
    columns = find_columns(image, polarity="bright")
    np.testing.assert_allclose(columns.positions, [(140, 120)], atol=0.5)


def test_a_column_beyond_the_border_is_not_claimed():
    image = blobs((200, 200), [(100.0, -3.0), (100.0, 100.0)])
    np.testing.assert_allclose(find_columns(image).positions, [(100, 100)], atol=0.1)


def test_threshold_and_floor_set_the_faintest_column():
    centres = [(60.0, 60.0), (60.0, 180.0), (180.0, 60.0)]
    image = blobs((240, 240), centres, contrast=[0.3, 0.1, 0.03])
    counts = {
        (threshold, floor): len(find_columns(image, threshold=threshold, floor=floor))
        for threshold, floor in [(0, None), (0, 0.01), (0.5, 0.01), (0.2, 0.01)]
    }
    assert list(counts.values()) == [2, 3, 1, 2]


def test_radii_stay_within_the_limits_asked_for():
    image = blobs((320, 340), hexagon(60.0), sigma=10.0)
    columns = find_columns(image, min_radius=6.0, max_radius=9.0)
    assert len(columns) == 19
    # the blobs are wider: each takes the largest radius
    np.testing.assert_allclose(columns.radii, 9.0)


def test_the_image_is_left_alone():
    image = blobs((100, 100), [(50.0, 50.0)]).astype(np.float32)
    before = image.copy()
    find_columns(image)
    np.testing.assert_array_equal(image, before)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"min_radius": 0}, "min_radius must be positive; got 0"),
        ({"max_radius": -1.0}, r"max_radius must be positive; got -1"),
        (
            {"min_radius": 5, "max_radius": 4},
            r"must not exceed max_radius \(4\); got 5",
        ),
        ({"polarity": "grey"}, "must be 'auto', 'bright' or 'dark'; got 'grey'"),
        ({"threshold": 1.5}, "threshold must be between 0 and 1; got 1.5"),
        ({"floor": -0.1}, "floor must be positive; got -0.1"),
    ],
)
def test_options_out_of_range_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        find_columns(np.ones((20, 20)), **options)


def test_an_image_that_is_none_is_refused():
    with pytest.raises(ValueError, match="image must be two-dimensional"):
        find_columns(np.ones(20))


def test_columns_are_selected_together():
    columns = Columns(
        np.arange(8.0).reshape(4, 2), np.arange(1.0, 5.0), np.arange(4.0), -1, (9, 9)
    )
    for which in (columns.radii > 2.5, [2, 3], slice(2, None), np.array([2, 3])):
        part = columns[which]
        assert part.positions.tolist() == [[4.0, 5.0], [6.0, 7.0]]
        assert (part.radii.tolist(), part.amplitudes.tolist()) == ([3, 4], [2, 3])
        assert (part.polarity, part.shape) == (-1, (9, 9))
    assert len(columns[[]]) == 0
    assert columns[-1].radii.tolist() == [4]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (
            (np.ones((2, 3)), np.ones(2), np.ones(2)),
            r"positions must be \(row, column\)",
        ),
        ((np.full((1, 2), np.nan), np.ones(1), np.ones(1)), "positions must be finite"),
        (
            (np.ones((2, 2)), np.ones(3), np.ones(2)),
            r"radii .* shape \(2,\); got \(3,\)",
        ),
        ((np.ones((1, 2)), np.zeros(1), np.ones(1)), "radii must be above 0; got 0"),
        ((np.ones((1, 2)), np.ones(1), np.ones(1), 0), "polarity must be 1 .* got 0"),
    ],
)
def test_columns_that_do_not_fit_together_are_refused(fields, message):
    with pytest.raises(ValueError, match=message):
        Columns(*fields)


def best_by_trial(distances, tolerance):
    """Try every pairing: most pairs first, then the smallest sum of distances."""
    n, m = distances.shape
    outcomes = []
    for partners in itertools.permutations(range(max(n, m)), n):
        used = [distances[i, j] for i, j in enumerate(partners) if j < m]
        used = [d for d in used if d <= tolerance]
        outcomes.append((-len(used), sum(used)))
    return min(outcomes)


@pytest.mark.parametrize("seed", range(8))
def test_matching_is_the_best_of_all_pairings(seed):
    rng = np.random.default_rng(seed)
    found, true = rng.uniform(0, 10, (4, 2)), rng.uniform(0, 10, (5, 2))
    match = match_columns(found, true, tolerance=3.0)
    distances = np.linalg.norm(found[:, None] - true, axis=2)
    pairs, total = best_by_trial(distances, 3.0)
    assert len(match.pairs) == -pairs
    assert match.distances.sum() == pytest.approx(total)
    np.testing.assert_array_equal(match.distances, distances[tuple(match.pairs.T)])
    assert sorted([*match.pairs[:, 0], *match.spurious]) == list(range(4))
    assert sorted([*match.pairs[:, 1], *match.missed]) == list(range(5))


def test_one_of_eight_missing_has_the_published_scores():
    true = columns_at(np.argwhere(np.ones((2, 4))) * 40.0)
    match = match_columns(true[1:], true, tolerance=5)
    assert match.missed.tolist() == [0]
    assert (match.precision, match.recall, match.jaccard) == (1.0, 0.875, 0.875)
    assert match.f1 == pytest.approx(0.933, abs=0.0005)  # rounded in the source


def test_distances_are_in_angstrom_where_the_pixel_is_known():
    match = match_columns([[30, 40]], [[33, 44]], tolerance=0.6, pixel=(0.1, 0.1))
    assert match.distances.tolist() == pytest.approx([0.5])  # 3, 4, 5
    for pixel in (0, (0.1, -0.1), (0.1, 0.1, 0.1), float("nan")):
        with pytest.raises(ValueError, match="pixel must be a side, or a height and"):
            match_columns([[0, 0]], [[0, 0]], tolerance=1, pixel=pixel)


def test_nothing_found_is_no_false_claim():
    nothing, one = np.zeros((0, 2)), [[3.0, 4.0]]
    assert match_columns(nothing, nothing, tolerance=1).f1 == 1.0
    missed = match_columns(nothing, one, tolerance=1)
    assert (missed.precision, missed.recall, missed.f1) == (1.0, 0.0, 0.0)
    invented = match_columns(one, nothing, tolerance=1)
    assert (invented.precision, invented.recall, invented.jaccard) == (0.0, 1.0, 0.0)
    assert isinstance(invented, Match)


@pytest.mark.parametrize("tolerance", [0, -1.0, float("nan")])
def test_a_tolerance_must_be_positive(tolerance):
    with pytest.raises(ValueError, match="tolerance must be positive; got"):
        match_columns([[0, 0]], [[0, 0]], tolerance=tolerance)


@pytest.mark.parametrize("ground", ["hump", "step", "slope"])
def test_a_ground_that_varies_more_than_the_columns_does_not_hide_them(ground):
    y, x = np.mgrid[:200, :210]
    grounds = {
        "hump": 0.4 * np.exp(-((y - 100) ** 2 + (x - 100) ** 2) / (2 * 45**2)),
        "step": 0.2 * (y > 98),
        "slope": 0.002 * (y + x),
    }
    true = [(r, c) for r in range(20, 190, 18) for c in range(20, 200, 18)]
    image = blobs((200, 210), true, sigma=3.2) + grounds[ground]
    found = find_columns(image)
    assert found.polarity == 1
    match = match_columns(found, true, tolerance=1.5)
    assert len(match.missed) == 0
    # a step has rows of columns on its very edge, and no other dots
    assert len(match.spurious) <= (3 if ground == "step" else 0)


def test_radii_beyond_the_image_take_no_memory():
    image = blobs((97, 101), [(50, 40)])
    assert len(find_columns(image, min_radius=10.0, max_radius=3000.0)) <= 1


def test_columns_are_finite():
    place = np.array([[4.0, 5.0]])
    with pytest.raises(ValueError, match="radii must be above 0; got inf"):
        Columns(place, np.array([np.inf]), np.ones(1))
    with pytest.raises(ValueError, match="amplitudes must be finite"):
        Columns(place, np.ones(1), np.array([np.nan]))


@pytest.mark.parametrize("option", ["min_radius", "max_radius", "floor", "threshold"])
def test_words_are_no_numbers(option):
    with pytest.raises(ValueError, match=f"{option} must be .* got '?3"):
        find_columns(np.eye(30), **{option: "3"})
