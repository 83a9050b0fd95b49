__all__ = [
    "REFERENCE",
    "VACUUM",
    "AuthorsDataset",
    "Benchmark",
    "Columns",
    "CrystalUNet",
    "DataUnavailableError",
    "DnCNN",
    "DurrUNet",
    "ExitWave",
    "LatticeUNet",
    "LetDictionary",
    "Microscope",
    "Recipe",
    "Scale",
    "SimulationMatch",
    "Tuning",
    "UNet",
    "absence_p_values",
    "at_scale",
    "atoms_per_column",
    "audit_denoisers",
    "audit_vacuum",
    "authors_psnr",
    "authors_resize",
    "authors_ssim",
    "band_limit",
    "box_around",
    "check_parameters",
    "classical_denoisers",
    "column_audit",
    "column_occupancy",
    "column_p_values",
    "column_significance",
    "column_weights",
    "compare_denoisers",
    "create_model",
    "decidable_dose",
    "default_recipes",
    "denoise",
    "denoise_absf",
    "denoise_bm3d",
    "denoise_butterworth",
    "denoise_constant",
    "denoise_correlation_averaging",
    "denoise_gaussian",
    "denoise_lowpass",
    "denoise_network",
    "denoise_purelet",
    "denoise_spot_filter",
    "denoise_vst",
    "denoise_wiener",
    "denoise_windowed_fourier",
    "detection_power",
    "disturb_image",
    "dose_curve",
    "erase_columns",
    "estimate_gain",
    "example_micrograph",
    "example_scene",
    "example_truth",
    "exit_wave",
    "export_onnx",
    "fetch",
    "fetch_clean",
    "field_of_view",
    "filter_spectrum",
    "find_columns",
    "focal_series",
    "form_image",
    "guided_backpropagation",
    "held_out_scenes",
    "jacobian_action",
    "jacobian_column",
    "jacobian_row",
    "jacobian_rows",
    "judge_columns",
    "judge_denoisers",
    "let_dictionary",
    "likelihood_map",
    "load_model",
    "log_likelihood_ratio",
    "mark_box",
    "mark_pixel",
    "match_columns",
    "match_simulation",
    "outline_columns",
    "particle_boxes",
    "peer_denoisers",
    "poisson_noise",
    "psnr",
    "pt_on_ceria",
    "published_split",
    "rank_denoisers",
    "read_authors_layout",
    "read_recipe",
    "run_peer",
    "save_figure",
    "save_model",
    "score_columns",
    "score_scene",
    "show_image",
    "show_images",
    "show_map",
    "show_scores",
    "simulate_benchmark",
    "ssim",
    "structure_table",
    "supported_columns",
    "surface_columns",
    "surface_scenes",
    "tabulate_verdicts",
    "thin_counts",
    "train",
    "tune",
    "tuned_denoisers",
    "tuning_table",
    "unsupported_columns",
    "vacuum_response",
    "write_authors_layout",
]

from .audit import column_audit, dose_curve, vacuum_response
from .averaging import denoise_correlation_averaging
from .baselines import classical_denoisers, tuned_denoisers, tuning_table
from .binning import band_limit
from .charts import show_scores
from .columns import (
    Columns,
    box_around,
    find_columns,
    match_columns,
    particle_boxes,
)
from .comparison import compare_denoisers, judge_denoisers, rank_denoisers
from .dataset import Benchmark, Recipe, default_recipes, read_recipe
from .demonstrations import disturb_image, surface_scenes
from .denoisers import denoise, denoise_constant, denoise_gaussian, denoise_network
from .detectors import estimate_gain
from .equivalent_filters import column_weights, filter_spectrum
from .examples import example_micrograph, example_truth, fetch_clean
from .exchange import AuthorsDataset, read_authors_layout, write_authors_layout
from .filters import denoise_absf, denoise_spot_filter, denoise_wiener
from .hallucinations import audit_denoisers, audit_vacuum, score_scene
from .jacobian import (
    jacobian_action,
    jacobian_column,
    jacobian_row,
    jacobian_rows,
)
from .lattice_networks import CrystalUNet, LatticeUNet
from .likelihood import (
    column_significance,
    likelihood_map,
    log_likelihood_ratio,
    supported_columns,
    unsupported_columns,
)
from .lowpass import denoise_butterworth, denoise_lowpass
from .matching import SimulationMatch, match_simulation
from .metrics import authors_psnr, authors_resize, authors_ssim, psnr, ssim
from .microscope import REFERENCE, Microscope
from .models import create_model, field_of_view, load_model, save_model
from .networks import DnCNN, DurrUNet, UNet
from .noise import VACUUM, poisson_noise
from .occupancies import column_occupancy, erase_columns
from .onnx_files import export_onnx
from .parameters import check_parameters
from .peers import peer_denoisers, run_peer
from .plotting import (
    mark_box,
    mark_pixel,
    save_figure,
    show_image,
    show_images,
    show_map,
)
from .production import simulate_benchmark
from .purelet import LetDictionary, denoise_purelet, let_dictionary
from .registry import DataUnavailableError, fetch
from .saliency import guided_backpropagation
from .scales import Scale, at_scale
from .significance import (
    absence_p_values,
    column_p_values,
    decidable_dose,
    detection_power,
    judge_columns,
    tabulate_verdicts,
    thin_counts,
)
from .simulation import ExitWave, exit_wave, form_image
from .specimens import structure_table
from .splits import published_split
from .stabilised import denoise_bm3d, denoise_vst
from .structures import atoms_per_column, pt_on_ceria
from .surfaces import outline_columns, score_columns, surface_columns
from .testbed import example_scene, focal_series, held_out_scenes
from .training import train
from .tuning import Tuning, tune
from .windows import denoise_windowed_fourier
