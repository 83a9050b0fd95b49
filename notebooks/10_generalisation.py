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
# # Generalization of denoising networks to other kinds of image
#
# A network only knows what it was shown. The paper asks how much that matters: networks were trained on images of one contrast, of one particle, or of one kind of defect, and tested on all {cite}`mohan2022`.

# %% tags=["parameters"]
scale = "default"  # "smoke", "default" or "paper"
seed = 0
device = "auto"  # "cpu", "cuda" or "mps"
source = "auto"  # "authors" draws their heat maps too, "simulated" only ours
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
from sbd.companion.pages import generalisation
from sbd.companion.wording import markdown, read_measured, tell_copy

sbd.check_parameters()
size = sbd.at_scale(scale)
tests = {}
try:
    if source != "simulated":
        studies = generalisation.STUDIES
        tests["theirs"] = {s: generalisation.published_tests(s) for s in studies}
except sbd.DataUnavailableError:
    if source == "authors":
        raise
origin = {"source": "authors" if tests else "simulated", "seed": seed}
shown = "Above: what the authors' networks reached, by their evaluation logs. Below: small networks of this project."
missing = (
    "their networks' evaluation logs are not shown, only small networks of this project"
)
tell_copy(whole=bool(tests), shown=shown, missing=missing)

# %%
rest = "filter"
number, tests["ours"] = 2 * size.draws, {}
for study in generalisation.STUDIES:
    images = generalisation.draw_test_images(
        study, number=number, seed=seed, grid=min(size.grid, 512)
    )
    denoisers = generalisation.load_networks(study, device=device)
    denoisers[rest] = [sbd.denoise_windowed_fourier]
    tests["ours"][study] = generalisation.score_networks(denoisers, images, seed=seed)
maps = {
    whose: {s: generalisation.generalisation_map(t) for s, t in each.items()}
    for whose, each in tests.items()
}

# %% mystnb={"figure": {"caption": "Mean PSNR (dB) of networks trained on one kind of image (rows) and tested on another (columns); bold: on their own kind. Below it, and as the colour, by how much that is more or less than the network of the kind that is tested on has on the same images, with the standard error over images, whose number is in brackets, and, of ours, over trainings.", "name": "fig-generalisation"}, "image": {"alt": "Heat maps with numbers in each cell, for contrast, structure and defect, red where a network does better than that of the column's kind and blue where it does worse; the last row of each map of this project is a filter that learnt nothing.", "width": "100%"}}
fig = generalisation.show_heat_maps(tests)
numbers = {
    f"{whose} {study}": heat.round(2).T.to_dict()
    for whose, each in maps.items()
    for study, heat in each.items()
}
numbers |= generalisation.describe_gains(tests)
numbers = sbd.save_figure(fig, "10_generalisation", origin | numbers, figures)

# %% [markdown]
# **Read columns, not rows.** Kinds of image differ in how hard they are for any method; the filter's row says by how much. So a network is compared within a column, image by image, with the network of the kind that is tested on. The most that one loses there, the extreme of all cells, so that a loss of one or two of its errors is none:

# %%
markdown(generalisation.tell_losses(tests, rest))

# %% [markdown]
# Contrast is a matter of focus, thickness and tilt, and a microscopist does not know these before: what is lost there is lost in practice, where a network was trained on one contrast alone.
#
# What a network is worth on its own kind, and on the others:

# %%
generalisation.summarise(maps, leave=rest)

# %% [markdown]
# ## The networks, and the images
#
# Of the authors' networks there are the evaluation logs, PSNR by their metric of every image of their test set. Of the logs on defects two are one file under two names, so that their rows Dh and Ds are one result ([differences](../differences.md)).
#
# Ours are small ones of the kind that the [default](07_networks.ipynb) begins with, trained for the same few minutes each, twice from different seeds, on the part of the benchmark that the paper's split leaves to each. What the two differ by, on all kinds taken together, is in the errors of a network; two trainings tell it roughly. The test images are simulated here, at parameters drawn from those of the authors' test set, with one draw of the counts each: the errors over images are of means over that set, not over structures that it lacks. Most structures among them were in training at other parameters, as in the paper.
#
# ## Is it better than not to train at all?
#
# The filter is the windowed Fourier threshold, which learnt nothing. Beside it, kind by kind, the network that was trained on that kind; n images of each, and the standard error over them. SSIM is the structural similarity of the authors' code.

# %%
generalisation.tabulate_kinds(tests["ours"], rest)

# %%
markdown(generalisation.tell_filter(tests["ours"], rest))

# %% [markdown]
# ## Specimens that nobody showed it
#
# The paper's split is one of single images: most structures of its test set were in training at another focus or tilt. So here a whole kind of specimen was kept from a network of the same size, one kind at a time: the thickest, the largest tilts, one particle. All is tested on structures that no network here learnt from. A structure is a particle with its defect, thickness and variant: the same particle at another thickness may have been shown. The table gives by how many decibels each is ahead of the same network that was shown all kinds, on the same counts, with a standard error over structures and over two trainings of each; images and structures are in brackets, and an image of one kind is of none of the others.

# %%
record = read_measured("kept_out")
without = "This copy is without `book/measured`, where the table comes from."
generalisation.tabulate_kept_out(record) if record else markdown(without)

# %% [markdown]
# On the kind that was kept from it, each is ahead by so much, or behind:

# %%
markdown(generalisation.tell_kept_out(record) if record else "")

# %% [markdown]
# The networks of this page are small and were trained for minutes; the [default](07_networks.ipynb), which was trained for hours on all kinds and is far ahead of the filter, is not among them. What *it* would lose on what it never saw was not tested like this.
