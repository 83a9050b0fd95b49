"""The recipes of the benchmark: which images, from which atoms, under which labels."""

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path

import numpy as np
from ase import Atoms

from sbd.simulation.specimens import Edits, structure_table
from sbd.simulation.structures import pt_on_ceria

RECIPE_LABELS = ("structure", "particle", "defect", "variant", "thickness")


@dataclass(frozen=True)
class Recipe:
    """One atomic structure of a benchmark.

    Parameters
    ----------
    particle : str
        Shape of the particle, see `pt_on_ceria`; any name with `atoms`.
    defect : str or tuple
        Label, or atoms to take or add by site; any word with `atoms`.
    thickness : float
        Support thickness along the beam [angstrom].
    atoms : ase.Atoms, optional
        A structure of one's own instead, in a box that is square across the beam (z);
        see `read_recipe`.
    held_out : bool, default False
        Of a structure of one's own: whether to leave it for the curve of training.

    Examples
    --------
    >>> Recipe("PtNp1", "Dhb", 50.0).name
    'PtNp1-Dhb-50'
    """

    particle: str
    defect: str | Edits
    thickness: float
    atoms: Atoms | None = None
    held_out: bool = False

    @property
    def name(self) -> str:
        """Name of the structure, as in `structure_table`."""
        return f"{self.particle}-{self._word}-{self.thickness:g}"

    @property
    def label(self) -> tuple[str, str]:
        """Label of the evaluation logs and letter of the variant."""
        known = _labels().get((self.particle, self._word))
        if known and self.atoms is None:
            return known[:2]
        return (self.defect if isinstance(self.defect, str) else "custom"), "a"

    @property
    def split(self) -> str:
        """``"train"``, ``"valid"`` or ``"test"``: no structure is in two of them."""
        if self.atoms is not None:
            return "valid" if self.held_out else "train"
        known = _labels().get((self.particle, self._word))
        return known[2] if known else "test"

    @property
    def _word(self) -> str:
        if isinstance(self.defect, str):
            return self.defect
        return "_".join(f"{row}.{column}:{n:+d}" for row, column, n in self.defect)

    def build(self) -> Atoms:
        """Build the structure, as `pt_on_ceria` does; ValueError if there is none."""
        if self.atoms is not None:
            return self.atoms
        return pt_on_ceria(self.particle, self.defect, thickness=self.thickness)


@cache
def _labels() -> dict[tuple[str, str], tuple[str, str, str]]:
    return {
        (row.particle, f"{row.defect}{row.variant.lstrip('a')}"): (
            row.defect,
            row.variant,
            row.split,
        )
        for row in structure_table().itertuples()
    }


def default_recipes(
    *,
    particles: Sequence[str] | None = None,
    defects: Sequence[str] | None = None,
    thicknesses: Sequence[float] | None = None,
) -> tuple[Recipe, ...]:
    """List the structures of the paper's benchmark, or some of them.

    Parameters
    ----------
    particles : sequence of str, optional
        Only these labels, such as ``["PtNp2"]``.
    defects : sequence of str, optional
        Only these labels, such as ``["D0", "D1"]``, each with all its variants.
    thicknesses : sequence of float, optional
        Only these [angstrom].

    Returns
    -------
    tuple of Recipe
        In the order of `structure_table`: 95 if nothing is left out.

    Raises
    ------
    ValueError
        If a label or a thickness is in no structure, or nothing is left.

    Examples
    --------
    >>> len(default_recipes()), len(default_recipes(particles=["PtNp4"]))
    (95, 14)
    """
    table = structure_table()
    wanted = {"particle": particles, "defect": defects, "thickness": thicknesses}
    for name, values in wanted.items():
        if values is None:
            continue
        known = list(dict.fromkeys(table[name]))
        for value in values:
            if value not in known:
                plural = {"thickness": "thicknesses"}.get(name, f"{name}s")
                allowed = ", ".join(str(k) for k in structure_table()[name].unique())
                msg = f"{plural} must be among {allowed}; got {value!r}"
                raise ValueError(msg)
    for name, values in wanted.items():
        if values is not None:
            table = table[table[name].isin(list(values))]
    if table.empty:
        asked = {name: list(v) for name, v in wanted.items() if v is not None}
        msg = (
            f"particles, defects and thicknesses must meet in a structure; got {asked}"
        )
        raise ValueError(msg)
    return tuple(
        Recipe(r.particle, f"{r.defect}{r.variant.lstrip('a')}", r.thickness)
        for r in table.itertuples()
    )


def read_recipe(path: str | Path, *, held_out: bool = False) -> Recipe:
    """Read a structure of one's own from a file.

    Parameters
    ----------
    path : str or pathlib.Path
        Any format that ASE reads (CIF, XYZ, POSCAR, ...), with a cell that is square
        across the beam (z); the images will be those of the whole cell, which repeats
        across.
    held_out : bool, default False
        Whether training leaves it for its curve (split ``"valid"``), or learns from it.

    Returns
    -------
    Recipe
        Named by the file's stem.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If ASE cannot read it.

    Examples
    --------
    >>> read_recipe("nowhere.cif")
    Traceback (most recent call last):
    FileNotFoundError: path must be a structure file; got nowhere.cif
    """
    from ase.io import read

    path = Path(path)
    if not path.is_file():
        msg = f"path must be a structure file; got {path}"
        raise FileNotFoundError(msg)
    try:
        atoms = read(path)
    except Exception as error:  # ASE's readers raise what they like
        msg = f"path must be a structure file that ASE can read; got {path} ({error})"
        raise ValueError(msg) from error
    z = atoms.positions[:, 2]
    return Recipe(path.stem, "file", round(float(np.ptp(z)), 3), atoms, held_out)


@cache
def _contrast_table() -> dict[tuple[int, int, int, int], str]:
    text = (files("sbd") / "assets" / "contrast.csv").read_text().splitlines()
    keys = ("thickness", "tilt_x", "tilt_y", "defocus")
    return {
        tuple(int(float(row[key])) for key in keys): row["label"]
        for row in csv.DictReader(text)
    }


def contrast_label(
    thickness: float, tilt: tuple[float, float], defocus: float
) -> str | None:
    """Look up whether the authors call the columns "white", "intermediate" or "black".

    By thickness [angstrom], tilt about x and y [degrees] and defocus [nm]; None where
    the published dataset has nothing. From their evaluation logs, where these
    parameters alone decide in 99.5 % of the rows; what is filled in says so in the
    column ``source``.
    """
    key = (thickness, *tilt, defocus)
    return _contrast_table().get(key) or None
