"""Run pretrained networks of other people, each in an environment of its own.

Their packages ask for other versions than this library does, or for another licence, so
nothing of theirs is imported here: the counts go to a file, their own Python runs a
small script on it, and the estimate comes back in a file. A peer takes part if the
environment names its interpreter:

========================  ==================================  =======================
variable                  made with                           licence of the package
========================  ==================================  =======================
``SBD_PEER_TOPAZ``        ``pip install topaz-em``            GPL-3.0
``SBD_PEER_TK_R_EM``      ``pip install tk_r_em`` with         GPL-3.0; Apache-2.0
                          ``tensorflow-cpu==2.15.1``          since version 2
========================  ==================================  =======================

For example::

    python -m venv topaz
    topaz/bin/python -m pip install topaz-em
    export SBD_PEER_TOPAZ=$PWD/topaz/bin/python

The files are .npy, float32, of shape (height, width) and in electrons per pixel. What
normalisation a network wants, its script applies and undoes, see
``sbd/assets/peers/``. No peer was trained on images like these, nor for such a dose.
"""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from sbd.typing import Denoiser, Image
from sbd.validation import check_image

PEERS = {
    "topaz unet": ("SBD_PEER_TOPAZ", "run_topaz.py", "unet"),
    "tk_r_em hrtem": ("SBD_PEER_TK_R_EM", "run_tk_r_em.py", "sfr_hrtem"),
    "tk_r_em hrstem": ("SBD_PEER_TK_R_EM", "run_tk_r_em.py", "sfr_hrstem"),
}
"""By the name a table shows: variable of the environment, script, and its network."""

_SCRIPTS = Path(__file__).parents[1] / "assets" / "peers"
_TAIL = 2000  # characters of a long complaint, whose last line says what is wrong


def run_peer(noisy: Image, command: Sequence[str], *, timeout: float = 600.0) -> Image:
    """Denoise an image with a command that reads one file and writes another.

    Parameters
    ----------
    noisy : ndarray of shape (height, width)
        Recorded counts, in electrons per pixel.
    command : sequence of str
        Program and arguments; two more are put behind, the paths of a .npy file to read
        and of one to write, both float32 [electrons per pixel].
    timeout : float, default 600
        After which it is stopped [s].

    Returns
    -------
    ndarray of shape (height, width)
        Estimate as float32, in electrons per pixel.

    Raises
    ------
    TypeError
        If `noisy` does not hold real numbers.
    ValueError
        If `noisy` is empty, not two-dimensional, not finite or has a negative count;
        if there is no such program or `timeout` is not positive; or if what comes back
        has another shape or is not finite.
    RuntimeError
        If the command fails, which is told with its last words, writes nothing, or
        takes too long.

    Examples
    --------
    >>> import sys
    >>> copy = "import shutil, sys; shutil.copy(*sys.argv[1:])"
    >>> run_peer([[0, 1], [2, 1]], [sys.executable, "-c", copy]).tolist()
    [[0.0, 1.0], [2.0, 1.0]]
    """
    noisy = check_image(noisy, "noisy", counts=True)
    if not timeout > 0:
        msg = f"timeout must be positive; got {timeout!r}"
        raise ValueError(msg)
    program = shutil.which(str(command[0])) if len(command) else None
    if program is None:
        msg = f"command must begin with a program that is there; got {list(command)}"
        raise ValueError(msg)
    with tempfile.TemporaryDirectory(prefix="sbd-peer-") as folder:
        given, wanted = Path(folder) / "noisy.npy", Path(folder) / "estimate.npy"
        np.save(given, noisy.astype(np.float32))
        _run([program, *map(str, command[1:]), str(given), str(wanted)], timeout)
        if not wanted.exists():
            msg = f"command must write its estimate; got no file from {list(command)}"
            raise RuntimeError(msg)
        estimate = check_image(np.load(wanted, allow_pickle=False), "estimate")
    if estimate.shape != noisy.shape:
        msg = f"estimate must have the shape {noisy.shape}; got {estimate.shape}"
        raise ValueError(msg)
    return estimate.astype(np.float32)


def _run(command: list[str], timeout: float) -> None:
    """Run a command of which nobody sees the output unless it fails."""
    # a Python with this one's modules before its own would import the wrong versions
    alien = {"PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "__PYVENV_LAUNCHER__"}
    environment = {k: v for k, v in os.environ.items() if k not in alien}
    try:
        ended = subprocess.run(
            command, capture_output=True, text=True, errors="replace", check=False,
            timeout=timeout, env=environment, stdin=subprocess.DEVNULL,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        msg = f"command must end within {timeout:g} s; got {command[:-2]} still running"
        raise RuntimeError(msg) from None
    except OSError as error:
        msg = f"command must be a program that runs; got {command[0]} ({error})"
        raise ValueError(msg) from error
    if ended.returncode:
        said = (ended.stderr or ended.stdout).strip()[-_TAIL:]
        msg = (
            f"command must succeed; got {ended.returncode} from {command[:-2]}:\n{said}"
        )
        raise RuntimeError(msg)


def peer_denoisers(*, timeout: float = 600.0) -> dict[str, Denoiser]:
    """List the peers whose interpreter the environment names.

    Parameters
    ----------
    timeout : float, default 600
        For one image [s].

    Returns
    -------
    dict of str to callable
        Image to image, by the name that a table shows; empty if none is configured. A
        call also starts Python and loads the network.

    Raises
    ------
    ValueError
        If a variable names what is no program.

    Examples
    --------
    >>> peer_denoisers().keys() <= PEERS.keys()
    True
    """
    found = {}
    for name, (variable, script, network) in PEERS.items():
        interpreter = os.environ.get(variable)
        if not interpreter:
            continue
        if shutil.which(interpreter) is None:
            msg = f"{variable} must be the path of a Python; got {interpreter!r}"
            raise ValueError(msg)
        command = [interpreter, str(_SCRIPTS / script), network]
        found[name] = _bind(command, timeout)
    return found


def _bind(command: list[str], timeout: float) -> Denoiser:
    # no functools.partial, whose keywords tables show: paths are of one machine only
    return lambda noisy: run_peer(noisy, command, timeout=timeout)
