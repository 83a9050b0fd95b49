"""The literal list of every file from outside: address, hash, source, licence."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, TypeAlias

How: TypeAlias = Literal["bundled", "download", "by hand"]
"""How a reader comes by a file."""

SERVER = "https://raw.githubusercontent.com"
"""Where the files to download lie; a mirror repeats the paths below it."""

_REPOSITORY = "sreyas-mohan/electron-microscopy-denoising"
_COMMIT = "de2e3b3233cf61a24662a8577b7c59f78f8dbf0a"
_DRIVE = "https://drive.google.com/drive/folders"
_SIMULATED = "the notebooks take the simulated example, which is bundled"
_NOT_STATED = "none stated: cite, do not redistribute"


@dataclass(frozen=True, kw_only=True)
class Item:
    """One file, or one folder, that the library or the book may use.

    Parameters
    ----------
    name : str
        What :func:`sbd.fetch` calls it.
    file : str
        Its path below the cache folder, or below the package's ``assets`` when it is
        bundled; that of a folder ends with ``/``.
    how : {"bundled", "download", "by hand"}
        How a reader comes by it.
    title : str
        What it is and in which format, in words.
    source : str
        Who publishes it: an address, or this project.
    licence : str
        What its owner allows.
    instructions : str
        How to get it by hand.
    without : str
        What works where it cannot be had.
    address : str or None, default None
        Path below the server; None if it is not downloaded.
    digest : str or None, default None
        ``"sha256:..."``, or ``"git-blob:..."``: the name git gives to the content, the
        SHA-1 of ``blob``, its length and its bytes. None where neither is known.
    size : int or None, default None
        Length, where it is known [bytes].

    Examples
    --------
    >>> ITEMS["clean/PtNp2-S3_5"].size
    3248342
    """

    name: str
    file: str
    how: How
    title: str
    source: str
    licence: str
    instructions: str
    without: str
    address: str | None = None
    digest: str | None = None
    size: int | None = None


def _authors(
    name: str, file: str, size: int | None, digest: str, *, title: str, without: str
) -> Item:
    """Describe a file of the authors' repository: it keeps its path in the cache."""
    address = f"{_REPOSITORY}/{_COMMIT}/{file}"
    return Item(
        name=name,
        file=file,
        how="download",
        title=title,
        source=f"https://github.com/{_REPOSITORY}",
        licence=_NOT_STATED,
        instructions=f"save {SERVER}/{address}",
        without=without,
        address=address,
        digest=digest,
        size=size,
    )


def _clean(name: str, size: int | None, sha256: str) -> Item:
    return _authors(
        f"clean/{name}",
        f"images/clean-images-for-paper/{name}_240slc_1024x1024_6nmDefocus.tif",
        size,
        f"sha256:{sha256}",
        title=f"the authors' simulated image {name} (TIFF, float32, e/pixel)",
        without=_SIMULATED,
    )


def _log(name: str, file: str, size: int, sha256: str) -> Item:
    return _authors(
        f"log/{name}",
        f"experiments/{file}.csv",
        size,
        f"sha256:{sha256}",
        title=f"the authors' evaluation log {file} (CSV, a row for each test image)",
        without="all but the comparison with these published numbers works",
    )


# SHA-256 of the weights that `sbd/companion/make/studies.py` packed.
_STUDIES = {
    "contrast-black": "1cd50fceb2a5d670414f544013fa54f3a3cdaa35b4a1aafa9359bed55b2f9cdc",
    "contrast-intermediate": "eca4199ba8610688b635b1780d0e7d5d58929002999693facef33df1f84ee56d",
    "contrast-white": "a4db5a5e20464002f57a62aa97119d76bc0d8699ba7015dc903d78c2d3cb06f7",
    "structure-PtNp1": "8f59056115bd9939eb8c0cfde24d13aded96b07e92a973780007b2c774cf9008",
    "structure-PtNp2": "ab5782c18e4b8d0a376506cea5de7326bf956a9043a91e618e5503cb2354e077",
    "structure-PtNp3": "0f8151bb89463b0494784b8500592fc0841ad9e53759eef704b2aadde9241d8c",
    "structure-PtNp4": "cbd1dc697e9e0d0bea8aa28a80ca001dcda47bc0ab5818d50971984e4f56c4e4",
    "defect-D0": "bbfca404d8cf8926edc32470eeff87806de53212ecc2edf31f8afc8575f9dfad",
    "defect-D1": "fb968ae2b0be1ccf1e8de4b90682ac5d97d046459102222ada487085a25f982a",
    "defect-D2": "b469c59e2a99c99b629a6e5402a06f216a24cc139e96f9f36af565a288f1d4ed",
    "defect-Dh": "30f3d2f5c639202fe958a5054dde525a6bc2c6e27c7a336b76a8e5b6ecea6cb8",
    "defect-Ds": "4d74d474483330f03670b699e7ee40316e9037158af553f825d195f4bbd21039",
    "view-pixels-2": "8e4690fb27d54f724abd3652cf705356ca7106ef01275dff4c6654e58afc7cfe",
    "view-pixels-4": "2742a724802803fdd62e473679bc7106a8bd3c12a3b9863d328a2270767129cd",
    "view-bins-2": "0cb48dd8e1c79f69381f51cd3e986a9d9487982ad3a3e7c9821bed4c22e78da9",
    "view-bins-4": "5b034f462e507b40ce997d50e6315fa6243add5a22466a1d3785050e83bb00fa",
    "view-bins-6": "53a0949498ecb99e51155ea69152ee5e8c47117b242419f5e20be17457e6b9fc",
    "view-lattice": "59efb418c26e8e97bed5f2a14c97e5c690f0746acb5a497fbaa58085f625c3a3",
    "paper": "a92ad34cf0c29c27a3adf04a69e60f5a614237157945c638c9095cdc1ab26954",
}


def _bundled(name: str, file: str, sha256: str | None, title: str) -> Item:
    return Item(
        name=name,
        file=file,
        how="bundled",
        title=title,
        source="this project",
        licence="MIT",
        instructions="install the package again: it holds the file",
        without="nothing that needs it works",
        digest=sha256 and f"sha256:{sha256}",
    )


def _weights(name: str, file: str) -> Item:
    return Item(
        name=f"authors-weights/{name}",
        file=file,
        how="by hand",
        title=f"the authors' trained network {file} (PyTorch checkpoint)",
        source=f"{_DRIVE}/1ICzm9o6Ij2XnA4K7iUNxte08eJ0xvgwC",
        licence=_NOT_STATED,
        instructions=f"open {_DRIVE}/1ICzm9o6Ij2XnA4K7iUNxte08eJ0xvgwC in a browser and"
        f" download {file}",
        without="load_model() gives this project's own weights, which are bundled",
    )


# A row is two lines here: what is known about a file, then its hash.
# fmt: off
_ROWS = (
    _clean("PtNp2-S3_5", 3_248_342,
           "640ffe4450f45eb79dc16ddaafa415399611ec8cfacef222e0e79ed285019b55"),
    _clean("PtNp2-S3_2-S5_2", 3_248_342,
           "6d1bab999a63464187f5ec9e5079d1029c32ed5d7ad718e383d84e51864badcb"),
    _clean("PtNp2-S5_5", None,
           "550c5077ca9e92b4c07839c155f19998185cd226d893b310a486cbc98dddc0d6"),
    _clean("PtNp2-S1-2_2-S3_1", None,
           "fd6e494ddd99cea89e7cff977017307379941e720dd8a788a4b5085b1fbd1960"),
    _authors("real-micrograph", "images/real_data/00000.npy", None,
             "git-blob:52031326e0886e8e897c03b079934b8270bd8af1",
             title="the real micrograph of Pt on CeO2 (npy, float, shape (1, H, W))",
             without="the notebooks take an authors' simulated image, or the bundled"
             " simulated example"),
    _log("black", "black/test_evaluation", 236_942,
         "155539c4b2dc74cdd160778a3e06d6522bbf0866e20e2d1d27fc88758fc54af2"),
    _log("intermediate", "intermediate_limited/test_evaluation", 235_847,
         "fc0a5f8cfe5e85ba01b4627d11d989f9d12edfa8611b90f3bba28d33ce6c0f8c"),
    _log("white", "white_limited/test_evaluation", 235_918,
         "852be6fbe8c55dfb274a0fead44d6ed910852e1c6319b5714c1e00c5151afe0c"),
    _log("structure-1", "structure_white/test_evaluation_1", 17_384,
         "cb2db9609db7e4794f29b2cbf014d455f6b11b42845f346090df5c4e20bce253"),
    _log("structure-2", "structure_white/test_evaluation_2", 17_358,
         "4ab90ea9ae2274e833c4fb1e44944c47e41c0f630fb999de80e43f0bf02b909c"),
    _log("structure-3", "structure_white/test_evaluation_3", 17_376,
         "0479b1981a6fd4145ad12571faaf4deca4603882565b056d64ad88d39b045f70"),
    _log("structure-4", "structure_white/test_evaluation_4", 17_355,
         "5fa387769460efdf4475dbb433098f1b2c93191c7c416e529c87bcb89584321d"),
    _log("defect-1", "defect_white/test_evaluation_1", 17_373,
         "3a6914b5921ac8eafc6034d070d69f10803b1960714299d05a322861c4040d70"),
    _log("defect-2", "defect_white/test_evaluation_2", 17_382,
         "9f6f9c627ac7c429d8c3bcb944d21b453208c1104438d2f82dbd5dfb98426be1"),
    _log("defect-3", "defect_white/test_evaluation_3", 17_355,
         "3c9e5a0790c50b47ed7e7ed2493503e94199d0cbd2ec742269d4eae73dfc9f44"),
    # The next two are one content under two names, as published.
    _log("defect-4", "defect_white/test_evaluation_4", 17_371,
         "cdffa81276867ca40331e88dd286d03bd48ae19999823f9ddf05ab18a4563109"),
    _log("defect-5", "defect_white/test_evaluation_5", 17_371,
         "cdffa81276867ca40331e88dd286d03bd48ae19999823f9ddf05ab18a4563109"),
    _bundled("weights/default", "weights/default.safetensors",
             "87c602a5632f8839fa8f55060653ba4938fef915680efa459c02908c77c57673",
             "the default network's weights (safetensors)"),
    *(
        _bundled(f"weights/{name}", f"weights/{name}.safetensors", digest,
                 f"a small network of the studies, {name} (safetensors)")
        for name, digest in _STUDIES.items()
    ),
    _bundled("example/simulated", "example_simulated.npz",
             "da0f4e5ebf8fe2710472970ad362f35e0529d0a6daf78e1ac6829a3fd61c6dc8",
             "a simulated image of a structure kept out of training (npz)"),
    _bundled("example/held-out", "held_out.npz",
             "e00457578f2540b69bde9836f1218c3bb8390f801355de1a7510c350ecb86123",
             "five simulated images of the benchmark's test split (npz)"),
    _bundled("example/focal-series", "focal_series.npz",
             "f920d4f2becea28c6440fe0f9521f9bb1bf98b75f26562f63f416496349f9c23",
             "one of these five at every defocus of the benchmark (npz)"),
    _weights("small", "unet-128-small.pt"),
    _weights("big", "unet-128-big.pt"),
    Item(
        name="authors-dataset",
        file="authors-dataset/",
        how="by hand",
        title="the authors' simulated images (zip files)",
        source=f"{_DRIVE}/1d0oF1-wf5X6jx-S-dm8UhZFwksa_2lXF",
        licence=_NOT_STATED,
        instructions="download the zip files of"
        f" {_DRIVE}/1d0oF1-wf5X6jx-S-dm8UhZFwksa_2lXF in a browser (in January 2026 it"
        " was reported to hold 964 of the 18,000 images)",
        without="simulate_benchmark() makes such images anew",
    ),
    Item(
        name="movie/PtCeO2_6",
        file="PtCeO2_6.tif",
        how="by hand",
        title="a counted movie of the same material by the same group (TIFF)",
        source="https://github.com/adriamm98/blind_video_denoisers",
        licence="not known here: see the source",
        instructions="clone https://github.com/adriamm98/blind_video_denoisers with git"
        " large-file storage and take PtCeO2_6.tif from it",
        without="nothing in this book needs it",
        digest="sha256:"
        "9ebea3bfbbaeddc3bc97a0f481439b3c8d5f957cb18a585ea9e7fca811e4da5b",
        size=599_467_362,
    ),
    Item(
        name="zenodo/14618961",
        file="zenodo-14618961/",
        how="by hand",
        title="data of the group's Science 2025 paper, doi 10.1126/science.ads2688",
        source="https://zenodo.org/records/14618961",
        licence="see the record",
        instructions="download the files of https://zenodo.org/records/14618961",
        without="nothing in this book needs it",
    ),
)
# fmt: on

ITEMS: Mapping[str, Item] = MappingProxyType({item.name: item for item in _ROWS})
"""Every item by name; read-only."""
