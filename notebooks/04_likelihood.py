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
# # Invented atoms: the likelihood map, and verdicts by held-back electrons
#
# A denoiser may paint an atom that is not there. The paper asks the counts: are they more likely under the denoised image, or under vacuum? But the image was made from those very counts. Here the map is drawn as the paper draws it, beside verdicts by electrons that the denoiser has not seen.

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

import sbd
from sbd.companion import wording
from sbd.companion.pages import likelihood

sbd.check_parameters()
size = sbd.at_scale(scale)
model = sbd.load_model()
rng = np.random.default_rng(seed)
micrograph = sbd.example_micrograph(source, rng=rng, crop=size.crop)
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
false, truth = None, "unknown"
if micrograph.clean is not None:
    true = sbd.find_columns(micrograph.clean, threshold=0.15)
    match = sbd.match_columns(claimed, true, tolerance=1.0 / micrograph.pixel_size)
    false = np.isin(np.arange(len(claimed)), match.spurious)
    truth = np.where(false, "not there", "there")
table = sbd.tabulate_verdicts(judged)
table = table.assign(ratio=ratios.ratios, score=evidence, truth=truth)
odds = likelihood.read_odds()
wording.tell_image(micrograph)

# %% tags=["hide-input"] mystnb={"figure": {"caption": "One recording, asked twice. (a) Data, (b) denoised, (c) the likelihood map: discs at the columns, the vacuum in one colour, a white guard band between. (d) The verdicts of electrons that were held back. (e) to (h) The surroundings of the weakest column of the surface, at the arrow, all on the scale of (e). The denoised images have one grey. Squares: columns that are not there, where that is known. The heading says which draw this is, and the odds of its kind.", "name": "fig-likelihood"}, "image": {"alt": "Noisy data, the denoised image, the likelihood map with a colour bar, and the denoised image with a ring or cross at each column; beside the last, a box of each enlarged, with an arrow at the weakest column. Where the truth is known, squares are around invented columns.", "width": "100%"}}
heading = likelihood.describe_draw(micrograph, seed, odds, false=false, weakest=suspect)
fig = likelihood.show_map_and_verdicts(
    micrograph, ratios, judged, suspect, false=false, heading=heading
)
numbers = {"source": micrograph.source, "seed": seed}
numbers |= likelihood.count_draw(ratios, judged, suspect, false=false)
numbers = sbd.save_figure(fig, "04_likelihood", numbers, figures)

# %% [markdown]
# ## The map and the verdicts
#
# *The map.* Every column that the denoised image claims, faint ones too, gets the mean log likelihood ratio of its pixels: above zero, the counts prefer an atom there. The arrow is set by the counts alone: it points at the column of the surface whose ratio, in standard deviations of what vacuum would give, is lowest.
#
# *The verdicts.* The electrons are dealt out to parts, at random and several times. The network sees one part, and the others are asked for each column that it claims: are they what the image without this column would give? A column is supported, ruled out, or undecided.
#
# *The truth*, where it is known, is looked up afterwards: a claimed column is not there if the clean image shows none within one angstrom of it.
#
# ## This draw
#
# How many columns the map puts above zero and below, how many have which verdict, and how many of each kind are there.

# %%
likelihood.count_verdicts(table)

# %% [markdown]
# The columns with the lowest scores, by the same counts, and what held-back counts say of them: p is how probable so much support is if the column is absent.

# %%
likelihood.list_weakest(table)

# %% [markdown]
# ## Many draws
#
# One draw proves nothing, and the one above was selected: its heading says how many others invent a column too, and in how many the arrow finds one. So the map was made again and again, with other counts of the same images, in two forms: with the denoised intensity of each pixel, as above, and with one mean for each disc, as the authors have it. AUC is the probability that an invented column has a lower value than a true one of the surface: at one half the map guesses, at one it knows. Fresh counts are those of another recording, which the denoiser has not seen. Errors are standard errors over the draws.

# %%
without = "This copy is without `book/measured`, where the table comes from."
likelihood.tabulate_odds(odds) if odds else wording.markdown(without)

# %% [markdown]
# ## What the map can tell, and what not
#
# * **It shows how well the counts agree with the image**, column by column, and nothing else.
# * **Above zero is no support.** Look at the inventions with a positive ratio: the counts that made them speak for them. A level that holds for counts which the denoiser has not seen does not hold for those it has: compare the p-values of the inventions on the same and on fresh counts.
# * **Below zero is no proof of an invention.** Look at the true columns among the discs with a negative ratio.
# * **The arrow always points somewhere**, whether a column was invented or not. Some order there is, or the AUC would be one half; but nothing in the map tells whether the weakest column is one to give up. How often it is depends on the image: compare the two.
# * **Electrons that were held back can tell.** A verdict states how often it may be wrong, and says "undecided" where the dose does not suffice. [The page on significance](11_significance.ipynb) puts that to the test.
