"""Put what a script made into the package, and its digest into the catalogue."""

import re
import shutil
from pathlib import Path

from safetensors import safe_open

import sbd
from sbd.files import replacing, sha256, write_text

ASSETS = Path(sbd.__file__).parent / "assets"
WEIGHTS = ASSETS / "weights"
CATALOGUE = Path(sbd.__file__).parent / "data" / "catalogue.toml"


def enter_digest(name: str, path: Path, catalogue: Path = CATALOGUE) -> str:
    """Write the digest of a bundled file into its row of the catalogue, and return it.

    The row must be there, and have a digest, if only an empty one.
    """
    digest = sha256(path)
    row = rf'(?m)^(\[items\."{re.escape(name)}"\]\n(?:[^\[\n].*\n)*?digest = )".*"$'
    text, found = re.subn(row, rf'\1"sha256:{digest}"', catalogue.read_text("utf8"))
    if not found:
        msg = f"name must be that of a row with a digest in {catalogue}; got {name!r}"
        raise ValueError(msg)
    write_text(catalogue, text)
    return digest


def pack_weights(name: str, folder: Path, *, bits: int = 32) -> Path:
    """Copy the weights of a run into the package, where ``weights/name`` is fetched.

    Fewer `bits` of each number, as for `save_model`, are for large networks.
    """
    target, source = WEIGHTS / f"{name}.safetensors", folder / "model.safetensors"
    if bits < 32:
        with safe_open(source, "pt") as file:
            notes = {"training": file.metadata()["training"]}
        sbd.save_model(sbd.load_model(source), target, notes=notes, bits=bits)
    else:
        with replacing(target) as part:
            shutil.copyfile(source, part)
            part.chmod(0o644)
    enter_digest(f"weights/{name}", target)
    return target
