"""Write the report on a recording: one page, and beside it its numbers."""

import os
import shlex
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from sbd.files import write_json, write_text
from sbd.recordings.recording import Recording
from sbd.reports.content import Content, Options, gather
from sbd.reports.numbers import list_numbers
from sbd.reports.page import write_page
from sbd.reports.sentences import summarise
from sbd.typing import Denoiser
from sbd.validation import check_positive, check_whole


def write_report(
    recording: Recording | ArrayLike | str | Path,
    target: str | Path,
    *,
    pixel: float | tuple[float, float] | None = None,
    model: str | Path | None = None,
    denoisers: Mapping[str, Denoiser] | None = None,
    seed: int = 0,
    quick: bool = False,
    device: str = "auto",
    dataset: str | None = None,
    box: Sequence[int] | None = None,
    mask: ArrayLike | str | Path | None = None,
    date: str | None = None,
    progress: bool = False,
) -> dict[str, object]:
    """Write what a recording says, and how far to believe it, as one page.

    Parameters
    ----------
    recording : Recording, array_like, str or pathlib.Path
        A file that `read_micrograph` opens, or what it gave, or an array of shape
        ([frames,] height, width).
    target : str or pathlib.Path
        The .html file to write; the numbers go beside it, as .json. Both are replaced
        if they are there.
    pixel : float or (float, float), optional
        Size of a pixel, or of its sides down and across, instead of what the file says
        [angstrom].
    model : str or pathlib.Path, optional
        Name or file of the network's weights; None takes the default ones.
    denoisers : mapping of str to callable, optional
        Image to image; ranked beside the network, instead of the classical ones.
    seed : int, default 0
        Of all that is drawn.
    quick : bool, default False
        Whether to split and deal out the electrons once: in a fraction of the time,
        with wider intervals and verdicts that depend on the seed.
    device : {"auto", "cpu", "cuda", "mps"}
        Where the network computes.
    dataset : str, optional
        Which image of a file that holds several.
    box : sequence of four int, optional
        Only this part: row and column of its upper left pixel, height and width, as for
        `sbd.recordings.crop_recording` [pixels].
    mask : ndarray, str or pathlib.Path, optional
        An image, or its file, of the recording's size that is 0 where nothing is to be
        believed.
    date : str, optional
        Printed on the page. None takes the day of ``SOURCE_DATE_EPOCH``, if that is
        set, and prints none otherwise, so that the same input gives the same file.
    progress : bool, default False
        Whether to show bars.

    Returns
    -------
    dict
        The numbers, as in the .json file. A part that cannot be had is None, and its
        reason stands under ``"not done"``.

    Raises
    ------
    ValueError
        If the recording cannot be read or is no image of real numbers, or `target`,
        `pixel`, `seed` or `denoisers` is none.
    FileNotFoundError
        If there is no such file, or no such weights.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> noise = np.random.default_rng(0).normal(9000, 3, (40, 40))
    >>> with TemporaryDirectory() as folder:
    ...     numbers = write_report(noise, f"{folder}/noise.html", device="cpu")
    >>> numbers["summary"]
    'These are no counts of electrons, and cannot be made any.'
    """
    target = Path(target)
    if target.suffix != ".html":
        msg = f"target must be the name of a .html file; got {target}"
        raise ValueError(msg)
    check_whole("seed", seed, least=0)
    if pixel is not None:
        sides = np.ravel(np.asarray(pixel, float))
        if sides.size not in (1, 2):
            msg = f"pixel must be a size, or two [angstrom]; got {pixel!r}"
            raise ValueError(msg)
        for side in sides.tolist():
            check_positive(pixel=side)
    options = Options(
        model=None if model is None else str(model), denoisers=denoisers, seed=seed,
        quick=quick, device=device, progress=progress,
    )  # fmt: skip
    part = {"dataset": dataset, "box": box, "mask": mask}
    content = gather(recording, options, pixel=pixel, **part)
    numbers = list_numbers(content)
    commands = _tell_commands(content, target, pixel, part)
    numbers["date"] = date = _tell_date() if date is None else date
    numbers["commands"] = commands
    numbers["summary"] = summarise(content)
    write_text(target, write_page(content, commands, date))
    write_json(target.with_suffix(".json"), numbers, allow_nan=False)
    return numbers


def _tell_date() -> str | None:
    """Tell the day that the environment names, if it does."""
    seconds = os.environ.get("SOURCE_DATE_EPOCH", "")
    if not seconds.isdigit():
        return None
    return datetime.fromtimestamp(int(seconds), UTC).strftime("%Y-%m-%d")


def _tell_commands(
    content: Content,
    target: Path,
    pixel: float | tuple[float, float] | None,
    part: dict[str, object],
) -> list[str]:
    """Write how the same is made again: in a terminal, and in Python."""
    options, name = content.options, content.file["name"]
    given = {"model": options.model, "seed": options.seed, **part}
    given = {k: v for k, v in given.items() if v is not None}
    if "box" in given:
        given["box"] = tuple(map(int, given["box"]))
    drawn = "mask" in given and not isinstance(given["mask"], str | Path)
    if "mask" in given:
        given["mask"] = "mask" if drawn else str(given["mask"])
    if pixel is not None:
        sides = np.ravel(np.asarray(pixel, float)).tolist()
        given["pixel"] = sides[0] if len(sides) == 1 else tuple(sides)
    keywords = "".join(f", {k}={v!r}" for k, v in given.items())
    keywords += ", quick=True" if options.quick else ""
    keywords += ", denoisers=denoisers" if options.denoisers is not None else ""
    source = "array" if name is None else repr(name)
    python = (
        f"import sbd\n\nsbd.reports.write_report({source}, {target.name!r}{keywords})"
    )
    if name is None or drawn or options.denoisers is not None:
        return [python]
    words = ["sbd", "report", str(name), target.name]
    for key, value in given.items():
        values = value if isinstance(value, tuple) else (value,)
        words += [f"--{key}", *map(str, values)]
    words += ["--quick"] if options.quick else []
    return [shlex.join(words), python]
