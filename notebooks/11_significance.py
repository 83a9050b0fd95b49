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
# # Is this atom real? A statistical test for columns in a denoised micrograph
#
# A denoiser draws atoms, and not all of them need be there. Here the recorded electrons are asked for each: whether they rule out the same image *without this column*. The answer is one of three verdicts: supported, ruled out, or, for many columns at a low dose, undecided.

# %% tags=["parameters"]
scale = "default"  # "smoke", "default" or "paper"
seed = 0
device = "auto"  # "cpu", "cuda" or "mps"
source = "auto"  # "authors" or "simulated" image; the truth has to be known here
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
from sbd import plotting
from sbd.companion.pages import significance
from sbd.companion.wording import tell_copy
from sbd.evidence import calibration

sbd.check_parameters()
size = sbd.at_scale(scale)
model = sbd.load_model()
denoisers = {
    "network": lambda noisy: sbd.denoise_network(noisy, model, device=device),
    "Gaussian": sbd.denoise_gaussian,
}
clean, title = sbd.example_truth(source)
clean = clean[: size.crop, : size.crop]
origin = {"source": "authors" if "authors" in title else "simulated", "seed": seed}
missing = f"what needs an image is shown for {title}"
tell_copy(
    whole=origin["source"] == "authors", shown=f"Shown for {title}.", missing=missing
)

# %% mystnb={"figure": {"caption": "What to believe in one recording. Invented columns are marked because the truth is known here; the verdicts do not know it.", "name": "fig-significance-columns"}, "image": {"alt": "A denoised particle with a mark on every column in the look of its verdict, a chart of electrons with intervals for every column, and a staircase of decided columns by dose.", "width": "100%"}}
true = sbd.find_columns(clean, threshold=0.15)
deals = 1 if size.crop else 5
noisy = sbd.poisson_noise(clean, rng=np.random.default_rng(seed))
how = {"deals": deals, "threshold": 0.15}
judged, again = (
    sbd.judge_columns(noisy, denoisers["network"], rng=np.random.default_rng(k), **how)
    for k in (seed, seed + 1)
)
false = np.zeros(len(judged.columns), bool)
false[sbd.match_columns(judged.columns, true, tolerance=16.0).spurious] = True
fig = plotting.show_verdicts(judged, false=false, recorded=0.45, heading=title)
numbers = significance.count_verdicts(judged, false)
numbers = sbd.save_figure(fig, "11_significance-columns", origin | numbers, figures)

# %% [markdown]
# ## What the verdicts mean
#
# The electrons are dealt out, each by chance, to a few recordings; since counts are Poisson, these know nothing of each other. The network sees one of them, and the others are asked whether it was right. [The likelihood map](04_likelihood.ipynb) weighs each column with the counts that the network has already used; that is like letting a witness grade his own testimony.
#
# Of the *supported* columns at most one in twenty is not there, on average. *Ruled out* means that not even half of what is claimed is there, with the same rate of errors. Each column comes with the electrons that it adds, and their interval; with the *power*, the probability of support if it is there; and with the dose at which a recording like this one would decide. The image above is counted once, at the paper's dose, and its truth is known: a column is invented if the clean image shows the finder none within an angstrom. How many true and invented columns got which verdict, and what share of all verdicts another seed of the deals changes:

# %%
significance.tabulate_truth(judged, again, false)

# %% [markdown]
# ## Again and again
#
# One recording proves little, so the whole is repeated with other counts. Of the columns that the network invents, how many does the test let pass? And of the true ones, how many does it support, and how many should it, by its own power?

# %%
how = {"draws": 2 if size.crop else 4, "deals": 1 if size.crop else 2}
how |= {"seed": seed, "threshold": 0.15}
repeated = calibration.judge_repeatedly(clean, denoisers["network"], true, **how)
significance.tell_draws(repeated)

# %%
significance.tabulate_draws(repeated)

# %% [markdown]
# ## Where there is nothing
#
# Counts of pure vacuum, at several doses, denoised; then discs on a square grid are tested as if they were columns, with what the denoiser claims there. There are none, so p-values should be uniform: a level of 1 % should be met by 1 % of the discs. They are tested three ways: on other counts, on the second part of a split recording, as above, and on the very counts that made the claim, of which a denoiser that follows the noise finds more than there is.

# %% mystnb={"figure": {"caption": "Discs in pure vacuum: the share of p-values up to a level, against the level. A test that keeps what it promises lies on the dotted line, one above it promises too much.", "name": "fig-significance"}, "image": {"alt": "Two charts on logarithmic axes, one for each denoiser, with a line for each of the three ways of testing beside the dotted diagonal; the legend names the ways.", "width": "100%"}}
doses = [0.45] if size.crop else [0.1, 0.45, 1.0, 2.0, 5.0]
how = {"doses": doses, "images": max(1, size.draws // 2), "seed": seed}
how["shape"] = (size.crop or 720, size.crop or 720)
tables = {name: calibration.calibrate(f, **how) for name, f in denoisers.items()}
fig = significance.show_calibration(significance.group_p_values(tables))
sums = {n: calibration.summarise_calibration(table) for n, table in tables.items()}
sums = pd.concat(sums)
numbers = significance.list_calibration(sums)
numbers = sbd.save_figure(fig, "11_significance", origin | numbers, figures)

# %% [markdown]
# In per cent of the discs, with standard errors. Last, whether a Kolmogorov-Smirnov test at 5 % lets all p-values be spread evenly.

# %%
significance.tabulate_calibration(sums)

# %% [markdown]
# ## The image without this column
#
# A column has to be told from what would be there without it. Beside a particle that is seldom plain vacuum: neighbours and fringes reach there too, and with enough electrons a fringe passes for an atom. So a small network has learnt, from simulated pairs of specimens with and without single columns, what an image shows where a column is taken away, and how far that is to be doubted. It needs neither the vacuum nor the dose. [What was measured](../measurements.md) tells how often the test finds a column at an empty site of a particle that this network never saw, focus by focus, against this and against vacuum.

# %% mystnb={"figure": {"caption": "A few columns of the clean image, above, and below what the eraser says would be there without them. Half of them are of the surface, where the image has some. The number is the doubt, as a part of the column; only the disc that is tested is replaced.", "name": "fig-significance-erased"}, "image": {"alt": "Two rows of small pictures, eight across: an atomic column in the middle of each, with a number above, and below the same places with the disc in the middle replaced; a scale bar.", "width": "100%"}}
some = significance.choose_columns(true, clean.shape, 8)
fig, doubts = significance.show_erased(clean, some, heading=title)
numbers = {"columns": len(some), "median doubt": round(float(np.median(doubts)), 3)}
numbers = sbd.save_figure(fig, "11_significance-erased", origin | numbers, figures)

# %% [markdown]
# ## On recorded electrons
#
# All of the above counts electrons in the computer. A camera's electrons may differ: it counts some twice, or two as one. So the p-values were tried on a recording of nothing but vacuum ([where it comes from](../data.md)), with columns that are not there, at the dose of the recording and thinned to the paper's. A share below the level errs to the safe side. `KS` is the p-value of the test that p-values are spread evenly.

# %%
significance.tabulate_recorded()

# %% [markdown]
# ## What to take from it
#
# * **Supported columns may be believed**, up to the stated rate of errors, whatever the denoiser was trained on, if not on this recording: it has not seen the counts that were asked. How often they were wrong was [measured](../measurements.md) for each denoiser; for the small network of the paper's kind, on few specimens, the rate is known no better than to within itself.
# * **An undecided one is an open question.** The remedy is dose, or several frames, and the chart says how much.
# * **The deals are put together.** Each part of the electrons claims in its turn, many times over, and e-values put the deals together in a way that stays valid whatever these have in common. How many verdicts another seed changes, with as few deals as on this page, is in the first table.
# * **The image is the family.** The rate of errors is among the columns supported in *this* image. Whoever looks at one particle should crop to it before, not after, the verdicts are seen.
# * **It refuses what are no independent electrons**: detector units, a common divisor, clipped or averaged values, hot pixels, neighbours that share electrons. Areas without dose are left out.
# * **Where it is tightest.** The more electrons, the smaller an error of the null that they see. [What was measured](../measurements.md) gives the rates at empty sites dose by dose and focus by focus, in uneven light and on carbon films too: look there before relying on verdicts far above the paper's dose.
# * **What remains assumed** is that the image without the column can be told: the eraser knows platinum on ceria as it is simulated here, in and out of the tests. For another material make one from its structures: `python -m sbd.companion.make.eraser FOLDER --atoms FILES --file ERASER`. It knows carbon films of up to 12 nm, whose speckles denoisers take for columns by the hundred: hardly one of them is supported, and on a thick film few columns are either. The test against vacuum is still there, as `vacuum="auto"`; it refuses a vacuum that the image does not have, and beside a particle it finds too much, the more the higher the dose (measured there, too).
