"""A challenge for denoisers: columns lost and invented, before and after the verdict.

The images are of specimens whose every column is known. Each is shown twice, with some
columns and without them: what a denoiser shows at those places, and anywhere else
where no column is, it has invented. Then the counts themselves are asked.
"""

import io
import itertools
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import spatial
from tqdm import tqdm

from sbd.audits.placed_atoms import RADII, TOLERANCE, project_columns
from sbd.audits.removals import Removal, image_removal, remove_columns
from sbd.benchmark.recipes import contrast_label
from sbd.columns.finding import Columns, find_columns, match_columns
from sbd.columns.surfaces import surface_columns
from sbd.denoisers.trials import check_trials
from sbd.evidence.judgement import judge_columns
from sbd.evidence.verdicts import VERDICTS
from sbd.files import replacing
from sbd.metrics import authors_psnr
from sbd.simulation.frame import BOX, BOX_SAMPLES, CROP, PIXEL
from sbd.simulation.noise import VACUUM, poisson_noise
from sbd.simulation.specimens import DEFOCI, TILTS, structure_table
from sbd.simulation.structures import pt_on_ceria
from sbd.typing import Denoiser, Image
from sbd.validation import (
    apply_denoiser,
    check_doses,
    check_image,
    check_positive,
    check_whole,
)

CONTRASTS = ("black", "intermediate", "white")
"""What the authors call the columns of an image, from the least focus to the most."""

FILTERS: Mapping[str, tuple[str, ...]] = {
    "claimed": (*VERDICTS, "not judged", "refused"),
    "supported or undecided": ("supported", "undecided"),
    "supported": ("supported",),
}
"""Verdicts with which a claim is still shown, by the name that a summary has for it."""

_PER = 1000  # columns, or claims, that rates are of
_FAINT = {"threshold": 0.06, "floor": 0.02}  # what the clean image shows at all
_SAMPLES = round(BOX / PIXEL)  # of the box
_SITES = 10  # columns of a specimen that are taken away
_TABLE = ["row", "column", "element", "kind", "surface", "site", "there"]


@dataclass(frozen=True, eq=False)
class ChallengeScene:
    """A clean image of a specimen, and which columns are there and which are not.

    Parameters
    ----------
    title : str
        Which image, in words; no other scene has the same.
    clean : ndarray of shape (height, width)
        Expected counts, the vacuum at 0.45 [electrons per pixel].
    columns : pandas.DataFrame
        A row for each column, and for each empty site: ``row`` and ``column``
        [pixels], ``element``, ``kind`` (``"whole"``, ``"part"`` if atoms of it are
        missing, ``"planted"`` beside the crystal), whether it is at the ``surface``,
        whether it is a ``site`` that another scene shows empty or full, and whether it
        is ``there``.
    pixel : float, default 0.0622
        Side of a pixel [angstrom].
    labels : dict
        Of the image, for the table; ``specimen`` tells what is one specimen.

    Raises
    ------
    ValueError
        If `clean` is no image of expected counts, `columns` lacks something, or `pixel`
        is not positive.

    Examples
    --------
    >>> names = ["row", "column", "element", "kind", "surface", "site", "there"]
    >>> one = pd.DataFrame([(16, 16, "Pt", "whole", True, False, True)], columns=names)
    >>> scene = ChallengeScene("one column", np.full((32, 32), 0.45), one)
    >>> scene.seen.tolist()
    [False]
    """

    title: str
    clean: Image
    columns: pd.DataFrame
    pixel: float = PIXEL
    labels: dict = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_image(self.clean, "clean", counts=True)
        check_positive(pixel=self.pixel)
        lacking = [name for name in _TABLE if name not in self.columns]
        if lacking:
            msg = f"columns must have {', '.join(_TABLE)}; got no {lacking[0]!r}"
            raise ValueError(msg)

    @cached_property
    def true(self) -> pd.DataFrame:
        """The columns that are there."""
        return self.columns[self.columns["there"]].reset_index(drop=True)

    @cached_property
    def finding(self) -> dict[str, float]:
        """Options of `find_columns` for dots of a column's size [pixels]."""
        least, most = (radius / self.pixel for radius in RADII)
        return {"min_radius": least, "max_radius": most}

    @cached_property
    def seen(self) -> NDArray[np.bool_]:
        """Which of the columns that are there the finder finds in the clean image."""
        hits = []
        for polarity in ("bright", "dark"):
            found = find_columns(self.clean, polarity=polarity, **self.finding)
            hits.append(np.isin(np.arange(len(self.true)), self.match(found)[:, 1]))
        return max(hits, key=np.sum)

    def match(self, found: Columns) -> NDArray[np.intp]:
        """Pair found columns with those that are there: indices of both, (k, 2)."""
        true = self.true[["row", "column"]].to_numpy(float)
        how = {"tolerance": TOLERANCE, "pixel": self.pixel}
        return match_columns(found.positions, true, **how).pairs

    @cached_property
    def _faint(self) -> dict[int, NDArray[np.float64]]:
        """Places of all dots of the clean image, however faint, by their polarity."""
        return {
            sign: find_columns(self.clean, polarity=polarity, **_FAINT).positions
            for sign, polarity in ((1, "bright"), (-1, "dark"))
        }

    def is_invented(self, claims: Columns) -> NDArray[np.bool_]:
        """Tell at which claims no column is, and the clean image shows no dot."""
        true = self.true[["row", "column"]].to_numpy(float)
        reach = TOLERANCE / self.pixel
        no_column = _distance(claims.positions, true) > reach
        return no_column & (
            _distance(claims.positions, self._faint[claims.polarity]) > reach
        )


def _distance(places: NDArray, others: NDArray) -> NDArray[np.float64]:
    """Distance of each place from the nearest of others; infinite if there is none."""
    if not len(others) or not len(places):
        return np.full(len(places), np.inf)
    return spatial.KDTree(others).query(places)[0]


# --- scenes


def challenge_scenes(
    folder: str | Path,
    *,
    specimens: int | Sequence[int] = 24,
    foci: int = 3,
    seed: int = 0,
    progress: bool = False,
) -> Iterator[ChallengeScene]:
    """Simulate the images of the challenge, or read those that are there.

    Specimens are of the strict test split, of which no default weights learnt, with the
    thickness of their structure, a tilt of the benchmark, and ten columns of which the
    surface has most: whole ones, parts, and some planted beside the crystal. Of one
    image of a specimen these are there, of the next they are not. Foci are 0 to 20 nm,
    by turns one at which the authors call the columns black, intermediate and white, as
    far as that specimen has them. What is shown is the authors' part of the box.

    Parameters
    ----------
    folder : str or pathlib.Path
        Where images are kept, a file a specimen; what is there already is read.
    specimens : int or sequence of int, default 24
        How many, or which by number.
    foci : int, default 3
        Of each specimen, at most 21.
    seed : int, default 0
        Of the choice of all that.
    progress : bool, default False
        Whether to show a bar; the two waves and six images of a specimen take some
        seconds.

    Yields
    ------
    ChallengeScene
        With and without the sites, focus after focus, specimen after specimen.

    Raises
    ------
    ValueError
        If `specimens` or `foci` is no whole number in its range.
    ImportError
        If something has to be simulated and abTEM is not installed.

    Examples
    --------
    >>> list(challenge_scenes("challenge", specimens=[]))
    []
    """
    if np.ndim(specimens) == 0:
        check_whole("specimens", specimens)
        specimens = range(specimens)
    check_whole("foci", foci, most=len(DEFOCI))
    for number in tqdm(specimens, unit="specimen", disable=not progress):
        check_whole("specimens", number, least=0)
        path = Path(folder) / f"seed{seed}-{foci}-{number:03d}.npz"
        if not path.exists():
            _simulate(path, number, foci, seed)
        yield from _read(path)


def _simulate(path: Path, number: int, foci: int, seed: int) -> None:
    """Write one specimen's images, with the tables of their columns."""
    table = structure_table().query("split == 'test'")
    order = np.random.default_rng(seed).permutation(len(table))
    row = table.iloc[order[number % len(table)]]
    rng = np.random.default_rng([seed, number])
    tilt = TILTS[rng.integers(len(TILTS))]
    defect = f"{row['defect']}{row['variant'].lstrip('a')}"
    atoms = pt_on_ceria(row["particle"], defect, thickness=row["thickness"])
    removal = remove_columns(atoms, tilt, number=_SITES, rng=rng)
    chosen = draw_foci(row["thickness"], tilt, foci, rng)
    columns = project_columns(atoms, tilt).query("element != 'O'")
    frame, corner = _frame()
    label = {"specimen": number} | row[["structure", "particle", "thickness"]].to_dict()
    label |= {"tilt_x": tilt[0], "tilt_y": tilt[1]}
    images, labels, tables = [], [], []
    focus_in_angstrom = [10 * f for f in chosen]
    pairs = image_removal(removal, tilt, focus_in_angstrom, samples=_SAMPLES)
    for defocus, pair in zip(chosen, pairs, strict=True):
        contrast = contrast_label(row["thickness"], tilt, defocus) or "unknown"
        for there, image in zip((True, False), pair, strict=True):
            clean = np.maximum(image[frame], 0.0)
            images.append(clean)
            more = {"defocus": defocus, "contrast": contrast, "sites": there}
            labels.append(label | more)
            placed = list_columns(columns, removal, there, corner, clean.shape)
            tables.append(placed.to_json())
    with replacing(path) as part, part.open("wb") as file:
        frames = {"images": np.stack(images), "labels": pd.DataFrame(labels).to_json()}
        np.savez(file, columns=np.array(tables), **frames)


def _frame() -> tuple[tuple[slice, slice], NDArray[np.int64]]:
    """Cut what the authors show out of the box; with its corner [pixels]."""
    edges = [
        [round(edge * _SAMPLES / BOX_SAMPLES) for edge in (part.start, part.stop)]
        for part in CROP
    ]
    return tuple(slice(*edge) for edge in edges), np.array(edges)[:, 0]


def draw_foci(
    thickness: float,
    tilt: tuple[float, float],
    number: int,
    rng: np.random.Generator,
) -> list[float]:
    """Draw different foci [nm], of the authors' contrasts by turns if there are any."""
    left = [float(f) for f in rng.permutation(DEFOCI)]
    chosen = []
    for contrast in itertools.islice(itertools.cycle(CONTRASTS), number):
        fitting = [f for f in left if contrast_label(thickness, tilt, f) == contrast]
        chosen.append((fitting or left)[0])
        left.remove(chosen[-1])
    return chosen


def list_columns(
    columns: pd.DataFrame,
    removal: Removal,
    there: bool,
    corner: NDArray[np.int64],
    shape: tuple[int, int],
) -> pd.DataFrame:
    """List the columns in an image with sites or without, as a `ChallengeScene` does.

    `columns`: of the whole specimen, as `project_columns` gives them.
    """
    sites = removal.sites
    own, planted = sites[~sites["planted"]], sites[sites["planted"]]
    places = columns[["row", "column"]].to_numpy()
    kinds = np.full(len(columns), "whole", dtype=object)
    site = np.zeros(len(columns), dtype=bool)
    if len(own):
        _, which = spatial.KDTree(places).query(own[["row", "column"]].to_numpy())
        site[which] = True
        kinds[which] = np.where(own["atoms"] < own["full"], "part", "whole")
    whole = columns[["row", "column", "element"]].assign(kind=kinds, site=site)
    extra = planted[["row", "column", "element"]].assign(kind="planted", site=True)
    table = pd.concat([whole, extra], ignore_index=True)
    pixel = BOX / _SAMPLES
    places = table[["row", "column"]].to_numpy(float) % BOX / pixel - corner
    table[["row", "column"]] = places
    table["there"] = there | ~table["site"]
    inside = ((places >= 0) & (places <= np.array(shape) - 1)).all(axis=1)
    table = table[inside].reset_index(drop=True)
    table["surface"] = _touches(table, shape)
    if not there:
        full = table["there"].to_numpy()
        table.loc[full, "surface"] = _touches(table[full], shape)
    return table[_TABLE]


def _touches(table: pd.DataFrame, shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Tell which columns touch the vacuum."""
    ones = np.ones(len(table))
    places = table[["row", "column"]].to_numpy(float)
    return surface_columns(Columns(places, ones, ones, shape=tuple(shape)))


def _read(path: Path) -> Iterator[ChallengeScene]:
    """Read one specimen's scenes."""
    with np.load(path, allow_pickle=False) as file:
        images, tables = file["images"], file["columns"]
        labels = pd.read_json(_text(file["labels"]))
    for image, table, label in zip(
        images, tables, labels.to_dict("records"), strict=True
    ):
        title = "{structure}, tilt ({tilt_x:g}, {tilt_y:g}) degrees, {defocus:g} nm"
        which = "with" if label["sites"] else "without"
        title = f"{label['specimen']}: {title.format(**label)}, {which} its sites"
        columns = pd.read_json(_text(table))
        yield ChallengeScene(title, image, columns, BOX / _SAMPLES, label)


def _text(stored: NDArray[np.str_]) -> io.StringIO:
    return io.StringIO(str(stored))


# --- the challenge


def challenge_denoisers(
    denoisers: Mapping[str, Denoiser],
    scenes: Iterable[ChallengeScene],
    *,
    doses: Sequence[float] = (VACUUM,),
    draws: int = 1,
    seed: int,
    judge: Callable | None = judge_columns,
    progress: bool = False,
) -> pd.DataFrame:
    """Let denoisers show columns, and then the counts say which of them to believe.

    Each scene is counted; all denoisers see the same counts. A claim is what
    `find_columns` finds in the estimate, dots of 0.5 to 1 angstrom, matched one to one
    with the columns that are there within 0.8 angstrom. It is *invented* if no column
    is within that distance and the clean image shows no dot there, not even a faint
    one.

    Parameters
    ----------
    denoisers : dict of str to callable
        Image to image, by name.
    scenes : iterable of ChallengeScene
        Clean images and their columns, such as `challenge_scenes` gives.
    doses : sequence of float, default (0.45,)
        Mean count in vacuum [electrons per pixel].
    draws : int, default 1
        Times that each scene is counted at each dose.
    seed : int
        Of the counts and of the verdicts' deals; they do not depend on which other
        scenes, doses or denoisers there are.
    judge : callable, optional
        What gives the verdicts, called with the counts, the denoiser and the keywords
        ``rng``, ``pixel``, ``min_radius`` and ``max_radius``: `sbd.judge_columns` by
        default, which denoises 81 times; 13 times as `functools.partial` of it with
        ``deals=3``. None: nothing is judged. It refuses counts by a ValueError that
        begins with "noisy must"; any other error is raised.
    progress : bool, default False
        Whether to show a bar.

    Returns
    -------
    pandas.DataFrame
        A row for each ``method``, ``image``, ``dose`` and ``draw`` and each column that
        is there, and one for each claim that is none of them: the scene's labels, the
        ``psnr`` of the estimate by the authors' metric [dB]; ``row`` and ``column``
        [pixels], ``element``, ``kind``, ``surface`` and ``site`` as the scene lists
        them; whether the clean image shows it (``seen``), whether it is ``invented``;
        and the ``verdict``: "supported", "undecided", "ruled out", "not claimed", "not
        judged", or "refused" with the ``reason`` where the judge refuses the counts.
        Of a claim that is no column ``kind`` is "none", ``element`` and ``surface`` are
        those of the nearest column, and ``site`` tells whether it is at an empty site.

    Raises
    ------
    TypeError
        If `denoisers` is no dict.
    ValueError
        If there is no denoiser, scene or dose, a dose is not positive, `draws` is
        below 1, or a denoiser returns another shape.

    Examples
    --------
    >>> names = ["row", "column", "element", "kind", "surface", "site", "there"]
    >>> gone = pd.DataFrame([(48, 48, "Pt", "whole", True, True, False)], columns=names)
    >>> scene = ChallengeScene("empty", np.full((96, 96), 0.45), gone)
    >>> y, x = np.mgrid[:96, :96]
    >>> dot = 0.45 + 0.3 * np.exp(-((y - 48) ** 2 + (x - 48) ** 2) / 100)
    >>> how = {"doses": [0.45], "seed": 0, "judge": None}
    >>> table = challenge_denoisers({"artist": lambda noisy: dot}, [scene], **how)
    >>> table[["site", "invented", "verdict"]].values.tolist()
    [[True, True, 'not judged']]
    """
    check_trials(draws, denoisers=denoisers, doses=doses)
    check_doses(doses)
    tables = []
    for scene in tqdm(scenes, unit="image", disable=not progress):
        for dose, draw, (name, denoise) in itertools.product(
            doses, range(draws), denoisers.items()
        ):
            start = [seed, zlib.crc32(scene.title.encode()), round(1e6 * dose), draw]
            rows = _challenge(scene, denoise, name, dose, start, judge)
            label = {"method": name, "image": scene.title, **scene.labels}
            label |= {"dose": float(dose), "draw": draw}
            for place, (key, value) in enumerate(label.items()):
                rows.insert(place, key, value)
            tables.append(rows)
    if not tables:
        msg = "scenes must hold at least one; got none"
        raise ValueError(msg)
    some = [table for table in tables if len(table)] or tables[:1]
    return pd.concat(some, ignore_index=True)


def _challenge(
    scene: ChallengeScene,
    denoise: Denoiser,
    name: str,
    dose: float,
    seed: Sequence[int],
    judge: Callable | None,
) -> pd.DataFrame:
    """Count a scene once, denoise and judge it."""
    counts = poisson_noise(
        scene.clean * (dose / VACUUM), rng=np.random.default_rng(seed)
    )
    reason, judged = "", None
    if judge is not None:
        how = {"rng": np.random.default_rng([*seed, 1]), "pixel": scene.pixel}
        try:
            judged = judge(counts, denoise, **how, **scene.finding)
        except ValueError as error:
            if not str(error).startswith("noisy must"):
                raise
            reason = str(error)  # that these counts are refused is a result
    if judged is not None:
        estimate, claims, verdicts = judged.denoised, judged.columns, judged.verdicts
    else:
        estimate = apply_denoiser(denoise, counts, name)
        claims = find_columns(estimate, **scene.finding)
        verdicts = np.full(len(claims), "refused" if reason else "not judged")
    rows = list_claims(scene, claims, verdicts)
    psnr = authors_psnr(scene.clean, np.asarray(estimate) * (VACUUM / dose))
    rows.insert(0, "psnr", psnr)
    return rows.assign(reason=reason)


def list_claims(
    scene: ChallengeScene, claims: Columns, verdicts: NDArray[np.str_]
) -> pd.DataFrame:
    """List the columns that are there, and the claims that are none of them."""
    here, there = scene.match(claims).T
    said = np.full(len(scene.true), "not claimed", dtype=object)
    said[there] = np.asarray(verdicts, dtype=object)[here]
    true = scene.true.drop(columns="there")
    true = true.assign(seen=scene.seen, invented=False, verdict=said)
    rest = np.setdiff1d(np.arange(len(claims)), here)
    if not len(rest):
        return true
    places = claims.positions[rest]
    element, surface = (
        np.full(len(rest), "none", dtype=object),
        np.zeros(len(rest), bool),
    )
    if len(scene.true):
        known = spatial.KDTree(scene.true[["row", "column"]].to_numpy(float))
        nearest = scene.true.iloc[known.query(places)[1]]
        element, surface = nearest["element"].to_numpy(), nearest["surface"].to_numpy()
    empty = scene.columns[~scene.columns["there"]][["row", "column"]].to_numpy(float)
    false = pd.DataFrame(
        {
            "row": places[:, 0], "column": places[:, 1], "element": element,
            "kind": "none", "surface": surface,
            "site": _distance(places, empty) <= TOLERANCE / scene.pixel, "seen": False,
            "invented": scene.is_invented(claims)[rest],
            "verdict": np.asarray(verdicts, dtype=object)[rest],
        }
    )  # fmt: skip
    return pd.concat([true, false], ignore_index=True) if len(true) else false


# --- the summary


def summarise_challenge(
    table: pd.DataFrame, by: Sequence[str] = ("method",)
) -> pd.DataFrame:
    """Tell how many columns are lost and invented, before and after the verdict.

    Standard errors are those of a ratio whose independent parts are the specimens, over
    all of their images, doses and draws. Of no invention at all the error is 0; the
    rate may then be up to 3,000 over the number of claims, with 95 %.

    Parameters
    ----------
    table : pandas.DataFrame
        From `challenge_denoisers`.
    by : sequence of str, default ("method",)
        Columns of the table that make the groups, such as ``["method", "contrast"]``.
        In groups by ``kind`` only what is lost has a meaning.

    Returns
    -------
    pandas.DataFrame
        For each group a row for all claims (``shown`` is "claimed"), one for those
        that are supported or undecided, and one for the supported alone. Of these
        ``specimens`` and ``recordings``; ``true`` columns, which the clean image shows;
        how many of 1,000 are ``lost``, that is not shown, with ``lost_error``; all
        ``claims``, how many of 1,000 are ``invented``, with ``invented_error``, and how
        many ``inventions`` that are. Only the first row where nothing was judged.

    Raises
    ------
    ValueError
        If the table lacks a column of `by`, or ``specimen``.

    Examples
    --------
    >>> rows = [("a", 1, True, False, "supported"), ("a", 2, True, False, "undecided"),
    ...         ("a", 2, False, True, "undecided")]
    >>> names = ["method", "specimen", "seen", "invented", "verdict"]
    >>> table = pd.DataFrame(rows, columns=names).assign(image="", dose=1.0, draw=0)
    >>> summarise_challenge(table).set_index("shown")[["lost", "inventions"]].to_dict()
    ... # doctest: +NORMALIZE_WHITESPACE
    {'lost': {'claimed': 0.0, 'supported or undecided': 0.0, 'supported': 500.0},
     'inventions': {'claimed': 1, 'supported or undecided': 1, 'supported': 0}}
    """
    for name in (*by, "specimen"):
        if name not in table:
            msg = f"table must have the column {name!r}; got {', '.join(table)}"
            raise ValueError(msg)
    rows = []
    for keys, some in table.groupby(list(by), sort=False, dropna=False):
        judged = some["verdict"].isin([*VERDICTS, "refused"]).any()
        for name in FILTERS if judged else ["claimed"]:
            group = dict(zip(by, keys, strict=True)) | {"shown": name}
            rows.append(group | _rates(some, FILTERS[name]))
    return pd.DataFrame(rows)


def _rates(some: pd.DataFrame, verdicts: Sequence[str]) -> dict[str, float]:
    """Count what is lost and invented if claims with these verdicts are shown."""
    shown = some["verdict"].isin(verdicts)
    each = pd.DataFrame(
        {
            "true": some["seen"], "lost": some["seen"] & ~shown,
            "claims": shown, "invented": some["invented"] & shown,
        }
    ).groupby(some["specimen"]).sum()  # fmt: skip
    lost, lost_error = _ratio(each["lost"], each["true"])
    invented, invented_error = _ratio(each["invented"], each["claims"])
    return {
        "specimens": len(each),
        "recordings": len(some[["image", "dose", "draw"]].drop_duplicates()),
        "true": int(each["true"].sum()), "lost": lost, "lost_error": lost_error,
        "claims": int(each["claims"].sum()), "invented": invented,
        "invented_error": invented_error, "inventions": int(each["invented"].sum()),
    }  # fmt: skip


def _ratio(part: pd.Series, whole: pd.Series) -> tuple[float, float]:
    """Ratio of two sums over specimens in 1,000, and its standard error."""
    number, total = len(whole), whole.sum()
    if not total:
        return np.nan, np.nan
    ratio = part.sum() / total
    if number < 2:
        return float(_PER * ratio), np.nan
    # to first order the ratio is the mean of part - ratio x whole, over mean(whole)
    variance = np.square(part - ratio * whole).sum() * number / (number - 1)
    return float(_PER * ratio), float(_PER * np.sqrt(variance) / total)
