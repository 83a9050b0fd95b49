"""Check that a number is old exactly when a definition behind it has changed."""

from pathlib import Path

import pytest

from sbd.companion.definitions import Package, hash_definitions

NOISE = '''\
"""Counting electrons."""
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from sbd.typing import Image

VACUUM = 0.45
SIDE = 2


def count(clean: "Image", *, vacuum=VACUUM) -> "Image":
    """Count."""
    if clean is None:
        msg = "clean must be an image"
        raise ValueError(msg)
    return _draw(clean, vacuum)  # of what it is given


def _draw(clean, vacuum):
    return clean * vacuum


def blur(clean):
    return clean[::SIDE]
'''
FILES = {
    "sbd/__init__.py": "",
    "sbd/__init__.pyi": "from . import simulation\nfrom .simulation import count\n",
    "sbd/simulation/__init__.py": "",
    "sbd/simulation/__init__.pyi": "from .noise import blur, count\n",
    "sbd/simulation/noise.py": NOISE,
    "sbd/data/__init__.py": "",
    "sbd/data/__init__.pyi": "",
    "sbd/data/catalogue.toml": '[items."weights/default"]\ndigest = "sha256:1"\n',
}
SCRIPTS = {
    "by the top": "import sbd\n\nprint(sbd.count(1))\n",
    "by a former name at the top": "import sbd\n\nprint(sbd.blur(1), sbd.count(1))\n",
    "by the room": "from sbd import simulation\n\nprint(simulation.count(1))\n",
    "by the room's name": "import sbd.simulation as s\n\nprint(s.noise.count(1))\n",
    "by the module": "from sbd.simulation import noise\n\nprint(noise.count(1))\n",
    "by its name": "from sbd.simulation.noise import count as c\n\nprint(c(1))\n",
}
KEYS = {f"sbd.simulation.noise:{name}" for name in ("count", "_draw", "VACUUM")}


@pytest.fixture
def house(tmp_path):
    """Lay out a small package."""
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def hashes(house: Path, script: str) -> dict[str, str]:
    (house / "script.py").write_text(script)
    return hash_definitions(house / "script.py", Package(house))


@pytest.mark.parametrize("way", SCRIPTS)
def test_a_definition_is_found_whichever_way_it_is_reached(house, way):
    assert {*hashes(house, SCRIPTS[way])} >= KEYS


def test_a_neighbour_counts_for_nothing(house):
    found = hashes(house, SCRIPTS["by its name"])
    assert not {"sbd.simulation.noise:blur", "sbd.simulation.noise:SIDE"} & {*found}


@pytest.mark.parametrize(
    ("before", "after", "changed"),
    [
        ("clean * vacuum", "clean + vacuum", {"_draw"}),
        ("VACUUM = 0.45", "VACUUM = 0.5", {"VACUUM"}),
        ("if clean is None", "if clean is 1", {"count"}),
        ("clean[::SIDE]", "clean", set()),
        ("Count.", "Draw.", set()),
        ("clean must be an image", "clean must be flat", set()),
        ('clean: "Image"', 'clean: "Array"', set()),
        ("# of what", "# what", set()),
        ("import numpy as np", "import numpy", set()),
    ],
)
def test_only_what_can_change_a_number_counts(house, before, after, changed):
    then = hashes(house, SCRIPTS["by its name"])
    assert NOISE.count(before) >= 1
    (house / "sbd/simulation/noise.py").write_text(NOISE.replace(before, after))
    now = hashes(house, SCRIPTS["by its name"])
    differing = {k for k in {*then, *now} if then.get(k) != now.get(k)}
    assert differing == {f"sbd.simulation.noise:{name}" for name in changed}


def test_the_script_counts_but_not_how_it_writes(house):
    first = hashes(house, "x = 1\nwrite_json(file, x)\n")
    assert first == hashes(house, "import os\nx = 1\nwrite_measured(file, x, 'me')\n")
    assert first != hashes(house, "x = 2\nwrite_json(file, x)\n")


def test_a_file_that_the_code_names_counts_by_its_digest(house):
    script = 'print("weights/default")\n'
    then = hashes(house, script)
    (house / "sbd/data/catalogue.toml").write_text(
        FILES["sbd/data/catalogue.toml"].replace("sha256:1", "sha256:2")
    )
    assert then["the file weights/default"] == "sha256:1"
    assert hashes(house, script)["the file weights/default"] == "sha256:2"


def test_what_is_no_code_is_refused(house):
    with pytest.raises(ValueError, match="script must be a file of Python code"):
        hashes(house, "def\n")
