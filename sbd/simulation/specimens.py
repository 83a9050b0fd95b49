"""Which specimens the benchmark has: particles as text, structures as a table.

``assets/particles.toml`` holds the four particles, column by column, and says what is
known of each. ``assets/structures.csv`` holds the 95 structures: a particle, a defect
(which atoms are taken from or put on which columns), a thickness of the support, the
shape of particle and support, and the split a structure belongs to. That there are 95,
and how many of each label, follows from the authors' evaluation logs: 14 at 30, 40 and
60 angstrom, one for each label, and 53 at 50 angstrom, where the number of logged test
images tells 3, 4 or 5 structures a label (for PtNp3, D0 and D2 might also have 4 each
instead of 3 and 5). One of those is seen in an image: PtNp1 beside a support that falls
off. What distinguished the others is not known; the variants b to e are ours.

Beside them stand the four structures of which the authors published images, by their
file names, at 40 angstrom: they are for evaluation and in no table to train on. The
three that were seen without a label are in the test split of the table.
"""

import tomllib
from collections.abc import Sequence
from functools import cache
from importlib.resources import files

import pandas as pd

from sbd.validation import check_word

DEFOCI = tuple(float(d) for d in range(21))
"""Defocus values of the paper's dataset, positive for overfocus [nm]."""

THICKNESSES = (30.0, 40.0, 50.0, 60.0)
"""Nominal thickness of the support along the beam in the paper's dataset [angstrom]."""

TILTS = tuple((float(t), 0.0) for t in range(5)) + tuple(
    (0.0, float(t)) for t in range(1, 5)
)
"""Crystal tilts of the paper's dataset, about x or about y, never both [degrees]."""

PARTICLES = ("PtNp1", "PtNp2", "PtNp3", "PtNp4")
"""Labels of the four particles."""

# The S sites of the authors' file names are left-hand columns of PtNp2: S1 in row 3,
# S3 in row 2, S5 in row 0.
PUBLISHED = {
    "S3_5": "2.0:-5",
    "S5_5": "0.0:-5",
    "S3_2-S5_2": "2.0:-2 0.0:-2",
    "S1-2_2-S3_1": "3.0:+2 2.0:-1",
}
"""Defects of PtNp2 that the authors published images of, by file name."""

SEEN = {
    "unlabelled/1": ("PtNp1", "D0", 30.0, (0.0, 0.0), 12.0),
    "unlabelled/2": ("PtNp1", "D0b", 50.0, (3.0, 0.0), 14.0),
    "unlabelled/3": ("PtNp1", "D1", 30.0, (2.0, 0.0), 16.0),
}
"""What the authors' images without a label show.

Particle, defect, thickness [angstrom], tilt [degrees] and defocus [nm].
"""

SHAPES = (*PARTICLES, "PtNp1-falling")
"""Particles with their supports; the last is a variant at 50 angstrom of the first."""

Edits = Sequence[tuple[int, int, int]]


def structure_table() -> pd.DataFrame:
    """List the 95 structures of the benchmark.

    Returns
    -------
    pandas.DataFrame
        Columns ``structure`` (unique name), ``particle``, ``defect`` (label of the
        evaluation logs), ``variant`` (``"a"`` to ``"e"``), ``thickness`` [angstrom],
        ``sites`` (atoms taken or put on, as "row.column:atoms", rows from the top),
        ``description``, ``split`` (strict: no structure is in two) and ``shape``, the
        particle with its support.

    Examples
    --------
    >>> table = structure_table()
    >>> len(table), table["thickness"].value_counts()[50.0]
    (95, np.int64(53))
    """
    path = files("sbd") / "assets" / "structures.csv"
    with path.open() as file:
        table = pd.read_csv(file, keep_default_na=False)
    return table.astype({"thickness": float})


def particle_card(particle: str) -> dict:
    """Tell what a particle looks like and what is known of it, as particles.toml does.

    Its ``rows`` are (shift, atoms in each column), the top one first.
    """
    check_word("particle", particle, SHAPES)
    card = _cards()[particle]
    if "like" in card:
        card = _cards()[card["like"]] | card
    card = {"edges": ()} | card
    rows = []
    for line in card["rows"].strip().splitlines():
        shift, counts = line.split(":")
        rows.append((int(shift), [int(n) for n in counts.split()]))
    return card | {"rows": rows}


def find_shape(particle: str, defect: str | Edits) -> str:
    """Tell the particle with its support that a defect of a particle is of."""
    known = defect if isinstance(defect, str) else None
    return _shapes().get((particle, known), particle)


def defect_labels(particle: str) -> tuple[str, ...]:
    """Name the defects that a particle can be built with.

    As in the table, with the letter of a variant (``D1b``), then published names.
    """
    particle_card(particle)
    return tuple(_defects()[particle])


def defect_edits(particle: str, defect: str) -> tuple[tuple[int, int, int], ...]:
    """Tell which atoms a defect takes (below 0) from, or puts on, a particle.

    Each as (row from the top, column from the left, atoms).
    """
    labels = defect_labels(particle)
    if defect not in labels:
        msg = f"defect of {particle} must be one of {', '.join(labels)}; got {defect!r}"
        raise ValueError(msg)
    edits = []
    for part in _defects()[particle][defect].split():
        site, atoms = part.split(":")
        if site == "all":
            edits += [
                (row, column, int(atoms))
                for row, (_, counts) in enumerate(particle_card(particle)["rows"])
                for column, count in enumerate(counts)
                if count
            ]
        else:
            edits.append((*map(int, site.split(".")), int(atoms)))
    return tuple(edits)


def layer_counts(particle: str, defect: str | Edits = "D0") -> list[list[int]]:
    """Count the atoms in each column, the top layer first and columns from the left.

    `defect` is a label, or (row, column, atoms) to take (negative) or to put on.
    """
    edits = defect_edits(particle, defect) if isinstance(defect, str) else defect
    layers = [list(counts) for _, counts in particle_card(particle)["rows"]]
    for edit in edits:
        if len(edit) != 3 or any(n != int(n) for n in edit):
            msg = f"defect must hold (row, column, atoms) in whole numbers; got {edit}"
            raise ValueError(msg)
        row, column, atoms = (int(n) for n in edit)
        if not (0 <= row < len(layers) and 0 <= column < len(layers[row])):
            msg = f"defect must name a site of {particle}; got {(row, column)}"
            raise ValueError(msg)
        layers[row][column] += atoms
        if not 0 <= layers[row][column] <= 20:
            msg = f"defect must leave 0 to 20 atoms at a site; got {edit}"
            raise ValueError(msg)
    return layers


@cache
def _cards() -> dict[str, dict]:
    return tomllib.loads((files("sbd") / "assets" / "particles.toml").read_text())


@cache
def _defects() -> dict[str, dict[str, str]]:
    """Sites of every defect, by particle and label."""
    sites = {shape: {"D0": ""} for shape in SHAPES}
    for row in structure_table().itertuples():
        sites[row.particle][f"{row.defect}{row.variant.lstrip('a')}"] = row.sites
    sites["PtNp2"] |= PUBLISHED
    return sites


@cache
def _shapes() -> dict[tuple[str, str], str]:
    """Name the shape of every particle and label."""
    return {
        (row.particle, f"{row.defect}{row.variant.lstrip('a')}"): row.shape
        for row in structure_table().itertuples()
    }
