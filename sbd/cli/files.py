"""Files that commands read and write: refused before anything is computed."""

from pathlib import Path

from sbd.typing import Image


def check_target(file: Path, name: str, suffix: str) -> None:
    """Say that a file could not be written, by its suffix or its folder."""
    if file.suffix != suffix:
        msg = f"{name} must be the name of a {suffix} file; got {file}"
        raise ValueError(msg)
    if not file.parent.is_dir():
        msg = f"{name} must be in a folder that exists; got {file}"
        raise ValueError(msg)


def read_image(file: Path) -> Image:
    """Load an image that is denoised or judged."""
    import numpy as np

    try:
        return np.load(file, allow_pickle=False)
    except (EOFError, ValueError):
        msg = (
            f"noisy must be a .npy file with an image; got {file} (read it "
            "with tifffile, say, and numpy.save the counts)"
        )
        raise ValueError(msg) from None
