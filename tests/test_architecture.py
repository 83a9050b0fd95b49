"""Keep the house in order: names that resolve, docstrings, what an import loads.

Which room may import which, and who owns a heavy package, is for import-linter
(pyproject.toml, `make check`).
"""

import ast
import importlib
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest
from numpydoc.validate import ERROR_MSGS, validate

import sbd

PACKAGE = Path(sbd.__file__).parent
ROOT = PACKAGE.parent
PROMISED = """
    Benchmark Columns DataUnavailableError Microscope Scale UNet VACUUM at_scale
    authors_psnr authors_resize authors_ssim check_counts denoise denoise_absf
    denoise_bm3d denoise_constant denoise_correlation_averaging denoise_gaussian
    denoise_network
    denoise_purelet denoise_spot_filter denoise_vst denoise_wiener
    denoise_windowed_fourier exit_wave fetch field_of_view find_columns form_image
    jacobian_row jacobian_rows judge_columns likelihood_map load_model
    log_likelihood_ratio mark_pixel match_columns match_simulation poisson_noise
    psnr pt_on_ceria read_micrograph read_provenance save_figure save_model
    show_images simulate_benchmark ssim
    surface_columns train
""".split()  # noqa: SIM905
ROOMS = """
    audits benchmark cli columns companion data denoisers evidence figureguard metrics
    networks plotting recordings reports simulation
""".split()  # noqa: SIM905
FORMER = """
    REFERENCE VACUUM AuthorsDataset Benchmark Columns CrystalUNet
    DataUnavailableError DnCNN DurrUNet ExitWave LatticeUNet LetDictionary
    Microscope Recipe Scale SimulationMatch Tuning UNet absence_p_values at_scale
    atoms_per_column audit_denoisers audit_vacuum authors_psnr authors_resize
    authors_ssim band_limit box_around check_parameters classical_denoisers
    column_audit column_occupancy column_p_values column_significance column_weights
    compare_denoisers create_model decidable_dose default_recipes denoise
    denoise_absf denoise_bm3d denoise_butterworth denoise_constant
    denoise_correlation_averaging denoise_gaussian denoise_lowpass denoise_network
    denoise_purelet denoise_spot_filter denoise_vst denoise_wiener
    denoise_windowed_fourier detection_power disturb_image dose_curve erase_columns
    estimate_gain example_micrograph example_scene example_truth exit_wave
    export_onnx fetch fetch_clean field_of_view filter_spectrum find_columns
    focal_series form_image guided_backpropagation held_out_scenes jacobian_action
    jacobian_column jacobian_row jacobian_rows judge_columns judge_denoisers
    let_dictionary likelihood_map load_model log_likelihood_ratio mark_box
    mark_pixel match_columns match_simulation outline_columns particle_boxes
    peer_denoisers poisson_noise psnr pt_on_ceria published_split rank_denoisers
    read_authors_layout read_recipe run_peer save_figure save_model score_columns
    score_scene show_image show_images show_map show_scores simulate_benchmark ssim
    structure_table supported_columns surface_columns surface_scenes
    tabulate_verdicts thin_counts train tune tuned_denoisers tuning_table
    unsupported_columns vacuum_response write_authors_layout
""".split()  # noqa: SIM905
FACES = sorted(p.parent for p in PACKAGE.rglob("__init__.pyi"))
MODULES = sorted(p for p in PACKAGE.rglob("*.py") if "assets" not in p.parts)


def module_name(path):
    return ".".join(["sbd", *path.relative_to(PACKAGE).parts])


def faces(private=()):
    """Yield each public name with the module that its face has it from."""
    for folder in FACES:
        if not {*folder.relative_to(PACKAGE).parts} & set(private):
            tree = ast.parse((folder / "__init__.pyi").read_text())
            for node in (n for n in tree.body if isinstance(n, ast.ImportFrom)):
                for alias in node.names if node.module else ():
                    yield f"{module_name(folder)}.{node.module}", alias.name


def loaded(code):
    """Run code in a process of its own and list the packages that it loads."""
    code += "\nimport sys\nprint(*{name.partition('.')[0] for name in sys.modules})"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return set(done.stdout.splitlines()[-1].split())


# --- names


def test_the_promised_names_and_the_rooms_are_what_there_is():
    assert sorted(sbd.__all__) == sorted(PROMISED + ROOMS)


@pytest.mark.parametrize("name", PROMISED + ROOMS)
def test_a_promised_name_resolves(name):
    assert getattr(sbd, name) is not None


@pytest.mark.parametrize("name", FORMER)
def test_a_former_name_still_resolves(name):
    assert getattr(sbd, name) is not None


def test_an_unknown_name_is_refused_as_by_any_module():
    with pytest.raises(AttributeError, match="no_such_name"):
        sbd.no_such_name  # noqa: B018
    assert not hasattr(sbd, "__wrapped__")


@pytest.mark.parametrize("folder", FACES, ids=module_name)
def test_a_face_says_what_is_there(folder):
    face = importlib.import_module(module_name(folder).rstrip("."))
    assert sorted(face.__all__) == sorted(set(face.__all__))
    for name in face.__all__:
        assert getattr(face, name) is not None


@pytest.mark.parametrize("folder", FACES, ids=module_name)
def test_no_name_of_a_face_is_that_of_a_module_beside_it(folder):
    face = importlib.import_module(module_name(folder).rstrip("."))
    code = (folder / "__init__.pyi").read_text()
    nodes = [n for n in ast.parse(code).body if isinstance(n, ast.ImportFrom)]
    taken = {alias.name for node in nodes if node.module for alias in node.names}
    modules = {p.stem for p in folder.iterdir()}
    # importing such a module would put it in the place of the function
    assert taken <= set(face.__all__) - modules


@pytest.mark.parametrize(
    "name",
    sorted(
        f"{module}.{name}"
        for module, name in set(faces(private=["companion"]))
        if not name.isupper() and module.count(".") > 1
    ),
)
def test_public_names_are_documented(name):
    config = tomllib.loads((ROOT / "pyproject.toml").read_text())
    left_out = set(config["tool"]["numpydoc_validation"]["checks"])  # "all", but these
    wrong = [
        f"{code}: {text}"
        for code, text in validate(name)["errors"]
        if code in ERROR_MSGS.keys() - left_out
    ]
    assert not wrong


# --- functions


@pytest.mark.parametrize("path", MODULES, ids=module_name)
def test_functions_are_short(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef):
            count = sum(isinstance(part, ast.stmt) for part in ast.walk(node)) - 1
            assert count <= 42, f"{node.name} has {count} statements"


# --- what is loaded, and when


def test_importing_the_package_loads_nothing_heavy():
    assert not loaded("import sbd") & {"numpy", "scipy", "torch", "matplotlib", "ase"}


def test_a_chart_loads_no_simulation_and_no_network():
    code = "from sbd import plotting\n[getattr(plotting, n) for n in plotting.__all__]"
    assert not loaded(code) & {"ase", "zarr", "pooch", "torch"}


def test_denoising_loads_no_drawing_and_no_simulation():
    assert not loaded("import sbd\nsbd.denoise") & {"matplotlib", "ase", "zarr"}


def test_judging_draws_only_if_a_picture_is_wanted(tmp_path):
    counts = np.random.default_rng(0).poisson(0.45, (96, 96)).astype(float)
    np.save(tmp_path / "counts.npy", counts)
    code = f"""
from sbd.cli import main
files = [{str(tmp_path / "counts.npy")!r}, {str(tmp_path / "atoms.csv")!r}]
assert main(["judge", *files, "--vacuum", "0.45"]) == 0
"""
    assert not loaded(code) & {"matplotlib", "ase", "zarr"}
    assert (tmp_path / "atoms.csv").exists()
