__all__ = [
    "CrystalUNet",
    "DnCNN",
    "Drawing",
    "DurrUNet",
    "LatticeUNet",
    "UNet",
    "adapt_gains",
    "change_pilot",
    "create_model",
    "export_onnx",
    "field_of_view",
    "load_model",
    "save_model",
    "train",
    "write_bioimageio",
]

from .adapting import adapt_gains
from .bioimageio import write_bioimageio
from .drawing import Drawing
from .lattice import CrystalUNet, LatticeUNet
from .models import change_pilot, create_model, field_of_view, load_model, save_model
from .onnx import export_onnx
from .published import DnCNN, DurrUNet, UNet
from .training import train
