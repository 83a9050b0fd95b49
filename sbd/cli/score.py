"""``sbd score``: how well a denoiser of one's own does on the benchmark."""

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from sbd.cli.files import check_free, check_target

if TYPE_CHECKING:
    from sbd.benchmark import Benchmark

HELP = "score a denoiser of your own on the benchmark, or check a score"

_BENCHMARK = Path("data/benchmark")
_SCENES = Path("data/challenge/images")
_UNITS = {
    "psnr": "PSNR {:.2f}{} dB", "ssim": "SSIM {:.4f}{}",
    "found_share": "columns found {:.3f}{}", "false": "false {:.2f}{} an image",
    "invented": "invented {:.2f}{} an image",
}  # fmt: skip
_RATES = {
    "lost": "lost {:.0f}{} of 1,000 columns",
    "invented": "invented {:.0f}{} of 1,000 claims",
    "lost after": "after the verdict lost {:.0f}{}",
    "invented after": "invented {:.0f}{}",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.description = (
        "Let a denoiser estimate simulated test images from their electrons, and write "
        "every score into one file. All denoisers see the same electrons. A run that "
        "was killed goes on by the same command. With --check, see whether a file of "
        "somebody is true; exit code 1 if something stands against it."
    )
    parser.add_argument(
        "denoiser", nargs="?",
        help="MODULE:FUNCTION or FILE.py:FUNCTION, image to image in electrons per "
        "pixel; a file of weights; or a name: default, windowed-fourier and others",
    )  # fmt: skip
    parser.add_argument("--check", type=Path, metavar="FILE", help="a file to check")
    parser.add_argument(
        "--sets", help="which, with commas: white, test, strict, draws, columns, "
        "challenge (white,strict,columns)",
    )  # fmt: skip
    parser.add_argument(
        "--limit", type=int, help="take no more images of a set, always the same"
    )
    parser.add_argument(
        "--benchmark", type=Path, help=f"folder that simulate wrote ({_BENCHMARK})"
    )
    parser.add_argument(
        "--scenes", type=Path,
        help=f"folder of the challenge's images, simulated if missing ({_SCENES})",
    )  # fmt: skip
    parser.add_argument(
        "--judge", action="store_true",
        help="ask the electrons about the challenge's columns too: 13 times as long",
    )  # fmt: skip
    seeds = parser.add_mutually_exclusive_group()
    seeds.add_argument("--seed", type=int, help="of the set draws, told in the file")
    seeds.add_argument(
        "--secret", type=Path, metavar="FILE",
        help="a file that holds this seed; only its SHA-256 is told",
    )  # fmt: skip
    parser.add_argument("--name", help="what tables are to call it")
    parser.add_argument(
        "--trained-on", dest="trained_on", metavar="TEXT", help="what it learnt from"
    )
    parser.add_argument(
        "--files", type=Path, nargs="+", metavar="FILE",
        help="other files that it is made of, such as weights, for the digest",
    )  # fmt: skip
    parser.add_argument("--device", help="where it computes (cpu)")
    parser.add_argument(
        "--to", type=Path, metavar="FILE.json", help="what to write (NAME.score.json)"
    )
    parser.add_argument("--force", action="store_true", help="replace what is there")
    parser.add_argument(
        "--frames", type=int, help="images of each set that a check repeats (5)"
    )
    parser.add_argument(
        "--choose", type=int, metavar="SEED", help="of their choice (by chance)"
    )


def run(
    denoiser: str | None = None, *, check: Path | None = None, **options: object
) -> int:
    """Score or check; `options` are those of either."""
    with _importing_from_here():
        if check is not None:
            return _check(check, denoiser, **options)
        if denoiser is None:
            msg = "denoiser must be given, or a file to --check; got neither"
            raise ValueError(msg)
        return _score(denoiser, **options)


@contextmanager
def _importing_from_here() -> Iterator[None]:
    """Let modules of the folder where the command runs be imported, as Python does."""
    here = str(Path.cwd())
    sys.path.insert(0, here)
    try:
        yield
    finally:
        if here in sys.path:
            sys.path.remove(here)


def _score(
    denoiser: str,
    *,
    sets: str = "white,strict,columns",
    benchmark: Path = _BENCHMARK,
    seed: int = 0,
    secret: Path | None = None,
    judge: bool = False,
    name: str | None = None,
    files: list[Path] = (),
    device: str = "cpu",
    to: Path | None = None,
    force: bool = False,
    **options: object,
) -> int:
    """Score a denoiser and write the file."""
    from functools import partial

    from sbd.audits import load_entrant, score_denoiser
    from sbd.evidence import judge_columns
    from sbd.files import write_json

    _refuse(options, "frames", "choose", why="belongs to --check")
    called = name or denoiser
    slug = "".join(c if c.isalnum() or c in "-_" else "-" for c in called)
    target = to or Path(f"{slug}.score.json")
    check_target(target, "to", ".json")
    check_free(target, target.parent, "to", force=force)
    kept = target.with_suffix(".jsonl")
    entrant = load_entrant(denoiser, name=name, device=device, files=files)
    content = score_denoiser(
        entrant,
        _open(benchmark),
        sets=[part.strip() for part in sets.split(",")],
        seed=_read_secret(secret) if secret else seed,
        hidden=secret is not None,
        judge=partial(judge_columns, deals=3) if judge else None,
        keep=kept,
        progress=sys.stderr.isatty(),
        **{"scenes": _SCENES, **options},
    )
    write_json(target, content)
    sys.stdout.write(_say(content) + f"{target}\n")
    return 0


def _check(
    file: Path,
    denoiser: str | None,
    *,
    benchmark: Path | None = None,
    scenes: Path = _SCENES,
    seed: int | None = None,
    secret: Path | None = None,
    files: list[Path] = (),
    device: str = "cpu",
    frames: int = 5,
    choose: int | None = None,
    **options: object,
) -> int:
    """Check a file and say what was found."""
    import secrets

    import numpy as np

    from sbd.audits import check_score, load_entrant

    _refuse(options, *options, why="belongs to scoring, not to --check")
    choose = secrets.randbits(32) if choose is None else choose
    folder = benchmark or (_BENCHMARK if denoiser or _BENCHMARK.is_dir() else None)
    entrant = denoiser and load_entrant(denoiser, device=device, files=files)
    found = check_score(
        file,
        folder and _open(folder),
        entrant,
        rng=np.random.default_rng(choose),
        number=frames,
        seed=_read_secret(secret) if secret else seed,
        scenes=scenes,
        progress=sys.stderr.isatty(),
    )
    lines = [f"wrong: {problem}" for problem in found.problems]
    lines += [f"note: {remark}" for remark in found.remarks]
    if found.repeated:
        lines.append(
            f"{found.repeated} frames repeated (--choose {choose}): PSNR within "
            f"{found.largest:.4f} dB"
        )
    lines.append("nothing stands against it" if found.sound else "not to be believed")
    sys.stdout.write("\n".join(lines) + "\n")
    return int(not found.sound)


def _refuse(options: dict[str, object], *names: str, why: str) -> None:
    """Say that an option does nothing here."""
    for name in names:
        if name in options:
            msg = f"--{name.replace('_', '-')} {why}"
            raise ValueError(msg)


def _open(folder: Path) -> "Benchmark":
    """Open a benchmark, or say how to get one."""
    from sbd.benchmark import Benchmark

    try:
        return Benchmark(folder)
    except FileNotFoundError as error:
        msg = f"{error}: sbd simulate {folder} makes one (--benchmark says where it is)"
        raise FileNotFoundError(msg) from None


def _read_secret(file: Path) -> int:
    """Read a seed from a file, where no list of processes shows it."""
    text = file.read_text().strip()
    if not text.isdecimal():
        msg = f"secret must be a file that holds one whole number; got {file}"
        raise ValueError(msg)
    if int(text).bit_length() < 64:
        msg = (
            f"secret must have at least 20 digits, or it can be guessed from its "
            f"SHA-256; got {len(text)} (python -c 'import secrets; "
            f"print(secrets.randbits(128))' > {file})"
        )
        raise ValueError(msg)
    return int(text)


def _say(content: dict) -> str:
    """Tell the means, a line for each set."""
    lines = []
    for name, one in content["sets"].items():
        means = one["means"]["all"]
        units = _RATES if name == "challenge" else _UNITS
        words = [
            text.format(means[key], _plus_minus(means.get(f"{key}_error"), text))
            for key, text in units.items()
            if means.get(key) is not None
        ]
        lines.append(f"{name} ({one['part']}): {', '.join(words)}\n")
    return "".join(lines)


def _plus_minus(error: float | None, text: str) -> str:
    """Write a standard error with the digits of its value."""
    digits = text.partition("{:")[2].partition("}")[0]
    return "" if error is None else f" \N{PLUS-MINUS SIGN} {error:{digits}}"
