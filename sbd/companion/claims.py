"""What the paper says and what this project measures, claim by claim.

``book/claims.yml`` holds what can only be typed: the claims, in our words, where they
are printed, the paper's own numbers, and what a measurement must show, set down beside
it. All else is read: values and standard errors from ``figures/*.json`` and
``book/measured/*.json``. So nobody types a verdict, and none outlives its number.

A finding *holds* when what was expected lies two standard errors away from failing,
*fails* when it lies two standard errors on the other side, and is *open* in between.
What is counted or fixed without chance is called ``exact`` there, and its value alone
decides. So it does where an error should be known and is not, but such a finding is
marked, and alone it neither reproduces a claim nor contradicts it. A figure that was
drawn from less than the paper drew it from is *less*. A claim is

* ``reproduced`` when all its findings hold, nothing was left out, and all errors that
  should be known are known;
* ``contradicted`` when all of them fail, with the same conditions;
* ``partly`` when some hold, or hold on less than the paper has;
* ``cannot`` when none holds otherwise: nothing could be measured, or nothing is
  decided, or what failed was less than the paper has, which refutes nothing.
"""

import json
import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

VERDICTS = ("reproduced", "partly", "contradicted", "cannot")
KINDS = ("claim", "number", "table", "figure", "erratum")
SIGMAS = 2.0
"""Standard errors between a value and its bound, for the value to decide."""


@dataclass(frozen=True)
class Finding:
    """One measurement that a claim is held against.

    Parameters
    ----------
    what : str
        What was measured, and on what.
    value : float or None
        The number; None if the copy at hand does not hold it.
    error : float or None
        Its standard error; None if it is not known.
    expected : str
        The condition, as a reader is shown it.
    outcome : {"holds", "fails", "open", "less", "absent"}
        What the number says of the condition.
    unit : str
        Unit of the number.
    record : str
        Where it was read: ``figures/NAME`` or ``measured/NAME``.
    unsure : bool
        Whether it should have a standard error and has none.
    """

    what: str
    value: float | None
    error: float | None
    expected: str
    outcome: str
    unit: str = ""
    record: str = ""
    unsure: bool = False

    @property
    def measured(self) -> str:
        """The number with its error and unit, or what a figure was drawn from."""
        if self.value is None and self.record.startswith("figures/") and self.unit:
            return self.unit
        return write_number(self.value, self.error, self.unit)


@dataclass(frozen=True)
class Claim:
    """A claim of the paper and its site, with what was found of it.

    Parameters
    ----------
    id : str
        Its name in links.
    kind : {"claim", "number", "table", "figure", "erratum"}
        What it is.
    says : str
        The claim, in our words.
    where : str
        Where it is printed.
    page : str
        The page of the book that tests it.
    theirs : str
        The paper's number, as printed; may be empty.
    findings : tuple of Finding
        What was measured.
    but : str
        In what the test falls short of the paper's; caps the verdict at ``partly``.
    cannot : str
        Why nothing could be measured.
    here : str
        One line on what was found; ``{0}`` stands for the first finding's number.
    """

    id: str
    kind: str
    says: str
    where: str
    page: str
    theirs: str
    findings: tuple[Finding, ...]
    but: str = ""
    cannot: str = ""
    here: str = ""

    @property
    def found(self) -> str:
        """What was found, on one line."""
        numbers = [f.measured for f in self.findings]
        return self.here.format(*numbers) if self.here else "".join(numbers[:1])

    @property
    def verdict(self) -> str:
        """One of :data:`VERDICTS`."""
        outcomes = {f.outcome for f in self.findings}
        held = bool(outcomes & {"holds", "less"})
        whole = not self.but and not any(f.unsure for f in self.findings)
        if outcomes == {"holds"} and whole:
            return "reproduced"
        if outcomes - {"absent"} == {"fails"} and whole:
            return "contradicted"
        return "partly" if held else "cannot"

    @property
    def reason(self) -> str:
        """Why a claim cannot be judged, or what its test falls short of."""
        outcomes = {f.outcome for f in self.findings} - {"absent"}
        about = [self.cannot] if self.cannot else []
        if self.findings and self.verdict == "cannot":
            about += [_WHY[min(outcomes, default="absent", key=list(_WHY).index)]]
        if self.but:
            about += [f"Tested on less than the paper: {self.but}."]
        if any(f.unsure for f in self.findings):
            about += ["Where no error is known, a number decides nothing for sure."]
        return " ".join(about)


def read_claims(file: Path, figures: Path, measured: Path) -> list[Claim]:
    """Read the claims, and find what the records at hand say of each.

    Parameters
    ----------
    file : pathlib.Path
        The list of claims, YAML.
    figures, measured : pathlib.Path
        The folders of the records that claims name, as in ``figures/02_comparison:``.

    Returns
    -------
    list of Claim
        In the order of the file.

    Raises
    ------
    ValueError
        If a claim lacks a part, has one that is not known, names a record or an entry
        that does not exist, or has the id of another.
    """
    import yaml

    entries = yaml.safe_load(Path(file).read_text(encoding="utf-8"))
    records = _Records({"figures": Path(figures), "measured": Path(measured)})
    claims = [_claim(entry, records) for entry in entries]
    twice = [i for i, n in Counter(claim.id for claim in claims).items() if n > 1]
    if twice:
        msg = f"every claim must have an id of its own; got {', '.join(twice)} twice"
        raise ValueError(msg)
    return claims


_WHY = {
    "open": "The errors are too large for the numbers to decide.",
    "fails": "What was measured fails, but does not suffice to contradict.",
    "absent": "This copy does not hold what it takes.",
}


def count_verdicts(claims: Iterable[Claim]) -> dict[str, int]:
    """Count how many claims have each of the verdicts, in the order of `VERDICTS`."""
    counts = Counter(claim.verdict for claim in claims)
    return {verdict: counts[verdict] for verdict in VERDICTS}


def write_number(
    value: float | None, error: float | None = None, unit: str = ""
) -> str:
    """Write a number with as many digits as its standard error leaves.

    Examples
    --------
    >>> write_number(40.163, 0.0712, "dB")
    '40.16 ± 0.07 dB'
    >>> write_number(17955)
    '17,955'
    >>> write_number(0.00067, 0.00007, "e")
    '0.00067 ± 0.00007 e'
    """
    if value is None:
        return "not in this copy"
    if error:
        power = math.floor(math.log10(error))
        digits = max(0, -power + (error / 10**power < 2.95))  # two digits of 1 and 2
        text = f"{value:,.{digits}f} ± {error:.{digits}f}"
    else:
        text = f"{value:,.4g}" if abs(value) < 1000 else f"{value:,.0f}"
    return f"{text} {unit}".strip().replace("-", "\N{MINUS SIGN}")


def look_up(numbers: Any, key: str) -> Any:  # noqa: ANN401, it is parsed JSON
    """Find an entry in nested dicts and lists.

    Parameters
    ----------
    numbers : dict or list
        Parsed JSON.
    key : str
        Name of an entry; dots lead into nested ones, as in ``"rows.0.psnr"``.

    Returns
    -------
    object
        The entry.

    Raises
    ------
    KeyError
        If there is no such entry; its message lists those there are.

    Examples
    --------
    >>> look_up({"network": {"psnr": [36.7]}}, "network.psnr.0")
    36.7
    """
    if isinstance(numbers, list):
        numbers = {str(i): value for i, value in enumerate(numbers)}
    if not isinstance(numbers, dict):
        msg = f"no entry {key!r} below a plain value"
        raise KeyError(msg)
    if key in numbers:
        return numbers[key]
    heads = [h for h in numbers if key.startswith(f"{h}.")]
    if heads:
        head = max(heads, key=len)
        return look_up(numbers[head], key[len(head) + 1 :])
    msg = f"no entry {key!r} among {', '.join(map(repr, numbers))}"
    raise KeyError(msg)


class _Records:
    """The JSON files of the book, each read once."""

    def __init__(self, folders: Mapping[str, Path]) -> None:
        self.folders = folders
        self.read = cache(self._read)

    def _read(self, record: str) -> Any:  # noqa: ANN401, it is parsed JSON
        folder, _, name = record.partition("/")
        path = self.folders.get(folder, Path()) / f"{name}.json"
        if not path.is_file():
            msg = f"a claim must name a record of the book; got {record}"
            raise ValueError(msg)
        return json.loads(path.read_text(encoding="utf-8"))

    def get(self, address: str) -> Any:  # noqa: ANN401, it is parsed JSON
        """Return the entry at ``folder/record:key``."""
        record, _, key = address.partition(":")
        try:
            return look_up(self.read(record), key)
        except KeyError as error:
            msg = f"a claim must name an entry of {record}; got {error.args[0]}"
            raise ValueError(msg) from None


def _claim(entry: Mapping[str, Any], records: _Records) -> Claim:
    known = {"id", "kind", "says", "where", "page", "theirs", "but", "cannot"}
    known |= {"ours", "here"}
    missing = {"id", "kind", "says", "where", "page"} - entry.keys()
    if missing or entry.keys() - known:
        wrong = ", ".join(sorted(missing or entry.keys() - known))
        how = "have" if missing else "not have"
        msg = f"the claim {entry.get('id')} must {how} the parts: {wrong}"
        raise ValueError(msg)
    if entry["kind"] not in KINDS:
        msg = f"kind must be one of {', '.join(KINDS)}; got {entry['kind']}"
        raise ValueError(msg)
    findings = tuple(_finding(test, records) for test in entry.get("ours", ()))
    if bool(findings) == bool(entry.get("cannot")):
        msg = f"the claim {entry['id']} must have either findings or a reason why not"
        raise ValueError(msg)
    given = {key: entry[key] for key in known & entry.keys() if key != "ours"}
    if re.search(r"\d", re.sub(r"\{\d\}|PtNp\d|F1|D\d", "", entry.get("here", ""))):
        msg = f"no number must be typed into what was found; got {entry['here']}"
        raise ValueError(msg)
    return Claim(**{"theirs": "", **given}, findings=findings)


def _finding(test: Mapping[str, Any], records: _Records) -> Finding:
    """Measure one condition against the records."""
    if "drawn" in test:
        return _drawing(test, records)
    address = test["value"]
    record = address.partition(":")[0]
    about = {"what": test["what"], "unit": test.get("unit", ""), "record": record}
    about["expected"] = _words(test)
    wanted = test.get("from")
    if wanted and records.read(record).get("source") not in wanted:
        return Finding(value=None, error=None, outcome="absent", **about)
    value = float(records.get(address))
    if "minus" in test:
        value -= float(records.get(test["minus"]))
    error = _error(test, records)
    if "over" in test:
        whole = float(records.get(test["over"]))
        value = value / whole if whole else math.nan
        if test.get("counted") and whole:
            error = _error_of_share(value * whole, whole)
    if not math.isfinite(value):
        msg = f"a finding must be finite; got {value} for {address}"
        raise ValueError(msg)
    about["unsure"] = error is None and not test.get("exact")
    return Finding(
        value=value, error=error, outcome=_judge(test, value, error), **about
    )


def _error_of_share(some: float, whole: float) -> float:
    """Give a share of counted things the error of Agresti and Coull.

    Two of either kind are added, so that none of three, or all of them, is not certain.
    """
    share = (some + 2) / (whole + 4)
    return math.sqrt(share * (1 - share) / (whole + 4))


def _error(test: Mapping[str, Any], records: _Records) -> float | None:
    """Add up standard errors as those of independent numbers.

    For methods on the same images that is too much, as what is hard for one is hard for
    the other: a difference is surer than it is said to be.
    """
    addresses = test.get("error", [])
    addresses = [addresses] if isinstance(addresses, str) else addresses
    errors = [float(records.get(address)) for address in addresses]
    return math.hypot(*errors) if errors else None


def _judge(test: Mapping[str, Any], value: float, error: float | None) -> str:
    """Hold a value against its bound; how far inside it lies decides."""
    if "above" in test:
        inside = value - test["above"]
    elif "below" in test:
        inside = test["below"] - value
    else:
        inside = test["within"] - abs(value - test["of"])
    if not error:
        exactly = "within" in test and math.isclose(inside, 0.0, abs_tol=1e-9)
        return "holds" if inside > 0 or exactly else "fails"
    margin = SIGMAS * error
    return "holds" if inside > margin else "fails" if inside < -margin else "open"


def _words(test: Mapping[str, Any]) -> str:
    """Say what was expected."""
    unit = f" {test['unit']}" if test.get("unit") else ""
    if "above" in test:
        return f"above {test['above']:,g}{unit}".replace("-", "\N{MINUS SIGN}")
    if "below" in test:
        return f"below {test['below']:,g}{unit}".replace("-", "\N{MINUS SIGN}")
    if {"of", "within"} <= test.keys():
        about = f"{test['of']:,.10g}{unit}, within {test['within']:g}{unit}"
        return about.replace("-", "\N{MINUS SIGN}")
    msg = f"a finding must say above, below, or of and within; got {dict(test)}"
    raise ValueError(msg)


def _drawing(test: Mapping[str, Any], records: _Records) -> Finding:
    """Tell whether a figure was drawn from what the paper drew it from."""
    record = f"figures/{test['drawn']}"
    source = records.read(record).get("source")
    if source not in SOURCES:
        known = ", ".join(SOURCES)
        msg = f"a figure must be drawn from {known}; got {source} in {record}"
        raise ValueError(msg)
    names = SOURCES | ({"authors": test["called"]} if "called" in test else {})
    return Finding(
        what=test["what"],
        value=None,
        error=None,
        expected=f"drawn from {' or '.join(names[name] for name in test['from'])}",
        outcome="holds" if source in test["from"] else "less",
        unit=f"drawn from {names[source]}",
        record=record,
    )


SOURCES = {
    "real": "a recorded micrograph",
    "authors": "a simulated image of the authors",
    "simulated": "this project's simulation",
}
"""What a figure's record calls its ``source``, in words."""
