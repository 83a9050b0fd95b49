"""Check that verdicts keep what they promise, and depend on nothing they should not."""

import numpy as np
import pytest
from scipy import ndimage, stats

import sbd
from sbd.columns.finding import Columns
from sbd.evidence.judgement import judge_columns
from sbd.evidence.tally import Claims, tally_claims
from sbd.evidence.verdicts import VERDICTS

STEP = 24  # of a square lattice of columns [pixels]
ROOM = 60  # of vacuum around it [pixels]


def draw_lattice(side=8, *, vacuum=0.45, heights=(0.1, 0.9), seed=0):
    """Columns of many strengths with vacuum around: the image, and the columns."""
    y, x = np.indices((STEP, STEP)) - (STEP - 1) / 2
    bump = np.exp(-(x**2 + y**2) / (2 * 3.5**2))
    rng = np.random.default_rng(seed)
    strengths = rng.uniform(*heights, side * side)
    inner = vacuum * (1 + np.kron(strengths.reshape(side, side), bump))
    places = np.stack(np.indices((side, side)), -1).reshape(-1, 2) * STEP
    places = places + (STEP - 1) / 2 + ROOM
    n = side * side
    columns = Columns(places, np.full(n, 8.0), vacuum * strengths)
    return np.pad(inner, ROOM, constant_values=vacuum), columns


def knows(truth):
    """A denoiser that knows the truth, but for the dose."""
    return lambda part: truth * (part.sum() / truth.sum())


def follow_the_noise(part):
    return ndimage.gaussian_filter(part.astype(float), 3)


def judge(counts, denoise, seed=0, **how):
    how = {"deals": 3, "vacuum": "auto"} | how
    return judge_columns(counts, denoise, rng=np.random.default_rng(seed), **how)


def test_of_columns_that_are_not_there_hardly_one_is_supported():
    truth, columns = draw_lattice()
    empty = np.full(truth.shape, 0.45)
    rng, wrong = np.random.default_rng(1), 0
    for seed in range(30):
        counts = rng.poisson(empty)
        wrong += judge(counts, follow_the_noise, seed, columns=columns).supported.any()
    # where none is there any support is false: 0.05 of 30 recordings; more than 5
    # have a probability of 0.003
    assert wrong <= 5


@pytest.mark.parametrize("denoise", ["knows", "follows"])
def test_few_of_the_supported_are_not_there(denoise):
    claim, columns = draw_lattice(seed=2)
    there = np.arange(64) % 2 == 0
    low = np.zeros(claim.shape, bool)
    for row, column in columns.positions[~there].astype(int):
        low[row - 11 : row + 13, column - 11 : column + 13] = True
    truth = np.where(low, 0.45, claim)
    denoise = knows(claim) if denoise == "knows" else follow_the_noise
    rng, shares, found = np.random.default_rng(3), [], 0
    for seed in range(20):
        counts = rng.poisson(2 * truth)
        chosen = judge(counts, denoise, seed, columns=columns, level=0.1).supported
        shares.append((chosen & ~there).sum() / max(chosen.sum(), 1))
        found += (chosen & there).sum()
    # half of the claims are false, so the bound is 0.05; three standard errors
    assert np.mean(shares) <= 0.05 + 3 * np.std(shares) / len(shares) ** 0.5
    assert found > 20 * 32 * 0.15


def test_the_seed_hardly_matters():
    truth, columns = draw_lattice(12, seed=4)
    counts = np.random.default_rng(4).poisson(truth)
    first, second = (
        judge(counts, knows(truth), seed, columns=columns, deals=20).verdicts
        for seed in (1, 2)
    )
    assert np.mean(first != second) <= 0.03
    assert 20 < (first == "supported").sum() < 124


def test_the_power_is_the_share_that_finds_support():
    truth, columns = draw_lattice(10, seed=5)
    rng, expected, found = np.random.default_rng(6), [], []
    for seed in range(30):
        judged = judge(rng.poisson(truth), knows(truth), seed, columns=columns)
        expected.append(judged.power.mean())
        found.append(judged.supported.mean())
    gap = np.subtract(found, expected)
    # the recordings share what is supported, so errors are those among recordings; one
    # column of 100 for the normal law of the scores
    assert abs(gap.mean()) < 2 * gap.std() / len(gap) ** 0.5 + 0.01


def test_at_the_dose_that_decides_support_is_found_nine_times_of_ten():
    truth, columns = draw_lattice(10, heights=(0.3, 0.5), seed=7)
    rng = np.random.default_rng(8)
    judged = judge(rng.poisson(truth), knows(truth), columns=columns, deals=6)
    factor = float(np.median(judged.dose))
    near = np.abs(np.log(judged.dose / factor)) < 0.05
    assert near.sum() >= 5
    found = []
    for seed in range(40):
        more = judge(rng.poisson(factor * truth), knows(truth), seed, columns=columns)
        found.append(more.supported[near].mean())
    # more of the others are supported at that dose, which lowers the bar
    assert 0.88 - 2 * np.std(found) / 40**0.5 < np.mean(found)


def test_intervals_hold_what_they_should():
    truth, columns = draw_lattice(10, seed=9)
    inner = (truth - 0.45)[ROOM:-ROOM, ROOM:-ROOM].reshape(10, STEP, 10, STEP)
    added = inner.sum((1, 3)).ravel()
    rng, inside = np.random.default_rng(10), []
    for seed in range(20):
        judged = judge(rng.poisson(truth), knows(truth), seed, columns=columns)
        low, high = judged.interval.T
        # the disc of 8 pixels holds this part of a bump of deviation 3.5
        disc = added * (1 - np.exp(-(8**2) / (2 * 3.5**2)))
        inside.append(np.mean((low <= disc) & (disc <= high)))
    # 0.95 for normal errors; the vacuum's own error and pixels at the disc's edge
    assert 0.92 < np.mean(inside) < 0.99


def test_a_crop_is_judged_as_it_is_in_the_whole():
    truth, columns = draw_lattice(12, seed=11)
    counts = np.random.default_rng(12).poisson(2 * truth)
    whole = judge(counts, knows(truth), columns=columns, deals=10)
    some = columns.positions[:, 1] < ROOM + 6 * STEP
    left = np.s_[:, : ROOM + 6 * STEP]
    crop = judge(counts[left], knows(truth[left]), columns=columns[some], deals=10)
    assert np.mean(crop.verdicts == whole.verdicts[some]) > 0.9


def test_frames_are_dealt_out_whole():
    truth, columns = draw_lattice(4)
    frames = np.random.default_rng(0).poisson(truth / 8, (8, *truth.shape))
    seen = []

    def denoise(part):
        seen.append(part)
        return follow_the_noise(part)

    judged = judge(frames, denoise, columns=columns, deals=1)
    assert judged.settings["frames"] == 8
    sums = {frames[[i, j]].sum(0).tobytes() for i in range(8) for j in range(8)}
    assert len(seen) == 5  # all of them for the picture, then four parts
    for part in seen[1:]:
        assert part.astype(frames.dtype).tobytes() in sums
    np.testing.assert_array_equal(sum(seen[1:]), frames.sum(0))


def test_what_has_no_dose_is_left_out():
    truth, columns = draw_lattice(8, heights=(0.6, 0.9))
    counts = np.random.default_rng(0).poisson(2 * truth)
    dark = counts.copy()
    dark[:100] = 0
    whole = judge(counts, knows(truth), columns=columns)
    judged = judge(dark, knows(truth), columns=columns)
    assert not judged.judged[:95].any()
    assert judged.judged[110:].all()
    gone = columns.positions[:, 0] < 100
    assert len(judged.columns) <= (~gone).sum()
    kept = np.isin(columns.positions[:, 0], judged.columns.positions[:, 0])
    assert np.mean(judged.verdicts == whole.verdicts[kept]) > 0.9


def test_a_vacuum_that_is_another_is_refused():
    truth, columns = draw_lattice()
    counts = np.random.default_rng(0).poisson(truth)
    judge(counts, knows(truth), columns=columns, deals=1, vacuum=0.45)
    with pytest.raises(ValueError, match=r"vacuum must be what the image counts"):
        judge(counts, knows(truth), columns=columns, vacuum=0.42)
    inner = np.s_[ROOM:-ROOM, ROOM:-ROOM]
    inside = Columns(columns.positions - ROOM, columns.radii, columns.amplitudes)
    with pytest.raises(ValueError, match="vacuum must be seen in the image"):
        judge(counts[inner], knows(truth[inner]), columns=inside, vacuum=0.45)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda y: 3 * y, "multiple"),
        (lambda y: np.minimum(y, 1), "clipped"),
        (lambda y: y / 2, "whole counts"),
        (lambda y: np.where(np.arange(y.size).reshape(y.shape) == 5050, 500, y), "5"),
        (lambda y: y + np.roll(np.random.default_rng(1).binomial(y, 0.3), 1, 1),
         "neighbour"),
        (lambda y: 0 * y, "electron"),
    ],
    ids=["gain", "clipped", "halved", "hot", "doubled", "nothing"],
)  # fmt: skip
def test_what_are_no_independent_electrons_is_refused(change, message):
    truth, columns = draw_lattice()
    counts = np.random.default_rng(0).poisson(5 * truth)
    with pytest.raises(ValueError, match=message):
        judge(change(counts), knows(truth), columns=columns)


def test_options_out_of_their_range_are_refused():
    counts = np.random.default_rng(0).poisson(0.45, (64, 64))
    for how, message in (
        ({"parts": 1}, "parts must be a whole number of at least 2"),
        ({"deals": 0}, "deals must be a whole number"),
        ({"level": 1.0}, "level must be between 0 and 1"),
        ({"pixel": 0.00622}, "pixel must be 0.01 to 0.35 angstrom; got 0.00622"),
    ):
        with pytest.raises(ValueError, match=message):
            judge(counts, follow_the_noise, **how)
    with pytest.raises(TypeError, match=r"rng must be a numpy.random.Generator; got 0"):
        judge_columns(counts, follow_the_noise, rng=0)


def test_verdicts_exclude_each_other():
    truth, columns = draw_lattice()
    counts = np.random.default_rng(0).poisson(4 * truth)
    judged = judge(counts, knows(truth), columns=columns)
    assert not (judged.supported & judged.ruled_out).any()
    assert set(judged.verdicts) <= set(VERDICTS)
    assert ((judged.p_values >= 0) & (judged.p_values <= 1)).all()


def test_a_column_that_is_not_there_is_ruled_out_with_more_dose():
    claim, columns = draw_lattice(8, heights=(0.6, 0.9))
    truth = claim.copy()
    row, column = columns.positions[20].astype(int)
    truth[row - 11 : row + 13, column - 11 : column + 13] = 0.45
    counts = np.random.default_rng(1).poisson(30 * truth)
    judged = judge(counts, lambda part: claim * (part.sum() / truth.sum()),
                   columns=columns)  # fmt: skip
    assert judged.verdicts[20] == "ruled out"
    assert (judged.verdicts == "ruled out").sum() == 1


def test_an_image_without_columns_has_no_verdicts():
    counts = np.random.default_rng(0).poisson(0.45, (64, 64))
    judged = judge_columns(
        counts, lambda y: np.full(y.shape, y.mean()), rng=np.random.default_rng(0)
    )
    assert len(judged.columns) == len(judged.verdicts) == 0
    assert sbd.tabulate_verdicts(judged).empty


def test_what_takes_electrons_away_is_no_bright_column():
    truth, columns = draw_lattice(5)
    counts = np.random.default_rng(0).poisson(truth)
    low = judge(counts, lambda y: np.full(y.shape, 0.05), columns=columns)
    assert not low.supported.any()


def test_a_column_given_twice_is_judged_twice():
    truth, columns = draw_lattice(5, heights=(0.8, 0.9))
    counts = np.random.default_rng(0).poisson(3 * truth)
    twice = columns[np.repeat(np.arange(25), 2)]
    verdicts = judge(counts, knows(truth), columns=twice).verdicts
    assert (verdicts[::2] == verdicts[1::2]).all()
    assert (verdicts == "supported").sum() > 30


def test_true_columns_of_a_list_are_not_ruled_out_at_a_low_dose():
    truth, columns = draw_lattice(7, heights=(0.5, 0.5))
    counts = np.random.default_rng(0).poisson(0.2 * truth)
    judged = judge(counts, lambda y: ndimage.gaussian_filter(y.astype(float), 5),
                   columns=columns)  # fmt: skip
    # one in twenty of those that are ruled out would be half a column
    assert judged.ruled_out.sum() <= 2


def test_many_electrons_decide():
    truth, columns = draw_lattice(6, heights=(0.3, 0.9))
    counts = np.random.default_rng(0).poisson(300 * truth)
    judged = judge(counts, knows(truth), columns=columns)
    assert judged.supported.all()
    assert not judged.ruled_out.any()


def test_masked_counts_are_refused_with_the_way_out():
    counts = np.ma.masked_equal(np.random.default_rng(0).poisson(0.45, (64, 64)), 2)
    words = r"noisy must not be masked; got \d+ masked pixels \(put Poisson counts"
    with pytest.raises(ValueError, match=words):
        judge(counts, follow_the_noise)


def test_single_masked_pixels_are_filled_as_the_message_says():
    truth, _ = draw_lattice(3)
    rng = np.random.default_rng(0)
    counts = rng.poisson(20 * truth)
    lost = rng.random(counts.shape) < 0.02
    # 0 in 2 percent of pixels of 9 counts: the variance is 1 + 0.02 x 9 times the mean
    zeros = np.where(lost, 0, counts)
    with pytest.raises(ValueError, match="noisy must hold Poisson counts; the var"):
        judge(zeros, follow_the_noise, deals=1)
    around = ndimage.uniform_filter(zeros.astype(float), 5)
    around = around / ndimage.uniform_filter((~lost).astype(float), 5)
    filled = np.where(lost, rng.poisson(around), counts)
    assert judge(filled, follow_the_noise, deals=1).judged.all()


@pytest.mark.parametrize("dose", [1, 10, 100])
def test_masked_areas_of_zeros_are_not_judged_as_the_message_says(dose):
    truth, _ = draw_lattice(3)
    counts = np.random.default_rng(0).poisson(dose * truth)
    side = max(4, int(np.ceil(np.sqrt(150 / counts.mean()))))
    area = np.zeros(counts.shape, bool)
    area[80 : 80 + side, 70 : 70 + side] = True  # of columns and what is between
    judged = judge(np.where(area, 0, counts), follow_the_noise, deals=1).judged
    assert not judged[area].any()
    # beside it small windows are left out that are empty, which one in 1000 is
    assert judged[~area].mean() > 0.99


def test_verdicts_do_not_depend_on_the_number_of_workers():
    truth, _ = draw_lattice(4)
    counts = np.random.default_rng(0).poisson(3 * truth)
    one, three = (
        sbd.tabulate_verdicts(judge(counts, follow_the_noise, deals=2, workers=n))
        for n in (1, 3)
    )
    assert len(one) > 5
    assert one.equals(three)


def test_what_a_worker_raises_comes_out():
    def fail(part):
        if part.sum() < counts.sum():
            msg = "of a part"
            raise RuntimeError(msg)
        return follow_the_noise(part)

    counts = np.random.default_rng(0).poisson(0.45, (64, 64))
    with pytest.raises(RuntimeError, match="of a part"):
        judge(counts, fail, workers=2, vacuum=None)


@pytest.mark.parametrize("deals", [1, 5])
def test_few_deals_keep_the_false_discovery_rate(deals):
    # exact p-values of discs' counts, half of them of nothing; deals share electrons
    rng, n, mean = np.random.default_rng(14), 64, 60.0
    places = Columns(np.stack(np.indices((8, 8)), -1).reshape(-1, 2) * 20.0,
                     np.full(n, 6.0), np.ones(n))  # fmt: skip
    shares, found, none = [], 0, np.zeros(n)
    for _ in range(60):
        there = rng.random(n) < 0.5
        counts = rng.poisson(mean * (1 + there * rng.uniform(0.1, 1, n)))
        claims = []
        for _ in range(deals):
            for part in rng.multinomial(counts, [0.25] * 4).T:
                p = stats.poisson.sf(counts - part - 1, 0.75 * mean).clip(1e-12, 1)
                claims.append(Claims(places.positions, p, 1 - p, *[none] * 6))
        how = {"reach": None, "level": 0.1, "share": 0.75}
        chosen = tally_claims(places, claims, **how)["supported"]
        shares.append((chosen & ~there).sum() / max(chosen.sum(), 1))
        found += (chosen & there).sum()
    # the bound is the level; three standard errors
    assert np.mean(shares) <= 0.1 + 3 * np.std(shares) / 60**0.5
    assert found > 60 * 32 * 0.2
