"""Hold what the page in the browser checks counts for against Python's own checks."""

import json
import re

import numpy as np
import pytest
from live_page import (
    ABOUT,
    SIDE,
    ask_script,
    at_work,
    clean_images,
    fill,
    node,
    opened_page,
    press,
    settle,
    text,
)
from scipy import ndimage, stats

import sbd
from sbd.evidence import counts as library
from sbd.evidence.erasure import check_pixel

VACUUM = ABOUT["vacuum"]
# float64 has 2e-16; sums of some 1e5 products lose a few digits, and so does a
# covariance that is a small difference of them
ROUNDING = 1e-9

pytestmark = node


def ask_page(work, **told):
    return ask_script("counts.js", f"const checks = script; {work}", **told)


def at_side(side, scene=0):
    """Cut the expected counts of a scene, or make them finer, at the paper's dose."""
    clean = clean_images()[scene]
    if side > SIDE:
        times = side / SIDE
        return ndimage.zoom(clean, times, grid_mode=True, mode="mirror").clip(0)
    start = (SIDE - side) // 2
    return clean[start : start + side, start : start + side]


def count(rng, side, dose, scene=0):
    return rng.poisson(at_side(side, scene) * dose / VACUUM)


def smoothed(counts):
    """Denoise without following the noise; rounded, so that JSON is short."""
    return np.round(ndimage.gaussian_filter(np.asarray(counts, float), 4), 6)


# What both say, in their own words: the reason, and its numbers.
REASONS = {
    "not whole": r"(?:hold whole counts|must be whole); got ([\d.]+)",
    "units": r"multiples of (\d+)",
    "clipped": r"largest (?:count )?is (\d+), where ([\d.e+]+) pixels",
    "hot": r"no hot pixels; (\d+) of (\d+) hold more than those around allow: (.*), as",
    "variance": r"variance of (?:its|their) ([\w ]+) is ([\d.]+) times the mean, where "
    r"independent electrons have 1 (?:\+-|±) ([\d.]+)",
    "covariance": r"neighbouring ([\w ]+) along ([\w ]+) have a covariance of ([-\d.]+)"
    r" times the mean, where electrons counted once have 0 (?:\+-|±) ([\d.]+)",
    "nothing": r"got 0 everywhere",
    "dark": r"must be dose all over",
}


def read(refusal):
    """Give the reason and its numbers, or None if there is no refusal."""
    if not refusal:
        return None
    ((kind, found),) = [
        (kind, found)
        for kind, words in REASONS.items()
        if (found := re.search(words, refusal))
    ]
    return kind, *(
        float(x) if re.fullmatch(r"[-\d.e+]+", x) else x for x in found.groups()
    )


def refuse_in_python(counts, estimate):
    """Check in the order of `sbd.judge_columns`; what it leaves out is refused."""
    try:
        whole = library.whole_counts(counts)
        mask = library.dose_mask(whole)
        if not mask.all():
            return ("dark",)
        library.check_independence(whole, estimate, mask)
    except ValueError as error:
        return read(str(error))
    return None


REFUSE = """
return told.cases.map(({counts, estimate}) => {
  const [y, x] = [counts, estimate].map(image => image.flat()), side = counts.length;
  return checks.refuse(y, side) || checks.checkIndependence(y, x, side);
});
"""


def refuse_in_both(images):
    cases = [{"counts": image, "estimate": smoothed(image)} for image in images]
    ours = [read(said) for said in ask_page(REFUSE, cases=cases)]
    return ours, [refuse_in_python(**case) for case in cases]


def test_every_constant_is_that_of_the_library():
    ours = ask_page("return checks.constants;")
    theirs = {name: getattr(library, f"_{name}") for name in ours}
    assert ours == json.loads(json.dumps(theirs))
    rest = {n[1:] for n in vars(library) if re.fullmatch(r"_[A-Z]+", n)} - set(ours)
    assert rest == {"NEAR"}  # how far the border of a dark area goes, which is refused


def test_tails_of_poisson_counts_are_exact():
    cases = []
    for mean in np.geomspace(1e-3, 1e5, 65):
        for tail in (0.9, 0.5, 0.1, 1e-3, 1e-6, 1e-10, 1e-14):
            most = int(stats.poisson.isf(tail, mean))
            cases += [(max(most + step, 0), mean) for step in (0, 1)]
    least, means = np.array(cases).T
    truth = stats.poisson.sf(least - 1, means)
    ours = np.array(
        ask_page("return told.cases.map(x => checks.poissonTail(...x));", cases=cases)
    )
    assert truth.min() < 1e-14
    assert truth.max() > 0.9
    # scipy's own lose some digits in far tails of large means
    assert np.abs(ours / truth - 1).max() < 1e-11
    assert ask_page("return checks.poissonTail(3, 0);") == 0


def test_tails_of_binomial_counts_are_exact():
    cases = []
    for number in np.unique(np.geomspace(1, 1e5, 33).astype(int)):
        for share in (library._CONTRAST / (23 + library._CONTRAST), 0.3, 0.9):
            for tail in (0.9, 0.5, 0.1, 1e-3, 1e-6, 1e-10, 1e-14):
                least = int(stats.binom.isf(tail, number, share))
                cases += [(k, int(number), share) for k in (least, least + 1)]
    cases = [case for case in cases if 0 <= case[0] <= case[1]]
    least, number, share = np.array(cases).T
    truth = stats.binom.sf(least - 1, number, share)
    ours = np.array(
        ask_page("return told.cases.map(x => checks.binomialTail(...x));", cases=cases)
    )
    assert truth.min() < 1e-14
    assert truth.max() > 0.9
    assert np.abs(ours / truth - 1).max() < 1e-11


@pytest.mark.parametrize("side", [64, 128, 256, 512])
def test_the_numbers_are_those_of_the_library(side):
    rng = np.random.default_rng(side)
    images = [count(rng, side, dose) for dose in (0.05, 0.45, 9.9)]
    images.append(np.repeat(images[1][:, ::2], 2, axis=1))  # all but independent
    images[1][5, 7] = images[1][0, side - 1] = 40
    cases = [{"counts": image, "left": image - smoothed(image)} for image in images]
    work = """
    return told.cases.map(({counts, left}) => {
      const [y, x] = [counts, left].map(image => image.flat()), side = counts.length;
      return {
        covariances: [4, 8].map(order => checks.covariances(x, y, side, order)),
        margins: [4, 8].map(order => checks.margins(y, side, order)),
        larger: checks.expectLarger(y, side), typical: checks.typicalMean(y, side),
        hot: checks.findHotPixels(y, side),
      };
    });
    """
    everywhere, some = np.ones((side, side), bool), 0
    for ours, case in zip(ask_page(work, cases=cases), cases, strict=True):
        y, x = case["counts"].astype(float), case["left"]
        pairs = [
            (
                ours["covariances"],
                [library._covariances(x, y, everywhere, o) for o in (4, 8)],
            ),
            (ours["margins"], [library._margins(y, everywhere, o) for o in (4, 8)]),
            (ours["typical"], library._typical_mean(case["counts"])),
        ]
        for mine, truth in pairs:
            # covariances near 0 are differences of numbers of order 1
            assert np.array(mine) == pytest.approx(
                np.array(truth), rel=ROUNDING, abs=1e-11
            )
        places, means = library.find_hot_pixels(case["counts"])
        assert [divmod(one["at"], side) for one in ours["hot"]] == list(
            map(tuple, places.tolist())
        )
        assert [one["mean"] for one in ours["hot"]] == pytest.approx(means, rel=1e-12)
        some += len(places)
    assert some >= 2


def larger_in_python(counts):
    """Expect larger counts as `refuse_clipping` does, written down once more."""
    wide = max(9, int(np.ceil(np.sqrt(library._STEADY / counts.mean())))) | 1
    local = ndimage.uniform_filter(counts.astype(float), wide, mode="mirror")
    return stats.poisson.sf(counts.max(), local.clip(0)).sum()


def test_as_many_larger_counts_are_expected_as_in_the_library():
    rng, images = np.random.default_rng(3), []
    # at the lowest dose the mean is taken over more than the image and its mirror image
    for dose, most in ((0.002, 1), (0.45, 1), (0.45, 9), (9.9, 12), (150.0, 170)):
        images.append(np.minimum(count(rng, 128, dose), most))
    work = """
    return told.images.map(image => checks.expectLarger(image.flat(), image.length));
    """
    ours, theirs = ask_page(work, images=images), list(map(larger_in_python, images))
    assert ours == pytest.approx(theirs, rel=ROUNDING)
    assert min(theirs) < library._SEEN < max(theirs)


def counts_that_are_none(rng, side):
    """Make of counts what detectors and files make of them, by the reason."""
    once, few, many = (count(rng, side, dose) for dose in (2.25, 0.45, 9.9))
    hot, several, dark = once.copy(), few.copy(), once.copy()
    hot[side // 3, 5], hot[1, side - 1] = 90, 70
    hot[side // 2, side // 2 : side // 2 + 2] = 80  # side by side
    several[9::20, 7::20] = 60
    dark[: side // 4, : side // 4] = 0
    again = rng.binomial(few, 0.3)
    mean = np.mean([once, *(count(rng, side, 2.25) for _ in range(3))], axis=0)
    beside = [np.roll(again, step, (0, 1)) for step in ((0, 1), (1, 0), (2, 2))]
    return {
        "units": [2 * once, 3 * once],
        "clipped": [np.minimum(once, 2), np.minimum(many, 5), np.rint(mean)],
        "not whole": [once / 2, mean, once + 0.1],
        "hot": [hot, several],
        "variance": [
            rng.poisson(3 * few),
            3 * few + (rng.random(few.shape) < 0.5),
            once + rng.binomial(once, 0.3),
            rng.binomial(np.rint(at_side(side) * 90).astype(int), 0.4),
        ],
        "covariance": [few + one for one in beside[:2]],
        "covariance or variance": [few + beside[2]],  # of blocks
        "dark": [dark],
        "nothing": [np.zeros((side, side), int)],
    }  # fmt: skip


@pytest.mark.parametrize("side", [128, 256, 512])
def test_what_python_refuses_is_refused_for_the_same_reason(side):
    kinds = counts_that_are_none(np.random.default_rng(side), side)
    ours, theirs = refuse_in_both(
        [image for images in kinds.values() for image in images]
    )
    assert ours == theirs
    expected = [kind for kind, images in kinds.items() for _ in images]
    for kind, truth in zip(expected, theirs, strict=True):
        assert truth is not None, kind
        assert truth[0] in kind.split(" or ")
    # of 512 x 512 already single pixels tell what is two pixels apart
    assert any("blocks of 2 x 2 pixels" in truth for truth in theirs) == (side < 512)


def test_every_refusal_says_the_way_out():
    kinds = counts_that_are_none(np.random.default_rng(1), 128)
    kinds.pop("nothing")  # out of that there is none
    named = [image for images in kinds.values() for image in images]
    cases = [{"counts": image, "estimate": smoothed(image)} for image in named]
    for said in ask_page(REFUSE, cases=cases):
        assert re.search(r"sbd (check|judge)|take the (sum|counts)", said), said
        assert said.endswith(".")
        assert len(said) < 450


def simulated(rng):
    """Expect counts as they come, and some as they seldom do."""
    side = int(rng.choice([64, 128, 128, 128, 256]))
    clean = at_side(side, int(rng.integers(3))) * 10 ** rng.uniform(-1.5, 1.5) / VACUUM
    y, x = np.mgrid[:side, :side]
    kind = rng.integers(6)
    if kind == 0:  # an edge, beyond which there is less
        clean = np.where(x + y / 3 > side / 2, clean, 0.3 * clean)
    elif kind == 1:  # fringes
        clean = clean * (1 + 0.5 * np.cos(0.4 * x + 0.2 * y))
    elif kind == 2:  # nothing but dose
        clean = np.full(clean.shape, clean.mean())
    elif kind == 3:  # one bright column
        clean = clean.mean() * (
            1 + 3 * np.exp(-((y - side / 2) ** 2 + (x - 20) ** 2) / 32)
        )
    return clean


def test_nothing_is_refused_that_python_takes():
    rng = np.random.default_rng(2024)
    images = [rng.poisson(simulated(rng)) for _ in range(72)]
    images += [count(rng, 512, dose) for dose in (0.1, 0.45, 2.0)]
    # electrons that went to a neighbour, and were counted once, are as independent
    once = count(rng, 128, 0.45)
    gone = rng.binomial(once, 0.3)
    images.append(once - gone + np.roll(gone, 1, axis=1))
    # so few electrons that hardly a window need hold one
    images += [rng.poisson(dose, (128, 128)) for dose in (3e-4, 0.003, 0.02, 0.2)]
    ours, theirs = refuse_in_both(images)
    assert ours == theirs
    assert theirs.count(None) >= 65


def test_a_part_without_dose_is_seen_where_python_leaves_some_out():
    rng, images = np.random.default_rng(7), []
    y, x = np.mgrid[:128, :128]
    holes = [
        x < 0, x < 1, x < 3, y > 120, np.hypot(y - 60, x - 70) < 4,
        np.hypot(y - 60, x - 70) < 9, np.hypot(y - 64, x - 64) > 60, (y < 20) & (x < 8),
    ]  # fmt: skip
    for dose in (0.05, 0.45, 2.0, 50.0):
        images += [np.where(hole, 0, rng.poisson(dose, x.shape)) for hole in holes]
    work = "return told.images.map(image => checks.findDark(image.flat(), 128));"
    whole = 0
    for window, image in zip(ask_page(work, images=images), images, strict=True):
        mask = library.dose_mask(image)
        assert (window is None) == mask.all()
        whole += mask.all()
        if window:
            row, column, high, wide = window
            inside = np.s_[row : row + high, column : column + wide]
            assert mask[inside].shape == (high, wide)
            assert not mask[inside].any()
            assert not image[inside].any()
    assert 4 <= whole <= len(images) - 8


def test_pixels_are_refused_as_in_the_library():
    sides = [0.005, 0.0099, 0.01, 0.0622, 0.35, 0.3501, 0.622]
    work = "return told.sides.map(script.refusePixel);"
    for said, side in zip(
        ask_script("judge.js", work, sides=sides), sides, strict=True
    ):
        try:
            check_pixel(side)
        except ValueError:
            assert f"got {side}" in said
        else:
            assert said == ""


# --- the built page at work

JUDGED = "document.getElementById('live-judged')"


@pytest.fixture(scope="module")
def tab():
    with opened_page() as tab:
        yield tab


def drop(tab, path, image, pixel):
    """Hand a file to the page, and tell it the side of a pixel."""
    np.save(path, image)
    tab.choose_file(path)
    settle(tab, "what is the side of a pixel")
    fill(tab, pixel=pixel)
    press(tab, "own-go")
    settle(tab, f"{path.name}, rows ")


def change(tab, name):
    place = f"document.getElementById('live-{name}')"
    tab.run(f"{place}.dispatchEvent(new Event('change'))")


class TestOwnCountsAtWork:
    """In headless Chromium, from a file, with the network off."""

    pytestmark = at_work

    @pytest.mark.parametrize("n", [4, 2])
    def test_a_file_of_counts_gets_verdicts(self, tab, tmp_path, n):
        rng, times = np.random.default_rng(n), n / ABOUT["binning"]
        scene, title = 1, ABOUT["scenes"][1]
        clean = clean_images()[scene] / VACUUM
        if n == 2:
            clean = clean.reshape(SIDE // 2, 2, SIDE // 2, 2).sum((1, 3))
        counts, pixel = rng.poisson(clean), title["pixel"] / times
        drop(tab, tmp_path / "mine.npy", counts.astype(np.uint8), round(pixel, 5))
        assert not tab.run("document.getElementById('live-judge').disabled")
        press(tab, "judge")
        tab.wait(f"{JUDGED}.dataset.seconds", seconds=600)
        assert text(tab, "judge-not") == ""
        verdicts = json.loads(tab.run(f"{JUDGED}.dataset.verdicts"))
        truth = next(
            s
            for s in sbd.held_out_scenes(frame=(SIDE, SIDE))
            if s.title == title["name"]
        )
        found = np.array([v[:2] for v in verdicts if v[2] == "supported"])
        # a place of a coarser pixel, in those of the scene
        places = (found + 0.5) / times - 0.5
        match = sbd.match_columns(
            places, truth.specimen.columns, tolerance=0.75, pixel=title["pixel"]
        )
        assert len(match.spurious) <= 1
        assert len(match.pairs) > 5

    def test_another_seed_deals_the_same_counts_again(self, tab, tmp_path):
        del tmp_path
        assert json.loads(tab.run(f"{JUDGED}.dataset.verdicts"))
        fill(tab, seed=77)
        change(tab, "seed")
        settle(tab, "Seed 77, of the next verdicts")
        assert tab.run(f"{JUDGED}.dataset.verdicts") == "[]"
        assert "no truth" in text(tab, "psnr")
        label = "document.getElementById('live-denoised').ariaLabel"
        assert "supported" not in tab.run(label)

    def test_counts_that_depend_on_neighbours_are_refused_in_words(self, tab, tmp_path):
        rng = np.random.default_rng(5)
        counts = count(rng, SIDE, 0.45)
        there = rng.binomial(counts, 0.3)
        smeared = counts + np.roll(there, 1, axis=1)
        drop(tab, tmp_path / "smeared.npy", smeared.astype(np.uint8), 0.0622)
        press(tab, "judge")
        settle(tab, "Not judged")
        denoised = sbd.denoise(smeared.astype(np.float32), pixel=0.0622, device="cpu")
        truth = refuse_in_python(smeared, denoised)
        assert truth[0] == "covariance"
        mine = read(text(tab, "judge-not"))
        assert mine[:3] == truth[:3]
        # the page's image differs from Python's by float32, so does the last digit
        assert mine[3:] == pytest.approx(truth[3:], abs=1.1e-3)
        assert tab.run(f"{JUDGED}.hidden")
        assert tab.run(f"{JUDGED}.dataset.verdicts") == "[]"

    def test_a_refusal_goes_with_the_counts_that_it_is_about(self, tab):
        assert text(tab, "judge-not") != ""
        change(tab, "scene")
        settle(tab, "seed 77: denoised in")
        assert text(tab, "judge-not") == ""
        assert not tab.run("document.getElementById('live-judge').disabled")

    def test_nothing_went_wrong(self, tab):
        assert tab.faults() == []
