# ---
# jupyter:
#   jupytext:
#     cell_metadata_filter: tags,mystnb,-all
#     formats: ipynb,py:percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # The dataset
#
# What varies between the images that the networks learn from: the structure of the particle, the thickness of the support, the tilt of the crystal, and the defocus of the lens. Everything in the figure is computed here, from the atoms on.

# %% tags=["parameters"]
scale = "default"  # "smoke", "default" or "paper"
figures = "figures"

# %% tags=["hide-input"]
import subprocess
import sys
from importlib.metadata import version

repository = ""  # `make repository URL=...` writes the address here
if "google.colab" in sys.modules:
    if not repository:
        sys.exit("This book's repository has no address yet: nothing can be installed.")
    keep = [f"{name}=={version(name)}" for name in ("numpy", "torch")]
    pip = [sys.executable, "-m", "pip", "install", "--quiet", *keep]
    subprocess.run([*pip, f"sbd[simulation] @ git+{repository}"], check=True)

# %%
import sbd
from sbd.benchmark import default_recipes
from sbd.benchmark.recipes import contrast_label
from sbd.companion.pages.dataset import show_dataset
from sbd.simulation import DEFOCI, PARTICLES, THICKNESSES, TILTS

sbd.check_parameters()
size = sbd.at_scale(scale)
recipes = default_recipes()

# %% [markdown]
# ## Six images of one specimen
# One multislice calculation serves every defocus, because the lens acts after the specimen.

# %%
chosen = [(0.0, (3.0, 0.0)), (6.0, (3.0, 0.0)), (10.0, (3.0, 0.0)),
          (0.0, (0.0, 2.0)), (6.0, (0.0, 2.0)), (10.0, (0.0, 2.0))]  # fmt: skip
atoms = sbd.pt_on_ceria("PtNp2", thickness=40.0)
tilts = list(dict.fromkeys(tilt for _, tilt in chosen))
waves = dict(zip(tilts, sbd.exit_wave(atoms, grid=size.grid, tilts=tilts), strict=True))
images = [
    sbd.form_image(waves[tilt], defocus=10 * defocus, samples=512)[
        : int(0.88 * 512), 10:-60
    ]
    for pair in zip(chosen[:3], chosen[3:], strict=True)
    for defocus, tilt in pair
]

# %% mystnb={"figure": {"caption": "The dataset: (a) structures, (b) thickness of the support, (c) tilt of the crystal, (d) images of one specimen at two tilts (left about x, right about y) and three defocus values.", "name": "fig-dataset"}, "image": {"alt": "Four groups of panels. Three atomic models of a platinum particle on a ceria support; the model at two thicknesses in perspective; the model untilted and tilted; and six simulated images whose contrast changes with tilt and defocus.", "width": "100%"}}
count = len(recipes) * len(TILTS) * len(DEFOCI)
fig = show_dataset(
    {name: sbd.pt_on_ceria(name) for name in ("PtNp1", "PtNp4", "PtNp3")},
    {f"{t / 10:.0f} nm": sbd.pt_on_ceria("PtNp2", thickness=t) for t in (30.0, 60.0)},
    {"0 degrees": (atoms, 0.0), "4 degrees about x": (atoms, 4.0)},
    images,
    captions=(
        f"{len(recipes)} structures",
        f"{', '.join(f'{t / 10:.0f}' for t in THICKNESSES)} nm",
        "0 to 4 degrees,\nabout x or y",
        f"{len(DEFOCI)} defocus values: {count:,} images",
    ),
)
numbers = {
    "source": "simulated",
    "structures": len(recipes),
    "particles": len(PARTICLES),
    "images": count,
    "contrast": [contrast_label(40, tilt, defocus) for defocus, tilt in chosen],
    "brightest": [round(float(image.max()), 3) for image in images],
    "darkest": [round(float(image.min()), 3) for image in images],
}
numbers = sbd.save_figure(fig, "01_dataset", numbers, figures)

# %%
numbers

# %% [markdown]
# ## Through focus
# The same exit wave at eight of the defocus values. Columns turn from dark to bright, and their
# spots move by up to an angstrom, although the atoms stay where they are: the crystal is tilted.

# %% mystnb={"figure": {"caption": "One exit wave through focus, all panels on one grey scale.", "name": "fig-focus"}, "image": {"alt": "Eight simulated images of the same particle at defocus values from 0 to 20 nm; the contrast of the atomic columns changes from panel to panel.", "width": "100%"}}
foci = [0.0, 3.0, 6.0, 9.0, 12.0, 15.0, 18.0, 20.0]
series = sbd.form_image(waves[3.0, 0.0], defocus=[10 * f for f in foci], samples=400)
series = series[:, 60:230, 80:310]
titles = [f"{f:.0f} nm" for f in foci]
fig = sbd.show_images(
    dict(zip(titles, series, strict=True)), columns=4, limits="shared"
)
contrasts = [round(float(image.std()), 4) for image in series]
numbers = sbd.save_figure(
    fig, "01_dataset-focus", {"source": "simulated", "contrast": contrasts}, figures
)

# %%
numbers
