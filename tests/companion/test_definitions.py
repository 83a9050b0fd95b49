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


HIDING = {
    "a default": ("def f(x=2): return x", "def f(x=3): return x"),
    "a keyword's default": ("def f(*, x=2): return x", "def f(*, x=3): return x"),
    "a decorator": ("@cache\ndef f(): return 1", "@wraps\ndef f(): return 1"),
    "its argument": ("@cut(2)\ndef f(): return 1", "@cut(3)\ndef f(): return 1"),
    "a field": ("class f:\n    x: int = 2", "class f:\n    x: int = 3"),
    "a base": ("class B:\n    x = 2\nclass f(B): pass",
               "class B:\n    x = 3\nclass f(B): pass"),
    "partial": ("f = partial(g, 2)", "f = partial(g, 3)"),
    "what partial takes": ("def g(x): return 2\nf = partial(g, 2)",
                           "def g(x): return 3\nf = partial(g, 2)"),
    "a condition": ("if A:\n    def f(): return 2", "if A:\n    def f(): return 3"),
    "a second try": ("try:\n    f = 1\nexcept E:\n    f = 2",
                     "try:\n    f = 1\nexcept E:\n    f = 3"),
    "a loop": ("for i in (1, 2):\n    f = i", "for i in (1, 3):\n    f = i"),
    "a walrus": ("print(f := 2)", "print(f := 3)"),
    "the other way of type checking": (
        "if TYPE_CHECKING:\n    f = 1\nelse:\n    f = 2",
        "if TYPE_CHECKING:\n    f = 1\nelse:\n    f = 3",
    ),
    "a later change": ("f = {}\nf['a'] = 2", "f = {}\nf['a'] = 3"),
    "a call that changes it": ("f = {}\nf.update(a=2)", "f = {}\nf.update(a=3)"),
    "a registered way": ("@one\ndef f(x): return 1\n@f.register\ndef _(x): return 2",
                         "@one\ndef f(x): return 1\n@f.register\ndef _(x): return 3"),
    "another library's function": ("from numpy import mean as m\ndef f(): return m(1)",
                                   "from numpy import sum as m\ndef f(): return m(1)"),
    "a number in msg": ("def f():\n    msg = 2\n    return msg",
                        "def f():\n    msg = 3\n    return msg"),
    "the kind of an error": ("def f(): raise ValueError('a')",
                             "def f(): raise KeyError('a')"),
}  # fmt: skip


@pytest.mark.parametrize("way", HIDING)
def test_no_change_hides(house, way):
    then, now = (
        _after(house, {"sbd/simulation/rest.py": f"{text}\n"}, FROM_REST)
        for text in HIDING[way]
    )
    assert then != now


FROM_REST = "from sbd.simulation.rest import f\nprint(f)\n"


def _after(house: Path, files: dict[str, str], script: str) -> dict[str, str]:
    for name, text in files.items():
        (house / name).parent.mkdir(parents=True, exist_ok=True)
        (house / name).write_text(text)
    return hashes(house, script)


REACHED = {
    "a star": ({}, "from sbd.simulation.noise import *\nprint(count(1))\n"),
    "getattr": (
        {},
        "from sbd.simulation import noise\nprint(getattr(noise, 'count')(1))\n",
    ),
    "getattr of any name": (
        {},
        "from sbd.simulation import noise\nprint(getattr(noise, name)(1))\n",
    ),
    "a module by its name": (
        {},
        "import importlib\nprint(importlib.import_module('sbd.simulation.noise'))\n",
    ),
    "another process": (
        {},
        "run(['-c', 'from sbd.simulation import count; print(count(1))'])\n",
    ),
    "a relative import": (
        {"sbd/simulation/rest.py": "from .noise import count\ndef f(): count(1)\n"},
        FROM_REST,
    ),
    "a name that is bound again": (
        {
            "sbd/simulation/rest.py": (
                "from sbd.simulation.noise import count as f\nf = wrap(f)\n"
            )
        },
        FROM_REST,
    ),
    "one name in two functions": (
        {"sbd/simulation/rest.py": "def blur(x): return x\n"},
        (
            "def one():\n    from sbd.simulation.noise import count as f\n    f(1)\n"
            "def two():\n    from sbd.simulation.rest import blur as f\n    f(1)\n"
        ),
    ),
    "a room that has no stub": (
        {"sbd/guard/__init__.py": "from sbd.simulation.noise import count\n"},
        "from sbd.guard import count\ncount(1)\n",
    ),
}


@pytest.mark.parametrize("way", REACHED)
def test_a_definition_is_found_by_unusual_ways(house, way):
    files, script = REACHED[way]
    assert {*_after(house, files, script)} >= KEYS


def test_a_module_that_is_only_run_counts(house):
    texts = ("switch(2)\n", "switch(3)\n")
    script = "import sbd.simulation.rest\n"
    one, two = (_after(house, {"sbd/simulation/rest.py": t}, script) for t in texts)
    assert one != two


def test_a_table_of_the_package_that_is_named_counts(house):
    name = "sbd/assets/structures.csv"
    files = {
        "sbd/simulation/rest.py": 'def f(): open(ROOT / "assets" / "structures.csv")\n',
        "sbd/assets/others.csv": "1\n",
        "sbd/assets/words.md": "1\n",
        name: "1\n",
    }
    then = _after(house, files, FROM_REST)
    assert f"the file {name}" in then
    kept = {"sbd/assets/others.csv": "2\n", "sbd/assets/words.md": "2\n"}
    assert then == _after(house, kept, FROM_REST)
    assert then != _after(house, {name: "2\n"}, FROM_REST)
    assert then != _after(house, {name: "1\n"}, FROM_REST.replace("(f)", "(f())"))


def test_a_folder_of_assets_and_a_table_beside_the_script_count(house):
    script = 'print("peers", "list.toml")\n'
    files = {"sbd/assets/peers/run.py": "1\n", "list.toml": "a = 1\n"}
    then = _after(house, files, script)
    assert {"the file sbd/assets/peers/run.py", "the file list.toml"} <= {*then}
    for name in files:
        assert then != _after(house, files | {name: "a = 2\n"}, script)


def test_numbers_that_are_handed_over_by_name_count(house):
    one, two = (f"write_measured(to, numbers=f({x}), script=1)\n" for x in (1, 2))
    assert hashes(house, one) != hashes(house, two)
    script = "write_measured(to, numbers=1, script={})\n"
    assert hashes(house, script.format(1)) == hashes(house, script.format(2))
