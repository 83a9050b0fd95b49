"""The metadata of a benchmark as Croissant, which catalogues of datasets read.

``croissant.json`` (Croissant 1.0, a vocabulary on schema.org) names the files with
their checksums, the columns of ``labels.csv`` with types and units, and the arrays. It
says nothing of when: the same benchmark has the same metadata.
"""

from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd

from sbd.files import sha256

CROISSANT = "croissant.json"
"""Name of the file in the folder of a benchmark."""

# The vocabulary of Croissant 1.0, as its specification asks for it in every file.
_CONTEXT = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileObject": "cr:fileObject",
    "fileProperty": "cr:fileProperty",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}
_COLUMNS = {  # words, with the unit in brackets
    "structure": "name of the atomic model without tilt",
    "particle": "kind of the platinum particle",
    "defect": "which columns of its surface are missing",
    "variant": "particle and defect together, as the authors count them",
    "thickness": "of the specimen along the beam [angstrom]",
    "tilt_x": "of the crystal about the axis across the image [degree]",
    "tilt_y": "of the crystal about the axis down the image [degree]",
    "defocus": "of the lens, positive for overfocus [nm]",
    "contrast": "white, intermediate or black columns; empty where it is not known",
    "split": "train, validation or test; no structure is in two of them",
    "published_split": "the paper's, image by image, for all contrasts",
    "published_split_white": "the paper's for the experiments on white columns",
}
_FILES = {
    "benchmark.json": ("what was asked for", "application/json"),
    "labels.csv": ("a row for each image, in their order", "text/csv"),
    "images.zarr/zarr.json": ("shape and type of the array", "application/json"),
}
_PAPER = "https://doi.org/10.1109/TCI.2022.3176536"
_LICENCE = "https://creativecommons.org/licenses/by/4.0/"


def describe_benchmark(
    folder: Path, settings: dict[str, Any], table: pd.DataFrame
) -> dict[str, Any]:
    """Describe a finished folder; `table` has the public columns alone.

    Returns JSON-LD as ``croissant.json`` holds it.
    """
    shape = (
        len(settings["recipes"]),
        len(settings["tilts"]),
        len(settings["defoci"]),
        *2 * (settings["samples"],),
    )
    return {
        "@context": _CONTEXT,
        "@type": "Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        "name": "sbd-benchmark",
        "description": (
            f"{len(table)} simulated electron micrographs of platinum particles on "
            "ceria and their labels, without noise: multislice images in expected "
            "electrons per pixel, made again after Mohan et al. (2022). Counts are "
            "drawn as Poisson numbers when an image is used."
        ),
        "license": _LICENCE,
        "url": _PAPER,
        "version": version("sbd"),
        "creator": {"@type": "Organization", "name": "The authors of sbd"},
        "keywords": ["electron microscopy", "denoising", "multislice simulation"],
        "citeAs": f"Mohan et al., IEEE Trans. Comput. Imaging 8, 585-597. {_PAPER}",
        "isLiveDataset": False,
        "distribution": [*_file_objects(folder), _chunks(shape)],
        "recordSet": [_labels(table), _arrays(shape, settings["box"])],
    }


def _file_objects(folder: Path) -> list[dict[str, Any]]:
    return [
        {
            "@type": "cr:FileObject",
            "@id": name,
            "name": name,
            "description": words,
            "contentUrl": name,
            "contentSize": f"{(folder / name).stat().st_size} B",
            "encodingFormat": kind,
            "sha256": sha256(folder / name),
        }
        for name, (words, kind) in _FILES.items()
    ]


def _chunks(shape: tuple[int, ...]) -> dict[str, Any]:
    """Describe the files of the array, whose checksums are in ``SHA256SUMS``."""
    return {
        "@type": "cr:FileSet",
        "@id": "chunks",
        "name": "chunks",
        "description": (
            f"{shape[0]} chunks of a Zarr 3 array of float16, compressed (Blosc zstd, "
            "CRC-32C): open images.zarr as a whole, with a reader of Zarr. SHA256SUMS "
            "has their checksums."
        ),
        "encodingFormat": "application/octet-stream",
        "includes": "images.zarr/c/*/0/0/0/0",
    }


def _labels(table: pd.DataFrame) -> dict[str, Any]:
    kinds = {"f": "sc:Float", "i": "sc:Integer", "b": "sc:Boolean"}
    return {
        "@type": "cr:RecordSet",
        "@id": "labels",
        "name": "labels",
        "description": "A row for each image: how it was simulated, and its splits.",
        "field": [
            {
                "@type": "cr:Field",
                "@id": f"labels/{name}",
                "name": name,
                "description": _COLUMNS[name],
                "dataType": kinds.get(table[name].dtype.kind, "sc:Text"),
                "source": {
                    "fileObject": {"@id": "labels.csv"},
                    "extract": {"column": name},
                },
            }
            for name in table.columns
        ],
    }


def _arrays(shape: tuple[int, ...], box: float) -> dict[str, Any]:
    """Describe what is in a chunk: all images of a structure."""
    words = " x ".join(map(str, shape[1:]))
    return {
        "@type": "cr:RecordSet",
        "@id": "images",
        "name": "images",
        "description": (
            "A chunk for each structure, in the order of benchmark.json; row k of the "
            f"labels is image k % {shape[1] * shape[2]} of a chunk, tilts first."
        ),
        "field": [
            {
                "@type": "cr:Field",
                "@id": "images/chunk",
                "name": "chunk",
                "description": (
                    f"float16 values (tilts, defoci, height, width), {words}, of a box "
                    f"of {box:g} angstrom, compressed [expected electrons per pixel]"
                ),
                "dataType": "sc:Text",
                "source": {
                    "fileSet": {"@id": "chunks"},
                    "extract": {"fileProperty": "content"},
                },
            }
        ],
    }
