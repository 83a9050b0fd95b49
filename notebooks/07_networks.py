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
# # Can the network be trusted? Doses, empty vacuum, columns lost and invented
#
# One number on one image, as on [the page of comparisons](02_comparison.ipynb), says little about the next image. Here the network that comes with this project is put to three tests that a microscopist would ask for. What becomes of it at other doses? What does it make of nothing? And which atomic columns does it find, which does it lose, and which does it invent?

# %% tags=["parameters"]
scale = "default"  # "smoke", "default" or "paper"
seed = 0
device = "auto"  # "cpu", "cuda" or "mps"
source = "auto"  # "authors" or "simulated" image beside the bundled one
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
import json
import tempfile

import numpy as np

import sbd
from sbd.audits import benchmark_audit as audit
from sbd.companion.pages import networks

sbd.check_parameters()
size = sbd.at_scale(scale)
model = sbd.load_model()
rivals = "windowed Fourier", "PURE-LET", "Gaussian"
denoisers = {"network": lambda noisy: sbd.denoise(noisy, model, device=device)}
denoisers |= {name: sbd.classical_denoisers()[name] for name in rivals}
truths = sbd.example_truth("simulated"), sbd.example_truth(source)
cleans = {title: clean[: size.crop, : size.crop] for clean, title in truths}
origin = {"source": "simulated" if len(cleans) == 1 else "authors", "seed": seed}
card = json.loads(sbd.fetch("weights/default").with_suffix(".json").read_text())
networks.tell_images(list(cleans))

# %% tags=["hide-input"] mystnb={"figure": {"caption": "PSNR by dose, all methods on the same counts: means over draws with standard errors; the network was trained at the doses that are shaded.", "name": "fig-networks-dose"}, "image": {"alt": "Charts with four rising lines over a logarithmic axis of doses, one chart for each image.", "width": "100%"}}
doses = [0.45, 10.0] if size.crop else [0.05, 0.1, 0.45, 2.0, 10.0, 30.0]
how = {"doses": doses, "seed": seed}
table = sbd.dose_curve(denoisers, cleans, **how, draws=size.draws)
numbers = networks.list_doses(table)
looks = {"trained": networks.learnt_doses(card), "heading": networks.DOSE}
fig = networks.show_doses(table, **looks)
numbers = sbd.save_figure(fig, "07_networks-dose", origin | numbers, figures)

# %% [markdown]
# ## At other doses
#
# The same clean image, counted at several doses. So that doses can be compared, every result is scaled back to the vacuum level of the paper before it is judged. The shaded doses are those that the network learnt from. A good denoiser gains from every electron, and never falls below a filter that needs no training: where the lines meet, the filter is the safer choice, because nothing in it was learnt.

# %%
networks.tabulate_doses(table)

# %% [markdown]
# ## What it makes of nothing
#
# Vacuum counts hold nothing but noise, so whatever structure is in the result was invented. How much there is matters less than what it looks like. A cloudy rest, as a blur leaves it, nobody takes for atoms. Fringes and lattices are another matter. Their power stands in a few isolated peaks of the spectrum, where noise, smoothed in whatever way, has none; the last chart shows the share of the power that these peaks hold. Read it together with the one beside it, since a large share of very little is very little, and look at the map, since a small patch of lattice counts little.

# %% tags=["hide-input"] mystnb={"figure": {"caption": "Denoised counts of pure vacuum. Above, at the paper's dose, each map on a scale of its own; below, for every dose, the deviation from flat, and how much of it is fringes or lattice.", "name": "fig-networks-vacuum"}, "image": {"alt": "Four maps in blue and red, one for each denoiser, with its range in percent of the dose below. Below them, two charts with a line for each denoiser over the dose: the deviation from flat, and its periodic share.", "width": "100%"}}
rng, nothing = np.random.default_rng(seed), np.full((512, 512), sbd.VACUUM)
empty = sbd.poisson_noise(nothing, rng=rng)
maps = {name: denoise(empty) for name, denoise in denoisers.items()}
responses = {name: sbd.vacuum_response(f, **how) for name, f in denoisers.items()}
fig = networks.show_vacuum(maps, responses, dose=sbd.VACUUM, heading=networks.DOSE)
numbers = {name: table.round(4).to_dict("list") for name, table in responses.items()}
numbers = sbd.save_figure(fig, "07_networks-vacuum", origin | numbers, figures)

# %% [markdown]
# The network in full:

# %%
networks.tabulate_vacuum(responses["network"])

# %% [markdown]
# ## Columns found, lost and invented
#
# A structure of the test split, so not one that the network was trained on, simulated here through focus. Columns are looked for in the denoised image by the library's finder and matched with the places of the atoms. What counts as lost is a column that the same finder sees in the clean image; what counts as invented is one where there are no atoms, outside the support, and where the clean image shows nothing either.

# %% tags=["hide-input"] mystnb={"figure": {"caption": "Some images of the focal series: clean above, denoised counts of the paper's dose below, each pair on one grey scale. Circles: columns that were lost; crosses: invented ones.", "name": "fig-networks-columns"}, "image": {"alt": "Clean images of a platinum particle on ceria at several defocus values, above the denoised ones, with scale bars and grey bars. Blue circles mark columns that were lost, red crosses invented ones.", "width": "100%"}}
foci = [6.0] if size.crop else [1.0, 2.0, 4.0, 6.0, 10.0, 16.0]
recipe = sbd.Recipe("PtNp2", "Dh", 40.0)
two = {name: denoisers[name] for name in ("network", "windowed Fourier")}
with tempfile.TemporaryDirectory() as folder:
    how = {"recipes": [recipe], "tilts": [(3.0, 0.0)], "defoci": foci}
    images = sbd.simulate_benchmark(folder, **how, grid=size.grid, progress=False)
    looks = audit.inspect_rows(two, images, range(len(images)), seed=seed)
sums = networks.sum_columns(looks)
fig = networks.show_inspections(looks["network"][::2], heading=recipe.name)
numbers = origin | {name: column.round(2).to_dict() for name, column in sums.items()}
numbers = sbd.save_figure(fig, "07_networks-columns", numbers, figures)

# %% [markdown]
# All images of the series, and all their platinum columns. A ghost is found in the clean image where there are no atoms.

# %%
networks.tabulate_columns(sums)

# %% [markdown]
# Why are some lost? The counts of a single column may not suffice to tell it from vacuum. An observer who knows where it would be and what it would look like has an expected score, the contrast of the column in standard deviations of its counts. Columns of a high score are found by any good method. Those of a low one can be known from their neighbours alone, by continuing the lattice, and this is how a column is invented, too.

# %% tags=["hide-input"] mystnb={"figure": {"caption": "Platinum columns by defocus: (a) the share that is found, dotted what the finder sees in the clean image, (b) invented ones. (c) The share found by the score that a column's own counts can reach. One image at each defocus, one draw of its counts.", "name": "fig-networks-scores"}, "image": {"alt": "Three charts with a line for the network and one for the windowed Fourier filter: the share of columns found by defocus, the number of invented columns by defocus, and the share found by the expected score.", "width": "100%"}}
fig = networks.show_column_audit(looks)
scores = {name: audit.found_by_score(ones).round(2) for name, ones in looks.items()}
numbers = {name: table["found_share"].to_dict() for name, table in scores.items()}
numbers = sbd.save_figure(fig, "07_networks-scores", origin | numbers, figures)

# %% [markdown]
# ## How it was trained
#
# On simulated images alone, with counts drawn anew at every step. No image of the authors was among them, nor the bundled one. Validation images are of structures that the network does not learn from, and each run has its own. Where the curve still rises, more training would help; where it is flat, it takes another network or other images.

# %% tags=["hide-input"] mystnb={"figure": {"caption": "The training of the default weights, run by run; each begins with what the one before came to. Above, quality on validation images, below, loss on the images of each step. Each run has images of its own, and so axes of its own: levels of different runs do not compare.", "name": "fig-networks"}, "image": {"alt": "Two rows of charts over the training steps, a column for each run: above, the PSNR on validation images, below, the loss.", "width": "100%"}}
fig = networks.show_training(card)
numbers = sbd.save_figure(fig, "07_networks", origin | card["metrics"], figures)

# %% [markdown]
# What came of it, measured with the final weights, with the standard error of the mean over draws of the counts:

# %%
networks.tabulate_metrics(card["metrics"])

# %% [markdown]
# What each run drew its examples from. [Data and weights](../data.md) has all the rest.

# %%
networks.tabulate_drawing(card)

# %% [markdown]
# ## What to trust
#
# * **That there is a column, inside the particle, at a defocus where the clean contrast is strong.** The value drawn there is another matter: it is mostly an average over other columns ([by how much](03_jacobian.ipynb)), so its brightness is not its own.
# * **A column at the rim: look twice.** There the network continues the lattice by habit, and the counts of one column are too few to stop it. [The likelihood map](04_likelihood.ipynb) says what they are worth.
# * **A missing column is no proof of absence** near the focus at which contrast reverses, nor in a particle of a few atoms' thickness.
# * **A faint lattice in the vacuum may be nothing.** What is no stronger than the largest excursion that denoised vacuum shows at your dose, several times the deviation in the chart above, is no evidence of anything.
# * **Another dose than those trained on:** the chart goes a little beyond them, on one image. **Another pixel size, another material:** nothing on this page speaks for the network. Use the windowed Fourier filter beside it, and believe what both show.
#
# This page has one structure and one draw of the counts. `python book/measured/audit.py BENCHMARK` does the same over structures, tilts and defoci of the whole test split.
