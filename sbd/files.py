"""Files written whole or not at all, and the digests that tell one from another."""

import hashlib
import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Give a temporary path, and let what is written there take the place of `path`.

    The folder is made; if the block fails, the old file stays as it was.
    """
    path = Path(os.path.realpath(path))  # a link goes on pointing at what is written
    if path.is_dir():
        msg = f"path must be that of a file; got the folder {path}"
        raise IsADirectoryError(msg)
    path.parent.mkdir(parents=True, exist_ok=True)
    # beside it, so that renaming is one step; by chance, so that several may write
    part = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        yield part
        part.replace(path)
    finally:
        with suppress(OSError):
            part.unlink()


def write_bytes(path: str | Path, content: bytes) -> None:
    """Write a file at once: a reader sees the old one or the new one."""
    with replacing(path) as part:
        part.write_bytes(content)


def write_text(path: str | Path, text: str) -> None:
    """Write text at once, as UTF-8 with the line ends that it has."""
    write_bytes(path, text.encode())


def write_json(path: str | Path, value: object, **options: object) -> None:
    """Write a value as JSON at once; `options` are those of `json.dumps`."""
    write_text(path, json.dumps(value, **{"indent": 1, **options}) + "\n")


def sha256(*contents: bytes | memoryview | Path) -> str:
    """Return the SHA-256, hexadecimal, of bytes and files one after the other."""
    digest = hashlib.sha256()
    for content in contents:
        if isinstance(content, Path):
            with content.open("rb") as file:
                hashlib.file_digest(file, lambda: digest)
        else:
            digest.update(content)
    return digest.hexdigest()
