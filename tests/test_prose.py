"""Check that no result is typed into prose, captions or alternative texts.

A result belongs to a record, from which pages read it, because prose outlives it. What
may be typed is what does not depend on a measurement of this project: a number of the
paper, or of the authors' files, and a setting. Each stands in `ALLOWED`, with a reason.
"""

import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.py"))
NOTEBOOKS = [path for path in NOTEBOOKS if path.stem != "conftest"]
PAGES = [ROOT / "README.md", *sorted((ROOT / "book").glob("*.md"))]

NUMBER = r"[\d][\d.,]*"
WORDS = r"(?:half an?|an?|one|two|three|four|five|six|seven|eight|nine|ten)"
RESULTS = {
    "decibels": rf"(?:{NUMBER}|\b{WORDS})[\s-]*(?:dB|decibels?)\b",
    "an error": rf"(?:±|\+-|\+/-|\\pm)\s*{NUMBER}",
    "a share": rf"{NUMBER}\s*(?:%|per ?cent\b)",
    "a decimal": r"(?<![\w.])\d+\.\d+(?![\w.]*\d)",
    "a count": r"\b\d+ (?:out )?of (?:the |these |those )?\d+\b|\bof those \d+, \d+",
    "a factor": rf"(?:{NUMBER}|\b{WORDS}) times (?:as|better|faster|more|less)\b",
}

DOSE = "the dose of the paper, a setting"
THEIRS = "the authors' own number"
SETTING = "a setting"
LEVEL = "a level that is asked for"
VERSION = "a version"
ALLOWED: dict[str, dict[str, str]] = {
    "02_comparison": {"how little a decibel means": "no result, but a unit"},
    "03_jacobian": {"prints 0.525 = 0.067 + 0.458": THEIRS},
    "08_view": {
        "with 4 scales they have 38.2 dB, with 6 scales 30.5 (whole images) or 34.6": (
            THEIRS
        ),
        "an interval of 95 %": LEVEL,
        "holds 95 % of the squared weights": "what the radius is defined by",
        "for 95 % of the absolute weights": "what the radius is defined by",
        "look four times as far": "follows from bins of 4 x 4",
    },
    "11_significance": {
        "a level of 1 % should be met by 1 % of the discs": LEVEL,
        "a Kolmogorov-Smirnov test at 5 %": LEVEL,
    },
    "14_surfaces": {"about 2 of 255 grey levels": THEIRS},
    "15_recording": {"One whose interval of 95 %": LEVEL},
    "16_electrons": {
        "with intervals of 95 %": LEVEL,
        "blurred by 1.5 pixels": SETTING,
    },
    "README": {
        "Python 3.11": VERSION,
        "a false discovery rate of 5 %": LEVEL,
        "bins of 0.22 to 0.32 angstrom": SETTING,
        "A pixel of 0.02 to 0.32 angstrom": SETTING,
        "for pixels above 0.2 angstrom": "ten times the smallest pixel",
        "CC BY 4.0": VERSION,
    },
    "architecture": {
        "Tolerances: 0.5 % of a curve, 2 % of an image's": SETTING,
        "1 % of a colour scale": SETTING,
        "may fail on noise of 0.1 %": "what the tool cannot bear, in its tests",
        "Matplotlib 3.10 and 3.11": VERSION,
        "since 3.11": VERSION,
    },
    "benchmark": {
        "no image has detail beyond 1.2 per ångström": "the band limit, a setting",
        "CC BY 4.0": VERSION,
        "at 0.45 electrons per pixel": DOSE,
    },
    "claims": {"within a decibel": "what is asked of a number, set in claims.yml"},
    "data": {
        "has 38.16 dB on 279 others": THEIRS,
        "pixels of 0.11 to 0.16 angstrom": SETTING,
        "at 0.45 electrons per pixel": DOSE,
    },
    "differences": {
        "reaches 38.16 dB on whole images and 38.58 dB in patches": THEIRS,
        "a deeper one 30.46 dB and 34.59 dB": THEIRS,
        "deformed by 12 %": "follows from the sizes beside it",
        "value of 0.525 as 0.067 from the gradient and 0.458 from": THEIRS,
        "shrinks images by 0.785": THEIRS,
        "that is 8.96; the true value is 6.58": "arithmetic",
    },
    "intro": {"Python 3.11": VERSION},
    "live": {
        "the counts, 0.45 electrons per pixel": DOSE,
        "a bin is 0.22 to 0.32 angstrom wide": SETTING,
        "the share 0.05 is not there": LEVEL,
        "where they lie with 95 %": LEVEL,
    },
    "measurements": {
        "the interval of 95 %": LEVEL,
        "at most 0.05 in one disc of twenty": LEVEL,
        "The level is 0.05": LEVEL,
        "farther than 0.8 angstrom": SETTING,
    },
    "method": {
        "with the vacuum at 0.45": DOSE,
        "At 0.45 electrons per pixel": DOSE,
    },
    "run": {
        "Python 3.11": VERSION,
        "bins of 0.22 to 0.32 Å that hold 1.6 to 160 electrons": SETTING,
        "anything from 0.02 to 0.32 Å": SETTING,
        "From 0.16 to 0.22 Å": SETTING,
        "0.5 or newer": VERSION,
        "HyperSpy 2.4": VERSION,
        "pydantic 2.14": VERSION,
    },
    "score": {
        "a mean of about 0.4": "follows from the dose",
        "PSNR within 0.01 dB": "the tolerance of a check, a setting",
    },
}


def read_notebook(path: Path) -> str:
    """Return the markdown cells, captions and alternative texts of a notebook."""
    parts = []
    for cell in re.split(r"(?m)^(?=# %%)", path.read_text("utf8")):
        head, _, body = cell.partition("\n")
        if head.startswith("# %% [markdown]"):
            parts.append(re.sub(r"(?m)^# ?", "", body))
        elif looks := re.search(r"mystnb=(\{.*\})", head):
            about = json.loads(looks[1])
            parts += [about.get("figure", {}).get("caption", "")]
            parts += [about.get("image", {}).get("alt", "")]
    return "\n\n".join(parts)


def read_page(path: Path) -> str:
    """Return the prose of a page, without what a script writes into it."""
    return re.sub(r"(?s)<!-- (\w+) -->.*?<!-- /\1 -->", "", path.read_text("utf8"))


def strip_code(text: str) -> str:
    """Leave out code, formulas, addresses and roles, which are no prose."""
    kept = r"```\{(?:list-table|figure|image|note|warning)\}"
    text = re.sub(rf"(?ms)^(?!{kept})```.*?^```\s*?$", "", text)
    text = re.sub(r"(?s)\$\$.*?\$\$|\$[^$\n]+\$|`[^`\n]*`|\]\([^)\s]*\)", " ", text)
    text = re.sub(r"https?://\S+|<[^>\n]+>", " ", text)
    return " ".join(text.split())


def find_results(text: str, allowed: dict[str, str]) -> list[str]:
    """Return the results typed in a text, each with the words around it."""
    text = strip_code(text)
    for phrase in sorted(allowed, key=len, reverse=True):
        text = text.replace(phrase, "\N{BULLET}")
    return [
        f"{kind}: ...{text[max(0, at.start() - 50) : at.end() + 30]}..."
        for kind, pattern in RESULTS.items()
        for at in re.finditer(pattern, text)
    ]


@pytest.mark.parametrize("path", [*NOTEBOOKS, *PAGES], ids=lambda path: path.stem)
def test_no_result_is_typed(path):
    """A number of ours comes from a record; the way out is a cell or `{number}`."""
    read = read_notebook if path.suffix == ".py" else read_page
    found = find_results(read(path), ALLOWED.get(path.stem, {}))
    assert not found, "\n".join([f"{path.name} types results:", *found])


def test_every_exception_is_needed():
    texts = {path.stem: read_notebook(path) for path in NOTEBOOKS}
    texts |= {path.stem: read_page(path) for path in PAGES}
    for stem, phrases in ALLOWED.items():
        text = strip_code(texts[stem])
        for phrase, reason in phrases.items():
            assert phrase in text, f"{stem} says no longer: {phrase}"
            assert find_results(phrase, {}), f"{phrase!r} needs no exception"
            assert reason


@pytest.mark.parametrize(
    "sentence",
    [
        "The network reaches 39.9 dB.",
        "It is 4 decibels ahead.",
        "It is half a decibel ahead.",
        "It loses a 3-dB step.",
        "The gain is 12 ± 2.",
        "The gain is 12 +- 2.",
        "In 93 % of the draws it is right.",
        "In 93 percent of the draws.",
        "An F1 of 0.97.",
        "It invents 3 of 79 columns.",
        "Files hang; of those 25, 24 are refused.",
        "It is 3 times faster.",
        "It is five times as fast.",
    ],
)
def test_a_typed_result_is_seen(sentence):
    assert find_results(sentence, {})
    assert find_results(f"```{{list-table}}\n* - {sentence}\n```\n", {})
    assert not find_results(sentence, {sentence: "because"})


@pytest.mark.parametrize(
    "sentence",
    [
        "The vacuum holds less than one electron per pixel.",
        "It reaches {number}`02_comparison:network.psnr:.1f` dB.",
        "With `threshold=0.15` it is found.",
        "See [the paper](https://doi.org/10.1109/TCI.2022.3176536).",
        "At $0.5$ it is a half.",
        "The PSNR is given in dB, with 3 draws.",
        "```bash\nsbd denoise a.tif --pixel 0.062\n```",
        "Version 0.5.12 is needed.",
    ],
)
def test_what_is_no_result_is_let_be(sentence):
    assert not find_results(sentence, {})


def test_captions_and_alternative_texts_are_read(tmp_path):
    looks = {"figure": {"caption": "Ahead by 4 dB."}, "image": {"alt": "By 5 dB."}}
    path = tmp_path / "one.py"
    path.write_text(
        f"# %% [markdown]\n# # One\n#\n# By 6 dB.\n\n# %% mystnb={json.dumps(looks)}\n"
        "limit = 7.5  # 8 dB\n"
    )
    found = " ".join(find_results(read_notebook(path), {}))
    assert [f"{n} dB" in found for n in range(4, 9)] == [True] * 3 + [False] * 2
