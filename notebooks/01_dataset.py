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
# # The training data: simulated micrographs of platinum on ceria
#
# What varies between the images that the networks learn from: the structure of the particle, the thickness of the support, the tilt of the crystal, and the defocus of the lens. Everything here is computed, from the atoms on; no file of the authors is needed (the labels of contrast were once recovered from their logs).

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
import pandas as pd

import sbd
from sbd.benchmark import default_recipes
from sbd.benchmark.recipes import contrast_label
from sbd.companion.frames import draw_frames
from sbd.companion.pages.dataset import show_dataset
from sbd.simulation import DEFOCI, PARTICLES, THICKNESSES, TILTS

sbd.check_parameters()
size = sbd.at_scale(scale)
recipes = default_recipes()
chosen = [(focus, tilt) for focus in (0, 6, 10) for tilt in ((3.0, 0.0), (0.0, 2.0))]
atoms = sbd.pt_on_ceria("PtNp2", thickness=40.0)
tilts = list(dict.fromkeys(tilt for _, tilt in chosen))
waves = dict(zip(tilts, sbd.exit_wave(atoms, grid=size.grid, tilts=tilts), strict=True))
images = {
    f"{focus} nm, {max(tilt):g}\u00b0 about {'y' if tilt[1] else 'x'}": sbd.form_image(
        waves[tilt], defocus=10 * focus, samples=512
    )[: int(0.88 * 512), 10:-60]
    for focus, tilt in chosen
}

# %% tags=["hide-input"] mystnb={"figure": {"caption": "The dataset: (a) structures, (b) thickness of the support, (c) tilt of the crystal, (d) images of one specimen at three defocus values (rows) and two tilts (columns), all on one grey scale.", "name": "fig-dataset"}, "image": {"alt": "Four groups of panels. Three atomic models of a platinum particle on a ceria support; the model at two thicknesses in perspective; the model untilted and tilted; and six simulated images with scale bars, each named by its defocus and tilt, with a grey bar in electrons per pixel.", "width": "100%"}}
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
    pixel_size=50.0 / 512,
)
table = pd.DataFrame({
    "contrast": [contrast_label(40, tilt, float(focus)) for focus, tilt in chosen],
    "darkest (e/pixel)": [round(float(i.min()), 3) for i in images.values()],
    "brightest (e/pixel)": [round(float(i.max()), 3) for i in images.values()],
}, index=pd.Index(images, name="defocus, tilt"))  # fmt: skip
numbers = {
    "source": "simulated",
    "structures": len(recipes),
    "particles": len(PARTICLES),
    "images": count,
    **{key.partition(" ")[0]: list(table[key]) for key in table},
}
numbers = sbd.save_figure(fig, "01_dataset", numbers, figures)

# %% [markdown]
# One multislice calculation serves every defocus, because the lens acts after the specimen. The authors call an image black, white or intermediate by its thickness, tilt and defocus:

# %%
table

# %% [markdown]
# ## Through focus
# The same exit wave at eight of the defocus values, on one grey scale. Columns turn from dark to bright, and their spots move although the atoms stay where they are: the crystal is tilted.

# %% tags=["hide-input"] mystnb={"figure": {"caption": "One exit wave through focus, all panels on one grey scale, that of the bars.", "name": "fig-focus"}, "image": {"alt": "Eight simulated images of the same particle in two rows, each named by its defocus, with scale bars and grey bars; the contrast of the atomic columns changes from panel to panel.", "width": "100%"}}
nanometres = [f"{focus:.0f} nm" for focus in DEFOCI]
series = sbd.form_image(waves[3.0, 0.0], defocus=[10 * f for f in DEFOCI], samples=400)
series = dict(zip(nanometres, series[:, 60:230, 80:310], strict=True))
panels = {f"defocus {f} nm": series[f"{f} nm"] for f in (0, 3, 6, 9, 12, 15, 18, 20)}
looks = {"limits": "shared", "pixel_size": 50.0 / 400}
fig = sbd.show_images(panels, columns=4, bar="electrons per pixel", **looks)
contrasts = [round(float(image.std()), 4) for image in panels.values()]
numbers = {"source": "simulated", "contrast": contrasts}
frames = draw_frames(series, width=340, **looks)
numbers = sbd.save_figure(fig, "01_dataset-focus", numbers, figures, frames=frames)

# %% [markdown]
# Every defocus of the benchmark, one nanometre apart:
#
# ```{series} 01_dataset-focus
# :label: Defocus
# :alt: Simulated image of a platinum particle on ceria
# :first: 6 nm
# The exit wave of the figure above, on one grey scale at every defocus.
# ```
