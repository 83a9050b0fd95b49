"""Score a denoiser on the benchmark, into one file that others can check.

The file holds every frame's score beside the means, the digests of what was scored and
of what it was scored on, and the seeds. `check_score` recomputes and repeats.
"""

import json
import platform
import subprocess
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any, TextIO

from tqdm import tqdm

from sbd.audits.entrants import Entrant, compare_calls, guess_units, load_entrant
from sbd.audits.score_means import digest_frames, summarise_frames
from sbd.audits.score_sets import (
    COUNTS,
    SETS,
    Frame,
    choose_frames,
    digest_benchmark,
    digest_scenes,
    digest_seed,
    json_line,
)
from sbd.benchmark.dataset import Benchmark
from sbd.files import sha256, write_text
from sbd.simulation.noise import VACUUM
from sbd.typing import Denoiser
from sbd.validation import check_whole

SCHEMA = "sbd score 1"
FIELDS: Mapping[str, str] = {
    "schema": "version of this format",
    "name": "what tables call the denoiser",
    "denoiser": "what it was given as, and the SHA-256 of the file it was made from",
    "repeatable": "whether two calls on the same counts give the same image",
    "difference of two calls": "the largest in any pixel [e/pixel]",
    "trained on": "what it learnt from, in its maker's words; nobody can prove it",
    "remarks": "what looked wrong, such as other units",
    "sbd": "version of this library",
    "commit": "of the library's repository, where it runs from one",
    "benchmark": "digests of the recipe and of the images, and how many these are",
    "dose": "mean count in vacuum [e/pixel]",
    "seeds": "of the counts; of `draws` the SHA-256, and the seed itself if it is open",
    "device": "where it computed",
    "machine": "kind of processor",
    "versions": "of Python and the packages that compute",
    "sets": "for each set which part of it, every frame's scores, their SHA-256, and "
    "the means of all, of each contrast and of each thickness, with standard errors",
}
"""What a score file holds, in words."""

DEFAULT_SETS = ("white", "strict", "columns")
_PACKAGES = ("numpy", "scipy", "scikit-image", "torch")
_AGREE = 1e-5  # largest difference of two calls that is rounding [e/pixel]
TOLERANCE = 0.01  # within which a repeated score is the same [dB]


def score_denoiser(
    denoiser: Denoiser | Entrant | str,
    benchmark: Benchmark,
    *,
    sets: Sequence[str] = DEFAULT_SETS,
    limit: int | None = None,
    seed: int = 0,
    hidden: bool = False,
    trained_on: str = "",
    scenes: str | Path = "data/challenge/images",
    judge: Callable | None = None,
    keep: str | Path | None = None,
    progress: bool = False,
) -> dict:
    """Score a denoiser on the test images of a benchmark, at the paper's dose.

    PSNR and SSIM are the authors' (`sbd.authors_psnr`, `sbd.authors_ssim`), images are
    cut and resized as they cut and resize theirs. The counts of an image depend on what
    it shows, so every denoiser sees the same.

    Parameters
    ----------
    denoiser : callable, Entrant or str
        A function from image to image [electrons per pixel], or what `load_entrant`
        takes.
    benchmark : Benchmark
        A finished one.
    sets : sequence of str, default ("white", "strict", "columns")
        Some of "white", "test", "strict", "draws", "columns" and "challenge".
    limit : int, optional
        Take no more frames of a set, always the same ones; all if not given.
    seed : int, default 0
        Of the set "draws".
    hidden : bool, default False
        Keep that seed out of the result, which then holds only its SHA-256.
    trained_on : str, default ""
        What the denoiser learnt from, in words.
    scenes : str or pathlib.Path, default "data/challenge/images"
        Folder of the challenge's images; those that are missing are simulated.
    judge : callable, optional
        Gives the verdicts of the challenge, as for `challenge_denoisers`; without one
        nothing is judged.
    keep : str or pathlib.Path, optional
        A file that gets a line for each frame at once. What it holds of the same
        denoiser, images and seeds is not scored again.
    progress : bool, default False
        Whether to show a bar.

    Returns
    -------
    dict
        What a score file holds; `sbd.files.write_json` writes it.

    Raises
    ------
    ValueError
        If a set or number is none, a set has no image in `benchmark`, an image that
        `denoiser` returns has another shape or is not finite, or `keep` is given for a
        function without a digest.
    TypeError
        If it returns no real numbers.
    RuntimeError
        If it raises an error; which and on which image is said.

    Warns
    -----
    UserWarning
        If two calls differ, or the estimate seems to be in other units.

    Examples
    --------
    >>> score_denoiser("windowed-fourier", Benchmark("nowhere"))
    Traceback (most recent call last):
    FileNotFoundError: folder must hold a benchmark (benchmark.json); got nowhere
    """
    entrant = load_entrant(denoiser)
    check_whole("seed", seed, least=0)
    if not sets or len(set(sets)) < len(sets):
        msg = f"sets must be some of {', '.join(SETS)}, each once; got {list(sets)}"
        raise ValueError(msg)
    how = {"limit": limit, "seed": seed, "scenes": scenes, "judge": judge}
    chosen = {name: choose_frames(name, benchmark, **how) for name in sets}
    about = digest_benchmark(benchmark)
    difference, remarks = _try(entrant, chosen[sets[0]][0][0])
    key = _key(entrant, about, digest_seed(seed), judge)
    number = sum(len(frames) for frames, _ in chosen.values())
    result = _describe(entrant, about, difference, remarks, trained_on)
    result["seeds"] = {"counts": COUNTS}
    if "draws" in sets:
        drawn = {"sha256": digest_seed(seed), "seed": None if hidden else seed}
        result["seeds"]["draws"] = drawn
    result["sets"] = {}
    with (
        _keeping(keep, entrant, key) as (known, store),
        tqdm(total=number, unit="image", disable=not progress) as bar,
    ):
        _distrust(known, entrant, chosen, repeatable=difference <= _AGREE)
        for name, (frames, most) in chosen.items():
            scored = [
                _score(entrant, f, name, known, store, bar.update) for f in frames
            ]
            result["sets"][name] = _describe_set(scored, most)
            if name == "challenge":
                digest = digest_scenes(scenes, len(frames))
                result["sets"][name] |= {"scenes": digest, "judged": judge is not None}
    return result


def _describe_set(frames: list[dict], most: int) -> dict:
    """Sum up a set's frames and put them beside their means."""
    return {
        "part": f"{len(frames)} of {most}",
        "means": summarise_frames(frames),
        "sha256": digest_frames(frames),
        "frames": frames,
    }


def _describe(
    entrant: Entrant, about: dict, difference: float, remarks: list[str], trained: str
) -> dict:
    versions = {"python": platform.python_version()}
    return {
        "schema": SCHEMA,
        "name": entrant.name,
        "denoiser": {"kind": entrant.kind, "sha256": entrant.digest},
        "repeatable": difference <= _AGREE,
        "difference of two calls": float(f"{difference:.2g}"),
        "trained on": trained,
        "remarks": remarks,
        "sbd": version("sbd"),
        "commit": find_commit(),
        "benchmark": about,
        "dose": VACUUM,
        "device": entrant.device,
        "machine": platform.machine(),
        "versions": versions | {name: version(name) for name in _PACKAGES},
    }


def find_commit() -> str | None:
    """Return the commit that the library runs from, with "+" if it was changed."""
    folder = Path(__file__).parents[1]
    said = []
    for command in (
        ["ls-files", "--error-unmatch", "__init__.py"],  # or it is another's repository
        ["rev-parse", "HEAD"],
        ["status", "--porcelain", "--untracked-files=no", "."],
    ):
        try:
            done = subprocess.run(
                ["git", "-C", str(folder), *command],
                capture_output=True, text=True, check=False,
            )  # fmt: skip
        except OSError:  # no git
            return None
        if done.returncode:
            return None
        said.append(done.stdout.strip())
    return said[1] + ("+" if said[2] else "")


# --- frame by frame


def _try(entrant: Entrant, frame: Frame) -> tuple[float, list[str]]:
    """Call a denoiser twice on the first frame, and say what looks wrong."""
    noisy = frame.counts()
    difference = compare_calls(entrant, noisy)
    estimate = entrant.on(frame.image)(noisy)
    remarks = [guess_units(estimate, noisy, entrant.name)]
    if difference > _AGREE:
        remarks.append(
            f"{entrant.name!r} gives another image when it is called again, up to "
            f"{difference:.2g} e/pixel: its scores cannot be repeated (seed it?)"
        )
    remarks = [remark for remark in remarks if remark]
    for remark in remarks:
        warnings.warn(remark, stacklevel=3)
    return difference, remarks


def _score(
    entrant: Entrant,
    frame: Frame,
    name: str,
    known: dict[str, dict],
    store: TextIO | None,
    tell: Callable[[], Any],
) -> dict:
    """Score one frame, or take what is known of it."""
    place = _place(name, frame)
    scores = known.get(place)
    if scores is None:
        scores = frame.score(entrant.on(frame.image))
        known[place] = scores
        if store is not None:
            store.write(json_line({"at": place, "scores": scores}) + "\n")
            store.flush()
    tell()
    return {"image": frame.image, **frame.labels, **scores}


def _place(name: str, frame: Frame) -> str:
    """Say under which name a frame is kept; white, test and strict share theirs."""
    return f"{'draws' if name == 'draws' else frame.kind}: {frame.image}"


def _key(
    entrant: Entrant, about: dict, seed: str, judge: Callable | None
) -> dict[str, Any]:
    """Describe what scores depend on: of something else, none is taken again."""
    judged = None if judge is None else str(getattr(judge, "keywords", "judge"))
    return {
        "schema": SCHEMA, "denoiser": entrant.digest, "device": entrant.device,
        "benchmark": about, "counts": COUNTS, "draws": seed, "judge": judged,
        "sbd": version("sbd"),
    }  # fmt: skip


@contextmanager
def _keeping(
    path: str | Path | None, entrant: Entrant, key: dict
) -> Iterator[tuple[dict[str, dict], TextIO | None]]:
    """Give what was scored before, and an open file for what is scored now."""
    if path is None:
        yield {}, None
        return
    if entrant.digest is None:
        msg = (
            "keep must come with a denoiser that has a digest; got a function (give "
            "its name, as 'my_module:denoise')"
        )
        raise ValueError(msg)
    path, digest = Path(path), sha256(json_line(key).encode())
    known = _read_kept(path, digest)
    with path.open("a" if known is not None else "w", encoding="utf8") as store:
        if known is None:
            store.write(json_line({"key": digest}) + "\n")
        yield known or {}, store


def _read_kept(path: Path, digest: str) -> dict[str, dict] | None:
    """Read what was kept under the same key; None if there is nothing of use."""
    if not path.exists():
        return None
    text = path.read_text("utf8")
    lines = text.splitlines()
    if text and not text.endswith("\n"):  # it was killed while it wrote
        lines = lines[:-1]
        write_text(path, "".join(f"{line}\n" for line in lines))
    try:
        head, *rest = [json.loads(line) for line in lines]
        known = {line["at"]: line["scores"] for line in rest}
    except (ValueError, KeyError, TypeError):
        return None
    return known if head == {"key": digest} else None


def _distrust(
    known: dict[str, dict], entrant: Entrant, chosen: Mapping, *, repeatable: bool
) -> None:
    """Repeat one frame of what was kept: a digest does not see all of a denoiser."""
    pairs = ((name, f) for name, (frames, _) in chosen.items() for f in frames)
    pairs = [(name, f) for name, f in pairs if _place(name, f) in known]
    if not pairs or not repeatable:
        return
    name, frame = pairs[0]
    before, now = known[_place(name, frame)], frame.score(entrant.on(frame.image))
    if not agree(before, now):
        msg = (
            f"kept scores must be of the same denoiser; got {now} on {frame.image}, "
            f"where {before} were kept (something it reads has changed: remove that "
            "file, and name what it reads as files)"
        )
        raise ValueError(msg)


def agree(before: Mapping, now: Mapping) -> bool:
    """Tell whether a repeated frame's scores are the same: PSNR within 0.01 dB.

    That is 0.23 % of the squared error, and so much of what SSIM lacks; of columns, one
    that is at a threshold may be found or not.
    """
    return before.keys() == now.keys() and all(
        abs(before[name] - now[name]) <= _slack(name, before[name]) for name in before
    )


def _slack(name: str, value: float) -> float:
    slack = {
        "psnr": TOLERANCE + 1e-9,
        "ssim": 1e-5 + (10 ** (TOLERANCE / 10) - 1) * (1 - value),
    }
    return slack.get(name, 1)
