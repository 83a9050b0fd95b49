"""Check that verdicts follow from the records, and from nothing else."""

import dataclasses
import json
import re
from pathlib import Path

import pytest
import yaml

from sbd.companion.claims import (
    KINDS,
    VERDICTS,
    count_verdicts,
    look_up,
    read_claims,
    write_number,
)

ROOT = Path(__file__).resolve().parents[2]
FILE = ROOT / "book" / "claims.yml"
ABOUT = {"id": "one", "kind": "claim", "says": "It is so.", "where": "abstract"}
ABOUT |= {"page": "method"}
NUMBERS = {
    "source": "authors",
    "net": {"psnr": 40.0, "standard_error": 0.3},
    "filter": {"psnr": 35.0, "standard_error": 0.4},
    "lost": 3,
    "all": 12,
    "0.45 e/pixel": {"psnr": 38.0},
}


def read_folder(file, folder):
    return read_claims(file, folder / "figures", folder / "measured")


@pytest.fixture
def judge(tmp_path):
    """Return what the claims say, for records of one file."""
    (tmp_path / "figures").mkdir()
    (tmp_path / "figures/a.json").write_text(json.dumps(NUMBERS))

    def read(*tests, numbers=None, **more):
        if numbers is not None:
            (tmp_path / "figures/a.json").write_text(json.dumps(NUMBERS | numbers))
        entry = ABOUT | more | ({"ours": [*tests]} if tests else {})
        (tmp_path / "claims.yml").write_text(yaml.safe_dump([entry]))
        return read_folder(tmp_path / "claims.yml", tmp_path)[0]

    return read


def psnr(**bound):
    test = {"what": "the network", "value": "figures/a:net.psnr", "unit": "dB"}
    return test | {"error": "figures/a:net.standard_error"} | bound


@pytest.mark.parametrize(
    ("bound", "outcome"),
    [
        ({"above": 39.3}, "holds"),  # 40.0 is 2.3 of its errors above
        ({"above": 39.5}, "open"),
        ({"above": 40.5}, "open"),
        ({"above": 40.7}, "fails"),
        ({"below": 40.7}, "holds"),
        ({"below": 39.3}, "fails"),
        ({"of": 40.2, "within": 1}, "holds"),
        ({"of": 40.2, "within": 0.3}, "open"),
        ({"of": 45.0, "within": 1}, "fails"),
    ],
)
def test_two_standard_errors_decide(judge, bound, outcome):
    assert judge(psnr(**bound)).findings[0].outcome == outcome


@pytest.mark.parametrize(
    ("bound", "words"),
    [
        ({"above": -1}, "above \N{MINUS SIGN}1 dB"),
        ({"below": 1000}, "below 1,000 dB"),
        ({"of": -3.24, "within": 1}, "\N{MINUS SIGN}3.24 dB, within 1 dB"),
    ],
)
def test_what_was_expected_is_told_with_its_unit(judge, bound, words):
    assert judge(psnr(**bound)).findings[0].expected == words


def test_errors_of_a_difference_add_up_as_squares(judge):
    errors = ["figures/a:net.standard_error", "figures/a:filter.standard_error"]
    test = psnr(minus="figures/a:filter.psnr", error=errors, above=4.1)
    found = judge(test).findings[0]
    assert (found.value, found.error) == pytest.approx((5.0, 0.5))
    assert found.outcome == "open"  # 1.8 errors above


def test_a_share_of_counted_things_has_the_error_of_a_share(judge):
    test = {"what": "lost", "value": "figures/a:lost", "over": "figures/a:all"}
    found = judge(test | {"counted": True, "below": 0.9}).findings[0]
    assert found.value == 0.25
    share = (3 + 2) / (12 + 4)  # Agresti and Coull, 1998
    assert found.error == pytest.approx((share * (1 - share) / (12 + 4)) ** 0.5)


@pytest.mark.parametrize(("none", "of", "outcome"), [(0, 3, "open"), (0, 400, "holds")])
def test_none_of_three_does_not_decide(judge, none, of, outcome):
    test = {"what": "lost", "value": "figures/a:none", "over": "figures/a:of"}
    test |= {"counted": True, "below": 0.1}
    claim = judge(test, numbers={"none": none, "of": of})
    assert (claim.findings[0].value, claim.findings[0].outcome) == (0.0, outcome)


@pytest.mark.parametrize(
    ("bounds", "more", "verdict"),
    [
        ([{"above": 39}], {}, "reproduced"),
        ([{"above": 39}], {"but": "a small one"}, "partly"),
        ([{"above": 39}, {"above": 45}], {}, "partly"),
        ([{"above": 39.9}], {}, "cannot"),  # open: nothing is decided
        ([{"above": 39.9}, {"above": 45}], {}, "cannot"),
        ([{"above": 39.9}, {"above": 39}], {}, "partly"),
        ([{"above": 45}], {}, "contradicted"),
        ([{"above": 45}], {"but": "a small one"}, "cannot"),
        ([], {"cannot": "It is gone."}, "cannot"),
        ([{"above": 39, "from": ["real"]}], {}, "cannot"),
        ([{"above": 39, "from": ["real"]}, {"above": 39}], {}, "partly"),
    ],
)
def test_the_verdict_follows_from_the_findings(judge, bounds, more, verdict):
    assert judge(*(psnr(**bound) for bound in bounds), **more).verdict == verdict


def test_another_number_gives_another_verdict(judge):
    before = judge(psnr(above=39)).verdict
    after = judge(psnr(above=39), numbers={"net": {"psnr": 30, "standard_error": 0.3}})
    assert (before, after.verdict) == ("reproduced", "contradicted")


def bare(**bound):
    test = psnr(**bound)
    return {key: value for key, value in test.items() if key != "error"}


@pytest.mark.parametrize(
    ("test", "verdict"),
    [
        (bare(above=39), "partly"),
        (bare(above=45), "cannot"),
        (bare(above=39, exact=True), "reproduced"),
        (bare(above=45, exact=True), "contradicted"),
    ],
)
def test_without_an_error_only_what_is_exact_carries_a_verdict(judge, test, verdict):
    claim = judge(test)
    assert claim.verdict == verdict
    assert claim.findings[0].unsure == ("exact" not in test)
    assert ("no error is known" in claim.reason) == claim.findings[0].unsure


@pytest.mark.parametrize(
    ("test", "more", "reason"),
    [
        (psnr(above=39.9), {}, "too large for the numbers to decide"),
        (psnr(above=45), {"but": "a small one"}, "does not suffice to contradict"),
        (psnr(above=39) | {"from": ["real"]}, {}, "This copy does not hold"),
    ],
)
def test_what_cannot_be_judged_says_why(judge, test, more, reason):
    claim = judge(test, **more)
    assert (claim.verdict, reason in claim.reason) == ("cannot", True)


def test_what_is_judged_in_full_needs_no_reason(judge):
    assert judge(psnr(above=39)).reason == ""
    assert judge(psnr(above=45)).reason == ""


def test_a_figure_from_nowhere_is_refused(judge):
    test = {"what": "drawn again", "drawn": "a", "from": ["real"]}
    with pytest.raises(ValueError, match="real, authors, simulated; got x in"):
        judge(test, numbers={"source": "x"})


def test_a_figure_may_name_what_the_authors_gave(judge):
    test = {"what": "drawn", "drawn": "a", "from": ["authors"], "called": "their logs"}
    found = judge(test).findings[0]
    assert (found.expected, found.measured) == ("drawn from their logs",) * 2


@pytest.mark.parametrize(
    ("source", "verdict"), [("real", "reproduced"), ("authors", "partly")]
)
def test_a_figure_counts_for_what_it_was_drawn_from(judge, source, verdict):
    test = {"what": "drawn again", "drawn": "a", "from": ["real"]}
    assert judge(test, numbers={"source": source}).verdict == verdict


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        ({"kind": "opinion", "cannot": "x"}, "kind must be one of"),
        ({"verdict": "reproduced", "cannot": "x"}, "must not have the parts: verdict"),
        ({"says": None}, "must have either findings or a reason"),
        ({"ours": [psnr()]}, "must say above, below, or of and within"),
        ({"ours": [psnr(above=1) | {"value": "figures/a:nett"}]}, "name an entry of"),
        ({"ours": [psnr(above=1) | {"value": "figures/b:net"}]}, "name a record"),
        ({"ours": [psnr(above=1)], "here": "by 4 dB"}, "no number must be typed"),
        ({"ours": [psnr(above=1)], "cannot": "x"}, "either findings or a reason"),
    ],
)
def test_a_claim_that_cannot_be_judged_is_refused(judge, entry, reason):
    with pytest.raises(ValueError, match=reason):
        judge(**entry)


def test_what_was_found_is_told_with_the_numbers_of_the_records(judge):
    claim = judge(psnr(above=39), here="ahead, at {0}")
    assert claim.found == "ahead, at 40.0 ± 0.3 dB"
    assert judge(psnr(above=39)).found == "40.0 ± 0.3 dB"


def test_a_part_that_is_missing_is_named(tmp_path):
    (tmp_path / "c.yml").write_text(yaml.safe_dump([{"id": "one", "kind": "claim"}]))
    with pytest.raises(ValueError, match="must have the parts: page, says, where"):
        read_folder(tmp_path / "c.yml", tmp_path)


def test_an_id_is_used_once(tmp_path):
    entry = ABOUT | {"cannot": "It is gone."}
    (tmp_path / "c.yml").write_text(yaml.safe_dump([entry, entry]))
    with pytest.raises(ValueError, match="got one twice"):
        read_folder(tmp_path / "c.yml", tmp_path)


@pytest.mark.parametrize(
    ("key", "value"),
    [("net.psnr", 40.0), ("0.45 e/pixel.psnr", 38.0), ("lost", 3)],
)
def test_dots_in_names_are_no_obstacle(key, value):
    assert look_up(NUMBERS, key) == value


@pytest.mark.parametrize(
    ("value", "error", "shown"),
    [
        (40.163, 0.0712, "40.16 ± 0.07"),
        (40.163, 0.163, "40.16 ± 0.16"),
        (0.4051, 0.0552, "0.41 ± 0.06"),
        (1234.5, 30.0, "1,234 ± 30"),
        (17955, None, "17,955"),
        (-0.00132, None, "\N{MINUS SIGN}0.00132"),
        (None, None, "not in this copy"),
    ],
)
def test_a_number_has_the_digits_that_its_error_leaves(value, error, shown):
    assert write_number(value, error) == shown


# --- the claims of this book


@pytest.fixture(scope="module")
def book(tmp_path_factory):
    """Lay out the records as the book does."""
    folder = tmp_path_factory.mktemp("book")
    (folder / "figures").symlink_to(ROOT / "figures")
    (folder / "measured").symlink_to(ROOT / "book" / "measured")
    return folder


def test_every_claim_has_its_evidence(book):
    found = read_folder(FILE, book)
    assert {claim.kind for claim in found} == set(KINDS)
    for claim in found:
        assert claim.findings or claim.cannot, claim.id
        assert claim.verdict in VERDICTS
    assert sum(count_verdicts(found).values()) == len(found)


def test_no_verdict_is_typed():
    entries = yaml.safe_load(FILE.read_text("utf8"))
    fields = {"id", "kind", "says", "where", "page", "theirs", "but", "cannot"}
    fields |= {"ours", "here"}
    assert {key for entry in entries for key in entry} <= fields
    numbers = {
        "above",
        "below",
        "of",
        "within",
    }  # what was expected, not what was found
    for entry in entries:
        for test in entry.get("ours", ()):
            typed = {k for k, v in test.items() if isinstance(v, int | float)}
            assert typed <= numbers | {"counted", "exact"}, entry["id"]


def test_a_wrong_number_in_a_record_changes_what_the_book_says(book, tmp_path):
    changed = tmp_path / "book"
    (changed / "measured").mkdir(parents=True)
    (changed / "figures").symlink_to(ROOT / "figures")
    for file in (ROOT / "book" / "measured").glob("*.json"):
        text = file.read_text("utf8")
        if file.stem == "methods":
            text = re.sub(r'("psnr": )4\d\.\d+', r"\g<1>20.0", text)
        if file.stem == "gpu":
            text = re.sub(r'("mean": )3\d\.\d+', r"\g<1>20.0", text)
        (changed / "measured" / file.name).write_text(text)
    before = {c.id: c.verdict for c in read_folder(FILE, book)}
    after = {c.id: c.verdict for c in read_folder(FILE, changed)}
    assert before["beats-filters"] == "partly"
    assert after["beats-filters"] == "contradicted"


def test_a_copy_without_the_authors_files_claims_nothing_of_them(tmp_path):
    """What the stand-in shows is no evidence for the authors' images."""
    copy = tmp_path / "book"
    (copy / "figures").mkdir(parents=True)
    (copy / "measured").symlink_to(ROOT / "book" / "measured")
    for file in (ROOT / "figures").glob("*.json"):
        numbers = json.loads(file.read_text("utf8")) | {"source": "simulated"}
        numbers = {k: v for k, v in numbers.items() if not k.startswith("theirs ")}
        (copy / "figures" / file.name).write_text(json.dumps(numbers))
    found = {claim.id: claim for claim in read_folder(FILE, copy)}
    assert found["benchmark-same"].verdict == "cannot"
    assert found["figure-comparison"].verdict != "reproduced"
    assert found["figure-surface"].verdict != "reproduced"
    for name in ("benchmark-same", "twice"):
        values = [f.value for f in found[name].findings]
        assert values == [None] * len(values)


def test_a_claim_is_what_it_was_read_as(book):
    claim = read_folder(FILE, book)[0]
    with pytest.raises(dataclasses.FrozenInstanceError):
        claim.verdict = "reproduced"


def test_the_authors_cells_are_taken_from_the_authors_logs():
    """A cell is held against theirs, of the same row and column, less its diagonal."""
    logs = json.loads((ROOT / "figures/10_generalisation.json").read_text("utf8"))
    if "theirs contrast" not in logs:
        pytest.skip("the figures here were drawn without the authors' logs")
    cells = []
    for entry in yaml.safe_load(FILE.read_text("utf8")):
        for test in entry.get("ours", ()):
            parts = re.fullmatch(
                r"figures/10_generalisation:ours (\w+), gain\.(\w+)\.(\w+)",
                test.get("value", ""),
            )
            if parts and "of" in test:
                study, row, column = parts.groups()
                theirs = logs[f"theirs {study}"]
                assert test["of"] == pytest.approx(
                    theirs[row][column] - theirs[column][column], abs=0.006
                ), test["what"]
                cells.append((row, column))
    assert len(cells) >= 8


def test_both_images_are_told_where_both_were_measured():
    """What was measured on two images is not told of the better one alone."""
    text = FILE.read_text("utf8")
    for key in ("AUC of the ratio.value", "inventions with a positive ratio"):
        for image in ("simulated", "authors"):
            assert f"measured/inventions:{image}.mean.{key}" in text
    for image in range(1, 4):
        assert f"06_fidelity-unlabelled:unlabelled/{image}.PSNR inside" in text


def test_how_much_was_measured_is_what_the_records_say():
    """How many images and draws a line names is typed, so it is compared."""
    compared = 0
    for entry in yaml.safe_load(FILE.read_text("utf8")):
        for test in entry.get("ours", ()):
            record, _, key = test.get("value", "").partition(":")
            said = re.findall(r"(\d+) (?:images|draws|of these)", test["what"])
            if not record.startswith("measured/") or not said:
                continue
            path = ROOT / "book" / f"{record}.json"
            numbers = json.loads(path.read_text("utf8"))
            while key:  # the nearest group that says how many
                key = key.rpartition(".")[0]
                group = look_up(numbers, key) if key else numbers
                some = {group[n] for n in ("images", "draws") if n in group}
                if some:
                    break
            assert {int(n) for n in said} == some, test["what"]
            compared += 1
    assert compared >= 10
