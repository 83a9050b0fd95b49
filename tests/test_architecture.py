"""Keep the library layered: read it left to right."""

import ast
import tomllib
from pathlib import Path

import pytest
from numpydoc.validate import ERROR_MSGS, validate

import sbd

PACKAGE = Path(sbd.__file__).parent
ROOT = PACKAGE.parent
ORDER = [  # imports only point left
    *("typing", "validation", "scales", "parameters", "catalogue", "registry"),
    *("specimens", "splits", "structures", "noise"),
    *("microscope", "potential", "multislice", "simulation"),
    *("dataset", "production", "exchange", "matching"),
    *(
        "spectra",
        "squares",
        "translations",
        "networks",
        "lattice_networks",
        "models",
        "training",
    ),
    *("convolutions", "inference", "portable_operations", "onnx_files"),
    *("binning", "gains", "lowpass", "filters", "windows", "averaging"),
    *("anscombe", "stabilised", "denoisers"),
    *("detectors", "haar", "cosines", "purelet"),
    *("metrics", "tuning", "baselines", "blobs", "columns"),
    *("surfaces", "occupancies"),
    *("projections", "scenes", "inspection", "audit", "hallucinations"),
    *("comparison", "peers"),
    *("risks", "generalisation", "consistency"),
    *("likelihood", "significance", "calibration"),
    *("jacobian", "saliency", "equivalent_filters"),
    *("digest", "artists", "filing", "marks", "plotting", "charts"),
    *("atomic_models", "diagrams", "layouts", "portraits", "atlas"),
    *("examples", "testbed", "demonstrations"),
    *(
        "fidelity",
        "residuals",
        "exhibits",
        "budget",
        "robustness",
        "surveys",
        "sightlines",
        "verdicts",
        "appraisals",
        "silhouettes",
    ),
    *("fingerprints", "records", "figure_guard", "cli"),
]
DRAWING = {"artists", "charts", "filing", "marks", "plotting"}
SHEETS = {"atomic_models", "diagrams", "layouts", "portraits", "atlas"}
SHEETS |= {"exhibits", "budget", "robustness", "surveys", "sightlines", "verdicts"}
SHEETS |= {"appraisals", "silhouettes"}
OWNERS = {  # who may import the heavy ones
    "abtem": {"potential"},
    "ase": {
        "structures",
        "microscope",
        "potential",
        "simulation",
        "dataset",
        "production",
        "projections",
        "scenes",
    },
    "distributed": {"production"},
    "jupytext": {"fingerprints", "records", "figure_guard"},
    "onnx": {"onnx_files"},
    "onnxscript": {"onnx_files"},
    "matplotlib": DRAWING | SHEETS,
    "nbclient": {"records"},
    "nbformat": {"fingerprints", "records", "figure_guard"},
    "papermill": {"records"},
    "pooch": {"registry"},
    "torch": {
        "multislice",
        "spectra",
        "squares",
        "translations",
        "networks",
        "lattice_networks",
        "models",
        "training",
        "convolutions",
        "inference",
        "portable_operations",
        "onnx_files",
        "averaging",
        "denoisers",
        "consistency",
        "jacobian",
        "saliency",
    },
    "zarr": {"dataset", "production"},
}
MODULES = ORDER


def imports(module):
    tree = ast.parse((PACKAGE / f"{module}.py").read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module == "sbd":
            yield from (f"sbd.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, "relative imports hide what a module leans on"
            yield node.module


def public_functions():
    """Yield the public names that exist already and have a docstring of their own."""
    tree = ast.parse((PACKAGE / "__init__.pyi").read_text())
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and node.module in MODULES:
            names = [alias.name for alias in node.names]
            yield from (f"sbd.{node.module}.{n}" for n in names if not n.isupper())


def test_every_module_has_its_place():
    assert {p.stem for p in PACKAGE.glob("*.py")} - {"__init__"} == set(ORDER)


@pytest.mark.parametrize("module", MODULES)
def test_imports_point_left(module):
    left = ORDER[: ORDER.index(module)]
    ours = {name.split(".")[1] for name in imports(module) if name[:4] == "sbd."}
    assert ours <= set(left)


@pytest.mark.parametrize("module", MODULES)
def test_heavy_packages_have_owners(module):
    for name in imports(module):
        owners = OWNERS.get(name.partition(".")[0])
        assert owners is None or module in owners, f"{module} imports {name}"


@pytest.mark.parametrize("name", sorted(public_functions()))
def test_public_names_are_documented(name):
    config = tomllib.loads((ROOT / "pyproject.toml").read_text())
    left_out = set(config["tool"]["numpydoc_validation"]["checks"])  # "all", but these
    wrong = [
        f"{code}: {text}"
        for code, text in validate(name)["errors"]
        if code in ERROR_MSGS.keys() - left_out
    ]
    assert not wrong


@pytest.mark.parametrize("module", MODULES)
def test_functions_are_short(module):
    tree = ast.parse((PACKAGE / f"{module}.py").read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            count = sum(isinstance(part, ast.stmt) for part in ast.walk(node)) - 1
            assert count <= 42, f"{node.name} has {count} statements"


def test_importing_the_package_loads_nothing_heavy():
    tree = ast.parse((PACKAGE / "__init__.py").read_text())
    names = [n.names[0].name for n in ast.walk(tree) if isinstance(n, ast.Import)]
    assert names == ["lazy_loader"]
