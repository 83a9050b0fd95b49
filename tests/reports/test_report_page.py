"""Check the report as a whole: what stands on its page, and in its numbers."""

import json
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from scipy import stats

import sbd
from sbd.recordings.lengths import PixelSize
from sbd.recordings.recording import Recording
from sbd.reports import list_rivals, write_report
from sbd.reports.content import compare_counts
from sbd.reports.rivals import Filled

FEW = {"constant": sbd.denoise_constant, "Gaussian": sbd.denoise_gaussian}
HOW = {"denoisers": FEW, "quick": True, "device": "cpu"}
VOID = {"meta", "img", "circle", "br"}


class Page(HTMLParser):
    """The words of a page, and what it asks for; fails where tags are not closed."""

    def __init__(self, text):
        super().__init__()
        self.open, self.words, self.links, self.tags = [], [], [], []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.links += [v for k, v in attrs if k in ("src", "href", "action", "data")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, _attrs):
        self.tags.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] != "style":
            self.words.append(data)


@pytest.fixture(autouse=True, scope="module")
def small():
    """Cut scenes of the audit small: what they tell has its own tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sbd.reports.inventions.FRAME", (96, 96))
        patch.delenv("SOURCE_DATE_EPOCH", raising=False)
        yield


@pytest.fixture(scope="module")
def counts():
    clean = sbd.example_truth("simulated")[0][300:460, 260:420]
    return np.random.default_rng(0).poisson(2 * clean).astype(np.float32)


@pytest.fixture(scope="module")
def written(tmp_path_factory, counts):
    folder = tmp_path_factory.mktemp("report")
    file = folder / "<b>my & file.npy"
    np.save(file, counts)
    numbers = write_report(file, folder / "one.html", pixel=0.0622, **HOW)
    return file, numbers, (folder / "one.html").read_text("utf8")


def test_the_page_holds_all_it_shows_and_says_it_in_order(written):
    file, numbers, text = written
    page = Page(text)
    assert all(link.startswith("data:image/png;base64,") for link in page.links)
    assert len(page.links) == page.tags.count("img") >= 8
    assert not {"script", "link", "iframe", "object"} & set(page.tags)
    assert "url(" not in text
    assert "default-src 'none'" in text
    assert len(text.encode()) < 4e6
    heads = re.findall(r"<h2>(\d)\.", text)
    assert heads == list("12345678")
    words = " ".join(" ".join(page.words).split())
    assert numbers["summary"] in words
    assert numbers["file"]["sha256"] in words
    assert "at half of this dose" in words.lower()
    assert "This is not your specimen." in words
    assert numbers["weights"]["denoiser"]["sha256"] in words
    assert "dB" not in words
    assert not numbers["not done"]
    assert file.name in words  # as it is called, and not as a tag
    assert "<b>my" not in text


def test_the_numbers_are_those_of_the_functions(written, counts):
    file, numbers, _ = written
    assert json.loads(file.with_name("one.json").read_text()) == numbers
    assert numbers["counts"]["electrons per pixel"] == pytest.approx(counts.mean())
    how = {"pixel": (0.0622, 0.0622), "device": "cpu", "filters": FEW}
    table = sbd.recordings.rank_denoisers(
        counts, list_rivals(**how), rng=np.random.default_rng([0, 1]), splits=1
    )
    ranked = {row["denoiser"]: row for row in numbers["ranking"]["rows"]}
    assert list(ranked) == table.index.tolist()
    assert ranked["constant"]["worse by"] == table.loc["constant", "worse by"]
    verdicts = sbd.judge_columns(
        counts, list_rivals(**how)["network"], pixel=0.0622, deals=1,
        rng=np.random.default_rng(0),
    )  # fmt: skip
    assert numbers["columns"]["number"] == len(verdicts.columns) > 0
    assert numbers["columns"]["supported"] == verdicts.supported.sum()
    assert set(numbers["residuals"]) == {"network", "Gaussian"}
    assert len(numbers["inventions"]["rows"]) == 5


def test_the_same_seed_gives_the_same_bytes_and_the_day_is_given(
    written, tmp_path, monkeypatch
):
    file, numbers, text = written
    again = file.with_name("two.html")
    write_report(file, again, pixel=0.0622, **HOW)
    same = again.read_text("utf8")
    assert same.replace("two.html", "one.html") == text
    assert not re.search(r"\d\d:\d\d|20\d\d-", " ".join(Page(text).words))
    bare = np.zeros((30, 30))
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "86400")
    assert write_report(bare, tmp_path / "a.html", **HOW)["date"] == "1970-01-02"
    assert "1970-01-02" in (tmp_path / "a.html").read_text()
    told = write_report(bare, tmp_path / "a.html", date="a day", **HOW)["date"]
    assert told == "a day"
    assert numbers["date"] is None


def test_a_part_that_refuses_leaves_its_reason_and_the_others_stand(tmp_path, counts):
    target = tmp_path / "out.html"
    size = PixelSize((1.0, 1.0), "the file")
    found = write_report(Recording(counts[:64, :64], size), target, **HOW)
    text = " ".join(Page(target.read_text()).words)
    assert "pixel must be at most 0.32 angstrom" in found["not done"]["network"]
    assert found["columns"] is found["inventions"] is None
    assert "Not judged: pixel must be at most" in text
    assert [r["denoiser"] for r in found["ranking"]["rows"]] == ["Gaussian", "constant"]
    assert "columns cannot be judged" in found["summary"]
    uneven = PixelSize((0.1244, 0.0622), "the file")
    found = write_report(Recording(counts[:96, :64], uneven), target, **HOW)
    assert "columns are judged on square pixels" in found["not done"]["verdicts"]
    noisy = counts + np.random.default_rng(1).normal(0, 0.3, counts.shape)
    found = write_report(noisy, target, **HOW)
    assert found["ranking"] is found["columns"] is None
    assert found["counts"]["read noise [electrons]"] == pytest.approx(0.3, abs=0.05)
    assert "The network (weights/default)." in target.read_text()


def test_what_is_no_image_of_electrons_still_has_a_page(tmp_path):
    for name, values in (
        ("zero", np.zeros((40, 40))),
        ("one", np.ones((1, 1))),
        ("nan", np.full((40, 40), np.nan)),
        ("float", np.random.default_rng(0).normal(1e4, 3, (40, 40))),
    ):
        target = tmp_path / f"{name}.html"
        found = write_report(values, target, **HOW)
        assert found["summary"].startswith("These are no counts"), name
        assert found["ranking"] is found["columns"] is None
        assert Page(target.read_text()).tags.count("h2") == 8


def test_areas_without_dose_are_left_out_of_scales_and_scores(tmp_path, counts):
    empty = counts.copy()
    empty[:50] = 0
    empty[100, 100] = 90
    target = tmp_path / "out.html"
    found = write_report(empty, target, **HOW)
    words = " ".join(Page(target.read_text()).words)
    share = found["counts"]["recorded share"]
    # a window that is empty by chance may be taken for more of the frame
    assert 110 / 160 - 0.01 < share <= 110 / 160
    assert f"Striped: {1 - share:.1%} without dose" in words
    assert "Ringed: 1 hot pixels" in words
    assert found["counts"]["electrons per pixel"] == pytest.approx(
        counts[50:].mean(), rel=0.01
    )
    pixels = sum(row["counted"] for row in found["counts"]["histogram"]["rows"])
    assert pixels == round(share * 160 * 160)
    # "constant" is the mean of what was recorded, and so no worse than it would be
    rows = {row["denoiser"]: row for row in found["ranking"]["rows"]}
    assert rows["constant"]["worse by"] < 0.2


def test_a_denoiser_sees_noise_where_nothing_was_recorded():
    some = np.ones((40, 40), bool)
    some[:20] = False
    noisy = np.random.default_rng(0).poisson(np.where(some, 5.0, 0.0))
    seen = []
    Filled(lambda y: seen.append(y) or y, some, 3)(noisy)
    np.testing.assert_array_equal(seen[0][some], noisy[some])
    # of 800 counts of mean 5 the mean is known to .08
    assert seen[0][~some].mean() == pytest.approx(5, abs=0.35)


def test_a_histogram_expects_what_poisson_counts_would_have():
    counts = np.random.default_rng(0).poisson(3.0, 5000)
    table = compare_counts(counts, np.full(5000, 3.0))
    law = 5000 * stats.poisson.pmf(table["from"], 3.0)
    # means are rounded to 400 steps of the range, which is 1 for equal ones
    np.testing.assert_allclose(table["expected"], law, rtol=0.01)
    assert table["counted"].sum() == 5000
    wide = compare_counts(np.arange(1000), np.arange(1000) + 0.5)
    assert len(wide) <= 60
    assert wide["counted"].sum() == 1000


def test_what_is_asked_for_wrongly_is_refused_before_anything(tmp_path, counts):
    for wrong, kind, message in (
        ({"target": tmp_path / "out.pdf"}, ValueError, "target must be the name"),
        ({"seed": -1}, ValueError, "seed must be a whole number"),
        ({"pixel": (1, 2, 3)}, ValueError, "pixel must be a size, or two"),
        ({"pixel": 0.0}, ValueError, "pixel must be positive"),
        ({"model": "none"}, FileNotFoundError, "model must be the name or the file"),
        ({"denoisers": {"network": abs}}, ValueError, "must not be named 'network'"),
        ({"recording": np.zeros(3)}, ValueError, "recording must be an image"),
    ):
        given = {"recording": counts, "target": tmp_path / "a.html", **HOW} | wrong
        with pytest.raises(kind, match=message):
            write_report(given.pop("recording"), given.pop("target"), **given)
    assert not list(tmp_path.iterdir())


def test_the_command_and_the_call_make_the_same_again(written):
    _, numbers, _ = written
    (python,) = numbers["commands"]  # a command cannot say which denoisers
    assert "sbd.reports.write_report('<b>my & file.npy', 'one.html'" in python
    assert "pixel=0.0622, quick=True, denoisers=denoisers)" in python
