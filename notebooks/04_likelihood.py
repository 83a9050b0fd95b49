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
# # Which atoms to believe
#
# **The published map cannot tell which atoms were invented. Electrons that the denoiser has not seen can, or say that they are too few.**
#
# A denoiser may paint an atom that is not there. The paper asks the counts: are they more likely under the denoised image, or under vacuum? But the image was made from those very counts, and an invented atom is made of what they happen to favour. Below, the map is drawn as the paper draws it, beside verdicts on the same recording by counts that were held back. Where the truth is known, every invented atom is marked.

# %% tags=["parameters"]
scale = "default"  # "smoke", "default" or "paper"
seed = 19  # a selected draw: the heading of the figure tells from how many
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
import pandas as pd

import sbd
from sbd.companion.pages import likelihood

sbd.check_parameters()
size = sbd.at_scale(scale)
model = sbd.load_model()
micrograph = sbd.example_micrograph(
    source, rng=np.random.default_rng(seed), crop=size.crop
)

# %% [markdown]
# ## The map and the verdicts
#
# *The map.* Every column that the denoised image claims, faint ones too, gets the mean log likelihood ratio of its pixels: above zero, the counts prefer an atom there. The arrow is set by the counts alone: it points at the column of the surface whose ratio, in standard deviations of what vacuum would give, is lowest.
#
# *The verdicts.* The electrons are dealt out to parts, at random and several times. The network sees one part, and the others are asked for each column that it claims: are they what the image without this column would give? A column is supported, ruled out, or undecided.

# %%
judged = sbd.judge_columns(
    micrograph.noisy,
    lambda part: sbd.denoise_network(part, model, device=device),
    rng=np.random.default_rng(seed),
    deals=5,
    pixel=micrograph.pixel_size,
    threshold=0.15,
)
claimed = judged.columns
counts = micrograph.noisy, judged.denoised, claimed
ratios = sbd.likelihood_map(*counts, vacuum=micrograph.vacuum)
evidence = sbd.column_significance(*counts, vacuum=micrograph.vacuum)
surface = np.flatnonzero(sbd.surface_columns(claimed))
if not len(surface):
    raise ValueError(f"no column at a surface in {micrograph.title}")
suspect = surface[evidence[surface].argmin()]

# %% [markdown]
# Where the truth is known, it can be looked up afterwards: which of the claimed columns does the clean image not show?

# %%
false, truth = None, "unknown"
if micrograph.clean is not None:
    true = sbd.find_columns(micrograph.clean, threshold=0.15)
    match = sbd.match_columns(claimed, true, tolerance=1.0 / micrograph.pixel_size)
    false = np.isin(np.arange(len(claimed)), match.spurious)
    truth = np.where(false, "not there", "there")
table = sbd.tabulate_verdicts(judged).assign(truth=truth)
table = table.assign(ratio=ratios.ratios, score=evidence).sort_values("score")
odds = likelihood.read_odds()

# %% tags=["hide-input"] mystnb={"figure": {"caption": "One recording, asked twice. (a) Data, (b) denoised, (c) the likelihood map: discs at the columns, the vacuum in one colour, a white guard band between. (d) The verdicts of electrons that were held back. (e) to (h) The surroundings of the weakest column of the surface, at the arrow. Squares: columns that are not there, where that is known. The heading says which draw this is, and the odds of its kind.", "name": "fig-likelihood"}, "image": {"alt": "Noisy data, the denoised image, the likelihood map with a colour bar, and the denoised image with a ring or cross at each column; beside the last, a box of each enlarged, with an arrow at the weakest column. Where the truth is known, squares are around invented columns.", "width": "100%"}}
heading = likelihood.describe_draw(micrograph, seed, odds, false=false, weakest=suspect)
fig = likelihood.show_map_and_verdicts(
    micrograph, ratios, judged, suspect, false=false, heading=heading
)
numbers = {"source": micrograph.source, "seed": seed}
numbers |= likelihood.count_draw(ratios, judged, suspect, false=false)
numbers = sbd.save_figure(fig, "04_likelihood", numbers, figures)

# %% [markdown]
# ## This draw
#
# How many columns the map puts above zero and below, how many have which verdict, and how many of each kind are there.

# %%
signs = np.where(table["ratio"] < 0, "map: below zero", "map: above zero")
both = pd.concat([table.assign(says=signs), table.assign(says=table["verdict"])])
pd.crosstab(both["says"], both["truth"])

# %% [markdown]
# The columns with the lowest scores, by the same counts, and what held-back counts say of them.

# %%
shown = ["row [pixels]", "column [pixels]", "ratio", "score", "verdict", "truth"]
table[shown].head(8).round({**dict.fromkeys(shown[:2], 0), "ratio": 3, "score": 2})

# %% [markdown]
# ## Many draws
#
# One draw proves nothing, and the one above was selected; its heading says from how many. So the map was made again and again, with other counts of the same images, in two forms: with the denoised intensity of each pixel, as above, and with one mean for each disc, as the authors have it. AUC is the probability that an invented column has a lower value than a true one of the surface: at one half the map guesses, at one it knows. Fresh counts are those of another recording, which the denoiser has not seen. Errors are standard errors over the draws.

# %%
likelihood.tabulate_odds(odds)

# %% [markdown]
# ## What the map can tell, and what not
#
# * **It shows how well the counts agree with the image**, column by column, and nothing else.
# * **Above zero is no support.** Look at the inventions with a positive ratio: the counts that made them speak for them. A level that holds for counts which the denoiser has not seen does not hold for those it has: compare the p-values of the inventions on the same and on fresh counts.
# * **Below zero is no proof of an invention.** Look at the true columns among the discs with a negative ratio.
# * **The arrow always points somewhere**, whether a column was invented or not. Some order there is, or the AUC would be one half; but nothing in the map tells whether the weakest column is one to give up. How often it is depends on the image: compare the two.
# * **Electrons that were held back can tell.** A verdict states how often it may be wrong, and says "undecided" where the dose does not suffice. [The page on significance](11_significance.ipynb) puts that to the test.
