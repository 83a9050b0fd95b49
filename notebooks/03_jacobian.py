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
# # What a denoising network looks at: its Jacobian as a filter
#
# A denoised pixel is a weighted sum of the recorded ones, with weights that depend on the image, plus a constant: $f_i(y) = \langle \nabla f_i(y), y \rangle + b_i$. The row of weights shows where the network looks; the net bias $b_i$ says how much of the value it does not explain.

# %% tags=["parameters"]
scale = "default"  # "smoke", "default" or "paper"
seed = 0
device = "auto"  # "cpu", "cuda" or "mps"
source = "auto"  # "real", "authors" or "simulated" micrograph
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
import numpy as np

import sbd
from sbd.companion import wording
from sbd.companion.pages import jacobian

sbd.check_parameters()
model = sbd.load_model()
rng = np.random.default_rng(seed)
micrograph = sbd.example_micrograph(source, rng=rng, crop=sbd.at_scale(scale).crop)
denoised = sbd.denoise(micrograph.noisy, model, device=device)
columns = sbd.find_columns(denoised)
distance = columns.positions - np.multiply(denoised.shape, (0.68, 0.35))
if not len(columns):
    raise ValueError(f"no atomic column to look at in {micrograph.title}")
pixel = tuple(int(p) for p in columns.positions[np.hypot(*distance.T).argmin()].round())
row, bias = sbd.jacobian_row(model, micrograph.noisy, pixel, device=device)
heading = wording.describe_micrograph(micrograph)
wording.tell_image(micrograph)

# %% tags=["hide-input"] mystnb={"figure": {"caption": "The gradient of one denoised pixel (red), the centre of an atomic column, with respect to the recorded ones. (a) Noisy, (b) denoised, (c) denoised in the red box, in which a circle around the pixel holds half of the squared weight, (d) the gradient in the same box: electrons per pixel more in the denoised pixel for one electron more there. Weights beyond the deepest colour, one in 500, are drawn as if they had it.", "name": "fig-jacobian"}, "image": {"alt": "Four panels with scale bars: the noisy image with a red pixel in a red box, the denoised image with the same box, the box enlarged, and the gradient in it from blue, negative weights, to red, positive ones, with a colour bar.", "width": "100%"}}
top, left, height, width = box = jacobian.box_of_weight(row, pixel)
inside = np.s_[top : top + height, left : left + width]
fig = jacobian.show_row(row, denoised, micrograph, pixel, box, heading=heading)
numbers = {
    "source": micrograph.source,
    "seed": seed,
    "denoised": round(float(denoised[pixel]), 3),
    **jacobian.list_row(row, bias, micrograph.noisy, pixel, box),
}
numbers = sbd.save_figure(fig, "03_jacobian", numbers, figures)

# %% [markdown]
# Weights are equal in squares of 4 x 4 pixels, because the default network adds up the counts in such squares first, and beyond the box there is weight as well: the field of view of this network is the whole image. Which Fourier coefficients stand clear of the noise, and which places are averaged, is held fixed in the derivative.
#
# ## A filter for one pixel
#
# Of all linear filters, the row is the one that the network is at this pixel. Its spectrum tells which waves pass. A blur lets only slow ones pass, in a disc in the middle; spots away from it are waves of the crystal. And summed over the discs of the columns, the row tells whom the pixel borrows from.
#
# The authors also look at guided backpropagation, which goes back through the network but lets only what is positive pass each ReLU. It is drawn for the paper's own network, of 4 scales and 128 channels, which this project [trained for minutes on a GPU](../data.md), beside that network's row. It is no derivative, and says nothing of what negative weights between the layers take away.

# %% tags=["hide-input"] mystnb={"figure": {"caption": "(a) What of each wave passes into the pixel, zero frequency in the middle, one scale along both axes. (b) Weight of each column's disc in the pixel (orange): area and colour of a disc. (c) The gradient of the paper's network, trained here, (d) its guided backpropagation, both of the red box of the figure above, alone.", "name": "fig-jacobian-filter"}, "image": {"alt": "A spectrum with axes in inverse angstrom, the denoised image with discs from blue over white to red on its columns, and two maps of weights around the pixel; all with colour bars, the last three with scale bars.", "width": "100%"}}
table = sbd.column_weights(row, columns, pixel)
paper = sbd.load_model("weights/paper-4x128")
part, there = micrograph.noisy[inside], (pixel[0] - top, pixel[1] - left)
plain, offset = sbd.jacobian_row(paper, part, there, device=device)
guided = sbd.guided_backpropagation(paper, part, there, device=device)
maps = {"Gradient, paper's network": plain, "Guided backpropagation": guided}
filtering = sbd.filter_spectrum(row), denoised, table, pixel, maps
fig = jacobian.show_filter(
    *filtering, pixel_size=micrograph.pixel_size, heading=heading
)
both = jacobian.describe_rows(
    (row, bias, denoised),
    (plain, offset, sbd.denoise(micrograph.noisy, paper, device=device)),
    micrograph, columns, pixel, box,
)  # fmt: skip
numbers = {
    "source": micrograph.source,
    "share_far": round(float(table.query("distance > 110")["share"].sum()), 2),
    "passes_at_zero": round(float(row.sum()), 2),
    **jacobian.list_rows(both),
}
numbers = sbd.save_figure(fig, "03_jacobian-filter", numbers, figures)

# %% [markdown]
# ## What the weights explain, and where they lie

# %%
jacobian.tabulate_rows(both)

# %%
wording.markdown(jacobian.tell_rows(*both.values()))

# %% [markdown]
# The paper calls its network bias-free; the checkpoint behind its own figure has biases, and its notebook prints 0.525 = 0.067 + 0.458: what the gradient explains, and the net bias. Our default network works on brightness relative to the local mean, and that mean is part of the gradient: whatever constants its layers hold, the gradient accounts for the whole value.
