"""Hold the verdicts of the page that runs in the browser against the library's."""

import io
import json
import shutil

import numpy as np
import pytest
import torch
from live_page import (
    ABOUT,
    ROOT,
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
    unpacked,
)
from scipy import ndimage, stats

import sbd
from sbd.columns.discs import disc_pixels
from sbd.columns.finding import Columns, find_columns
from sbd.evidence.erasure import ErasedColumns, cut_patches, erase_columns
from sbd.evidence.judgement import ask_counts
from sbd.evidence.laws import ScoreLaws
from sbd.evidence.tally import Claims, tally_claims
from sbd.files import sha256
from sbd.networks.eraser import REACH, load_eraser

ERASER = ROOT / "sbd" / "assets" / "weights" / ABOUT["eraser"]["file"]
PIXEL = ABOUT["scenes"][0]["pixel"]
PARTS = 4
# scene, dose of the vacuum, seed: the least, the paper's dose, and the most; then as
# many pixels along a bin as files have that are coarser, or finer, than the usual 4
CASES = [
    (0, 0.1, 1, 4), (0, 0.45, 2, 4), (1, 0.45, 3, 4), (2, 2.0, 4, 4), (1, 10.0, 5, 4),
    (0, 1.0, 6, 1), (1, 0.45, 7, 2), (2, 1.0, 8, 3), (1, 0.45, 9, 8), (0, 1.0, 10, 11),
]  # fmt: skip
# float64 has 2e-16; cosine series of some 1e5 terms, and parabolas, lose a few digits
ROUNDING = 1e-9
# what an eraser takes off is float32, of 6e-8, and a place that is 1e-13 off may turn
# the last digit of a pixel
OF_SINGLES = 1e-6
# transforms of 4096 values in another order; the library's own limit is LEAST, 1e-12
OF_A_LAW = 1e-12

pytestmark = node


def ask_page(work: str, **told: object) -> object:
    return ask_script("judge.js", f"const judge = script; {work}", **told)


@pytest.fixture(scope="module")
def cases():
    """Deal counts out, denoise one part, and let the page find columns in it."""
    model, images, made = sbd.load_model(), clean_images(), []
    for scene, dose, seed, n in CASES:
        rng, times = np.random.default_rng(seed), n / ABOUT["binning"]
        clean = ndimage.zoom(images[scene], times, grid_mode=True, mode="mirror")
        whole = rng.poisson(clean.clip(0) * dose / ABOUT["vacuum"] / times**2)
        part, pixel = rng.binomial(whole, 1 / PARTS), PIXEL / times
        how = {"pixel": pixel, "device": "cpu"}
        estimate = np.float64(sbd.denoise(part.astype(np.float32), model, **how))
        case = {"rest": whole - part, "estimate": estimate * PARTS}
        made.append(case | {"side": len(whole), "pixel": pixel})
    work = """
    return told.made.map(({estimate, side, pixel}) => {
      const columns = judge.findColumns(estimate.flat(), side);
      const places = [columns.positions, pixel];
      return {columns, patches: judge.cutPatches(estimate.flat(), side, ...places)};
    });
    """
    told = ask_page(work, made=made)
    return [case | answer for case, answer in zip(made, told, strict=True)]


def as_columns(found, side):
    places = np.array(found["positions"]).reshape(-1, 2)
    rest = (found[name] for name in ("radii", "amplitudes", "polarity"))
    return Columns(places, *map(np.array, rest), (side, side))


def test_the_page_finds_the_columns_that_the_library_finds(cases):
    for case in cases:
        ours = as_columns(case["columns"], case["side"])
        theirs = find_columns(case["estimate"])
        assert len(ours) == len(theirs) > 5
        assert ours.polarity == theirs.polarity
        for name in ("positions", "radii", "amplitudes"):
            mine, truth = getattr(ours, name), getattr(theirs, name)
            assert np.abs(mine - truth).max() < ROUNDING * np.abs(truth).max()


def test_the_page_also_finds_dark_columns_on_a_side_that_is_slow_to_transform():
    # 7 x 64 pixels: both go on to the next quick length by mirrored pixels
    y, x = np.mgrid[:448, :448]
    wave = np.cos(0.1371 * x + 0.3) * np.cos(0.1173 * y + 0.021 * x + 0.7)
    image = 0.45 - 0.1 * wave.clip(0) ** 2
    work = "return judge.findColumns(told.image.flat(), told.side);"
    ours, theirs = (
        as_columns(ask_page(work, image=image, side=448), 448), find_columns(image)
    )  # fmt: skip
    assert len(ours) == len(theirs) > 50
    assert ours.polarity == theirs.polarity == -1
    assert np.abs(ours.positions - theirs.positions).max() < 1e-6


def test_the_page_cuts_the_patches_that_the_library_cuts(cases):
    for case in cases:
        places = as_columns(case["columns"], case["side"]).positions
        theirs = cut_patches(case["estimate"], places, case["pixel"])
        ours = np.reshape(case["patches"], theirs.shape)
        assert np.abs(ours - theirs).max() < 2e-7 * theirs.max()  # of float32


@pytest.fixture(scope="module")
def asked(cases):
    """Erase columns with torch from the page's patches; ask as the page and here."""
    net, made = load_eraser(ERASER), []
    for case in cases:
        patches = np.reshape(case["patches"], (-1, 1, 32, 32)).astype(np.float32)
        with torch.no_grad():
            erased, doubts = net(torch.from_numpy(patches))
        made.append(case | {"erased": erased.numpy(), "doubts": doubts.numpy()})
    work = """
    return told.cases.map(({estimate, rest, columns, ...is}) => {
      const image = [estimate.flat(), is.side, columns.positions, is.pixel];
      const given = [is.patches, is.erased.flat(3), is.doubts.flat()];
      const off = judge.eraseColumns(...image, ...given.map(x => Float32Array.from(x)));
      const asked = [rest.flat(), estimate.flat(), columns, off, told.share];
      return {...off, claims: judge.askCounts(...asked)};
    });
    """
    share = 1 - 1 / PARTS
    told = ask_page(work, cases=made, share=share)
    both = []
    for case, ours in zip(made, told, strict=True):
        columns = as_columns(case["columns"], case["side"])
        null = {"pixel": case["pixel"], "eraser": net}
        how = {"cap": None, "vacuum": None, **null}
        theirs = ask_counts(case["rest"], case["estimate"], columns, share, **how)
        erased = erase_columns(case["estimate"], columns, **null)
        both.append((ours, theirs, erased))
    return both


def test_the_page_erases_columns_as_the_library_does(asked):
    for ours, _, erased in asked:
        means = np.concatenate(ours["means"])
        assert means.shape == erased.means.shape
        assert np.abs(means - erased.means).max() < OF_SINGLES * erased.means.max()
        assert np.abs(ours["doubts"] - erased.doubts).max() < OF_SINGLES


def claimed(claims, name):
    return np.array([claim[name] for claim in claims])


def test_p_values_are_those_of_the_library(asked):
    apart, seen = [], []
    for ours, theirs, _ in asked:
        for name in ("presence", "absence"):
            mine, truth = claimed(ours["claims"], name), getattr(theirs, name)
            apart.append(np.abs(mine - truth) - OF_SINGLES * truth)
            seen.append(truth)
    assert np.concatenate(apart).max() < OF_A_LAW
    # every kind of them has been compared
    seen = np.concatenate(seen)
    assert (seen <= 1e-10).sum() > 5
    assert ((seen > 1e-6) & (seen < 1e-2)).sum() > 5
    assert ((seen > 1e-2) & (seen < 1)).sum() > 20


def test_electrons_and_their_errors_are_those_of_the_library(asked):
    for ours, theirs, _ in asked:
        for name in ("excess", "amplitude", "error", "doubt"):
            mine, truth = claimed(ours["claims"], name), getattr(theirs, name)
            assert np.abs(mine - truth).max() < OF_SINGLES * np.abs(truth).max()


ONE = Columns(np.array([[32.3, 31.8]]), np.array([12.0]), np.ones(1))
DISC = disc_pixels(ONE, (64, 64))[1]


def one_law(bare, added, doubt, occupancy):
    """Describe one disc to the library, with the law that it has."""
    y, x = np.mgrid[:64, :64] - 32
    claimed = bare + added * np.exp(-(x**2 + y**2) / 72)
    means = np.full(len(DISC[0]), bare)
    erased = ErasedColumns(ONE, means, np.array([doubt]))
    law = ScoreLaws(claimed, ONE, 1.0, erased=erased, occupancy=occupancy)
    return claimed[DISC], means, law


def test_every_way_to_compute_a_p_value_is_that_of_the_library():
    told, theirs, ways = [], [], set()
    for bare, added, doubt, occupancy in [
        (0.3, 0.1, [0.1, 0.2], 0.5),  # by the transform
        (9.0, 9.0, [-0.45, 0.05], 0.5),  # laws so far apart that no grid holds both
        (300.0, 20.0, [0.05, 0.05], 1.0),  # of so many electrons that they are normal
        (0.3, 0.0, [0.0, 0.05], 0.5),  # without a claim
    ]:
        claimed, means, law = one_law(bare, added, doubt, occupancy)
        names = ("silent", "apart", "coarse")
        ways.add(tuple(bool(getattr(law, name)[0]) for name in names))
        for share in (-0.2, 0.0, 0.3, 0.5, 1.0):
            rng = np.random.default_rng(7)
            rates = (means + share * (claimed - means)).clip(0)
            counts = np.zeros((64, 64), np.int64)
            counts[DISC] = rng.poisson(rates)
            told.append([claimed, means, doubt, occupancy, counts[DISC]])
            p = law.presence(counts)[0], law.absence(counts)[0]
            theirs.append([*p, law.amplitudes(counts)[0][0]])
    work = """
    return told.laws.map(([claimed, means, doubt, occupancy, counts]) => {
      const arrays = [claimed, means].map(x => Float64Array.from(x));
      const law = new judge.Law(...arrays, doubt, occupancy);
      return [law.presence(counts), law.absence(counts), law.amplitude(counts)[0]];
    });
    """
    ours = np.array(ask_page(work, laws=told))
    assert ours == pytest.approx(np.array(theirs), rel=ROUNDING, abs=OF_A_LAW)
    assert len(ways) == 4


def random_claims(rng, places, deals):
    """Invent what deals say: some columns there, some not, some claimed twice."""
    made = []
    for _ in range(deals):
        some = rng.permutation(len(places))[: rng.integers(len(places) + 1)]
        some = np.concatenate([some, some[:2]])
        near = places[some] + rng.normal(0, 4, (len(some), 2))
        far = rng.uniform(0, SIDE, (5, 2))
        where, number = np.vstack([near, far]), len(some) + 5
        truth = np.append(some % 3, np.ones(5))  # there, in doubt, not there
        small, large = rng.uniform(-12, -1, number), rng.uniform(0, 1, number)
        p = [np.where(truth == kind, 10**small, large).round(12) for kind in (0, 2)]
        rest = [rng.uniform(0, 1, number) for _ in range(4)]
        excess, amplitude, error, doubt = rest
        made.append(
            Claims(where, *p, 90 * excess, amplitude, error, error, doubt, error)
        )
    return made


def test_verdicts_are_exactly_those_of_the_library():
    given, theirs = [], []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        places = rng.uniform(10, SIDE - 10, (rng.integers(1, 60), 2))
        claims = random_claims(rng, places, 20 if seed % 2 else 4)
        kept = Columns(places, np.ones(len(places)), np.ones(len(places)))
        how = {"reach": REACH / PIXEL, "level": 0.05, "share": 0.75}
        theirs.append(tally_claims(kept, claims, **how))
        names = ("presence", "absence", "excess", "amplitude", "error", "doubt")
        lists = [
            [
                {"position": place} | dict(zip(names, values, strict=True))
                for place, *values in zip(
                    one.positions, *(getattr(one, n) for n in names), strict=True
                )
            ]
            for one in claims
        ]
        given.append({"places": places, "claims": lists, "how": how})
    work = """
    return told.given.map(one => judge.tallyClaims(one.places, one.claims, one.how));
    """
    kinds = np.zeros(2, int)
    for ours, truth in zip(ask_page(work, given=given), theirs, strict=True):
        for mine, name in (("supported",) * 2, ("ruledOut", "ruled_out")):
            assert claimed(ours, mine).tolist() == truth[name].tolist()
        kinds += [truth["supported"].sum(), truth["ruled_out"].sum()]
        width = np.diff(truth["interval"])[:, 0] / 2
        numbers = {
            "selected": truth["selected"], "electrons": truth["electrons"],
            "width": width, "present": truth["p_values"], "absent": truth["absence"],
        }  # fmt: skip
        for name, value in numbers.items():
            assert claimed(ours, name) == pytest.approx(value, rel=1e-12, abs=1e-12)
    assert kinds.min() > 20


def test_benjamini_and_hochbergs_rule_holds_at_its_very_border():
    lists = [[0.01, 0.02, 0.03], [0.02, 0.02, 0.03, 0.5], [0.05], [0.6, 1.0], []]
    work = "return told.lists.map(list => judge.selectClaims(list, told.level));"
    for level in (0.01, 0.02, 0.03, 0.05):
        truth = [sbd.supported_columns(one, level=level).tolist() for one in lists]
        assert ask_page(work, lists=lists, level=level) == truth


def test_the_normal_law_of_the_page_is_exact():
    x = np.linspace(-9, 9, 145)
    ours = ask_page("return told.x.map(judge.normalTail);", x=x)
    assert ours == pytest.approx(stats.norm.sf(x), rel=1e-12)


def test_electrons_are_dealt_out_as_by_dice():
    counts = np.random.default_rng(3).poisson(2.0, 40000)
    work = "return judge.deal(told.counts, 4, judge.chance(told.seed));"
    hands = np.array([ask_page(work, counts=counts, seed=s) for s in (1, 2)])
    assert (hands.sum(1) == counts).all()
    # each hand has a quarter, within five standard deviations
    electrons = counts.sum()
    spread = np.sqrt(electrons * 3 / 16)
    assert np.abs(hands.sum(2) - electrons / 4).max() < 5 * spread
    # thinned Poisson counts are independent: of each other, and from pixel to pixel
    values = hands[0] - counts.mean() / 4
    table = np.corrcoef(np.vstack([values, np.roll(values, 1, axis=1), hands[1]]))
    pairs = [(0, 1), (2, 3), (0, 4), (1, 5), (0, 5)]
    assert max(abs(table[pair]) for pair in pairs) < 5 / np.sqrt(len(counts))
    # of such counts the fourth moment less the squared variance is 1
    assert values.var(1) == pytest.approx(np.full(4, 0.5), abs=5 / np.sqrt(40000))


def test_the_graph_erases_as_the_network_does(tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime")
    again = "`python -m sbd.companion.make.live --only-eraser`: it is another now"
    assert sha256(ERASER) == ABOUT["eraser"]["digest"], again
    shutil.copyfile(ERASER, tmp_path / ERASER.name)
    (tmp_path / "erase.onnx").write_bytes(unpacked("erase.onnx.gz"))
    session = onnxruntime.InferenceSession(tmp_path / "erase.onnx")
    image = np.float64(clean_images()[0])
    number = ABOUT["eraser"]["patches"]
    places = np.random.default_rng(0).uniform(60, SIDE - 60, (number, 2))
    patches = cut_patches(image, places, PIXEL)[:, None]
    erased, doubt = session.run(["erased", "doubt"], {"patches": patches})
    with torch.no_grad():
        truth = [v.numpy() for v in load_eraser(ERASER)(torch.from_numpy(patches))]
    # float32 has 6e-8; seven layers make it some 1e-6
    assert np.abs(erased - truth[0]).max() < 1e-5 * truth[0].max()
    assert np.abs(doubt - truth[1]).max() < 1e-5
    assert np.abs(patches - truth[0]).max() > 0.01


# --- the built page at work

COUNTS = """(async () => {
  const make = URL.createObjectURL;
  let file;
  URL.createObjectURL = blob => { file = blob; return make.call(URL, blob); };
  document.getElementById("live-save-counts").click();
  URL.createObjectURL = make;
  return Array.from(new Uint8Array(await file.arrayBuffer()));
})()"""
JUDGED = "document.getElementById('live-judged')"


@pytest.fixture(scope="module")
def tab():
    with opened_page() as tab:
        yield tab


def choose_scene(tab, **fields):
    fill(tab, **fields)
    place = "document.getElementById('live-scene')"
    tab.run(f"{place}.dispatchEvent(new Event('change'))")
    settle(tab, f", seed {fields['seed']}: denoised in")


@pytest.fixture(scope="module")
def judged(tab):
    """The counts of a scene at twice the paper's dose, and the verdicts on them."""
    choose_scene(tab, scene=1, dose=0, seed=5)
    counts = np.load(io.BytesIO(bytes(tab.run(COUNTS))))
    press(tab, "judge")
    tab.wait(f"{JUDGED}.dataset.seconds", seconds=300)
    return counts, json.loads(tab.run(f"{JUDGED}.dataset.verdicts"))


class TestVerdictsAtWork:
    """In headless Chromium, from a file, with the network off."""

    pytestmark = at_work

    def test_verdicts_come_and_are_counted_in_words(self, tab, judged):
        _, verdicts = judged
        kinds = [verdict[2] for verdict in verdicts]
        number = [kinds.count(k) for k in ("supported", "undecided", "ruled out")]
        assert number[0] > 5
        words = "{} columns: {} supported, {} undecided, {} ruled out."
        told = text(tab, "judged")
        assert told == words.format(len(kinds), *number)
        assert told in text(tab, "status")
        assert not tab.run("document.getElementById('live-legend').hidden")

    def test_they_differ_from_the_librarys_as_other_deals_do(self, judged):
        counts, verdicts = judged
        model = sbd.load_model()
        theirs = [
            sbd.judge_columns(
                counts, lambda part: sbd.denoise(part, model, device="cpu"),
                rng=np.random.default_rng(seed), deals=5, pixel=PIXEL,
            )
            for seed in range(3)
        ]  # fmt: skip
        places = np.array([verdict[:2] for verdict in verdicts])
        # the same image up to float32, and so the same columns
        assert np.abs(places - theirs[0].columns.positions).max() < 1e-3
        ours = np.array([verdict[2] for verdict in verdicts]) == "supported"
        chosen = [one.supported for one in theirs]
        pairs = [(0, 1), (0, 2), (1, 2)]
        most = max((chosen[i] != chosen[k]).sum() for i, k in pairs)
        # of five deals a verdict depends on the deals: a few columns change sides
        assert min((ours != one).sum() for one in chosen) <= max(most, 2)
        surely = np.all(chosen, axis=0)
        assert (surely & ours).sum() >= 0.8 * surely.sum() > 5

    def test_hardly_a_supported_column_is_not_there(self, judged):
        scene = next(
            s
            for s in sbd.held_out_scenes(frame=(SIDE, SIDE))
            if s.title == ABOUT["scenes"][1]["name"]
        )
        _, verdicts = judged
        places = np.array([v[:2] for v in verdicts if v[2] == "supported"])
        match = sbd.match_columns(
            places, scene.specimen.columns, tolerance=0.75, pixel=PIXEL
        )
        assert len(match.spurious) <= 1
        assert len(match.pairs) > 5

    def test_a_click_tells_the_verdict_on_the_nearest_column(self, tab, judged):
        _, verdicts = judged
        row, column, kind, electrons, _, _ = verdicts[len(verdicts) // 2]
        x, y = (column + 3.5) / SIDE, (row + 0.5) / SIDE  # a fifth of an angstrom off
        tab.run(f"""(() => {{
          const canvas = document.getElementById("live-denoised");
          const box = canvas.getBoundingClientRect();
          const at = {{clientX: box.left + {x} * box.width,
            clientY: box.top + {y} * box.height}};
          canvas.dispatchEvent(new MouseEvent("click", at));
        }})()""")
        settle(tab, f"The column at row {row:.1f}")
        told = text(tab, "verdict")
        assert f"row {row:.1f}, column {column:.1f} is {kind}" in told
        assert f"its disc counts {electrons:.1f} \u00b1" in told
        assert told in text(tab, "status")

    def test_keys_tell_a_verdict_too(self, tab, judged):
        _, verdicts = judged
        row, column, kind, *_ = verdicts[0]
        fill(tab, row=round(row + 1), column=round(column))
        tab.run("""document.getElementById("live-denoised").dispatchEvent(
          new KeyboardEvent("keydown", {key: "ArrowUp", shiftKey: true}))""")
        assert f"column {column:.1f} is {kind}" in text(tab, "status")

    def test_it_can_be_stopped_and_other_counts_clear_it(self, tab, judged):
        del judged
        press(tab, "again")
        settle(tab, "seed 6: denoised in")
        assert tab.run(f"{JUDGED}.hidden")
        assert not text(tab, "verdict")
        press(tab, "judge")
        tab.wait("document.getElementById('live-progress').value > 0")
        press(tab, "stop")
        settle(tab, "Stopped")
        assert tab.run(f"{JUDGED}.dataset.verdicts") == "[]"

    def test_nothing_went_wrong(self, tab):
        assert tab.faults() == []
