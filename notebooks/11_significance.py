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
# # How sure can one be of a column?
#
# [The likelihood map](04_likelihood.ipynb) weighs each column against vacuum with the counts that the network has already used. That is like letting a witness grade his own testimony. Here the electrons are dealt out first, each by the toss of a coin, to one of two recordings. Since counts are Poisson, the two know nothing of each other. The network sees the one, and the other is asked whether it was right. What comes out is a probability that means what it says.

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

# %% [markdown]
# ## Where there is nothing
#
# Counts of pure vacuum, at several doses, denoised; then discs on a square grid are tested as if they were columns, with what the denoiser claims there. There are none, so p-values should be uniform: a level of 1 % should be met by 1 % of the discs. Tested on other counts they are, and on the second part of a split recording as well. Tested on the counts that made the claim, small p-values are far too frequent, more so for a denoiser that follows the noise.

# %% mystnb={"figure": {"caption": "Discs in pure vacuum: the share of p-values up to a level, against the level. On the dotted line a test keeps what it promises.", "name": "fig-significance"}, "image": {"alt": "Two charts on logarithmic axes: the lines of independent and split counts lie on the diagonal, that of the same counts far above it.", "width": "100%"}}
doses = [0.45] if size.crop else [0.1, 0.45, 1.0, 2.0, 5.0]
how = {"doses": doses, "images": max(1, size.draws // 2), "seed": seed}
how["shape"] = (size.crop or 720, size.crop or 720)
tables = {name: calibration.calibrate(f, **how) for name, f in denoisers.items()}
p_values = {
    name: {way: rows["p"].to_numpy() for way, rows in table.groupby("way", sort=False)}
    for name, table in tables.items()
}
fig = significance.show_calibration(p_values)
sums = {n: calibration.summarise_calibration(table) for n, table in tables.items()}
numbers = {
    f"{n}, {way}": row.round(4) for n, t in sums.items() for way, row in t.T.items()
}
numbers = {name: row.to_dict() for name, row in numbers.items()}
numbers = sbd.save_figure(fig, "11_significance", origin | numbers, figures)

# %%
pd.concat(sums).round(3)

# %% [markdown]
# ## Columns of a particle
#
# The same for an image whose truth is known, at the paper's dose. A column is *supported* if the second part tells it from vacuum, at a false discovery rate of 5 %. Its *power* is the probability of that if it is there as it was denoised: where it is low, no support means little. The last chart turns the question round: at what dose would a recording like this one decide?

# %% mystnb={"figure": {"caption": "(a) The estimate from one half of the counts. (b) What the other half says of each column, against what it could have said. (c) The share of columns that a dose decides, at a level of 1 % and with a power of 90 %; dotted: the dose of this recording.", "name": "fig-significance-columns"}, "image": {"alt": "A denoised particle with rings in three colours, a scatter of p-values that fall with the power, and a rising staircase.", "width": "100%"}}
rng = np.random.default_rng(seed)
noisy = sbd.poisson_noise(clean, rng=rng)
judged = sbd.judge_columns(noisy, denoisers["network"], rng=rng, threshold=0.15)
true = sbd.find_columns(clean, threshold=0.15)
false = np.zeros(len(judged.columns), bool)
false[sbd.match_columns(judged.columns, true, tolerance=16.0).spurious] = True
dose = sbd.decidable_dose(judged.denoised, judged.columns)
fig = plotting.show_verdicts(judged, dose, false=false, recorded=0.45, heading=title)
numbers = {
    "columns": len(false), "not there": int(false.sum()),
    "supported": int(judged.supported.sum()),
    "supported, not there": int((judged.supported & false).sum()),
    "mean power": round(float(judged.power[~false].mean()), 2),
    "median dose": round(float(np.median(dose[~false])), 2),
}  # fmt: skip
numbers = sbd.save_figure(fig, "11_significance-columns", origin | numbers, figures)

# %% [markdown]
# ## Again and again
#
# One recording proves little, so the whole is repeated with other counts. Of the columns that the network invents, how many does the test let pass? And of the true ones, how many does it support, and how many should it, by its own power?

# %%
repeats = 2 if size.crop else 10
how = {"draws": repeats, "seed": seed, "threshold": 0.15}
calibration.judge_repeatedly(clean, denoisers["network"], true, **how).round(2)

# %% [markdown]
# ## What to take from it
#
# * **Where a column is supported there is not just vacuum**, up to the stated rate of errors; whatever the denoiser is, and whatever it was trained on. The test knows no other alternative: on top of a support or a fringe, more counts than the vacuum's are no proof of a column.
# * **It needs the right vacuum.** The mean count of an empty corner has to be known to a percent or two; if it counts 10 % more than was said, bright columns find support where there are none. A warning tells of 5 %.
# * **An unsupported one is an open question.** At 0.45 electrons per pixel half of an image tells only about every second column from vacuum. The remedy is dose, or several frames, and the chart says how much.
# * **The price of honesty is half the counts.** The estimate is made from fewer of them. For looking, use all; for claiming, split.
