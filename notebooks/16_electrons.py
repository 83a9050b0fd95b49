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
# # Real electrons: counts, denoising and drift of a recorded movie
#
# Nobody knows what is beneath the noise of a recording. What can be asked all the same: Are these counts? Do they vary as Poisson counts do? Which denoiser comes nearest to electrons that it has not seen? Do verdicts say more than the electrons do?

# %% tags=["parameters"]
scale = "default"  # "smoke", "default" or "paper"
seed = 0
device = "auto"  # "cpu", "cuda" or "mps"
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
from sbd.companion.pages import electrons
from sbd.recordings import adapt_network, rank_denoisers, to_counts

sbd.check_parameters()
size = sbd.at_scale(scale)
model = sbd.load_model()
values, title = electrons.load_movie(seed, 8 if size.crop else None)
origin = {"source": electrons.tell_source(title), "seed": seed}
names = "windowed Fourier", "PURE-LET", "VST + NLM", "Kilaas Wiener", "Gaussian"
denoisers = {"network": lambda noisy: sbd.denoise_network(noisy, model, device=device)}
denoisers |= {n: sbd.classical_denoisers()[n] for n in (*names, "constant")}
electrons.tell_movie(values, title)

# %% mystnb={"figure": {"caption": "The middle frame, the mean of all, and four estimates of that frame, all but the first on one grey scale.", "name": "fig-electrons-frame"}, "image": {"alt": "Six narrow pictures side by side, each with its name: noise of one frame, the mean of all, and four smooth estimates of the one frame; a grey bar at the right.", "width": "100%"}}
report = sbd.check_counts(values)
counts = to_counts(values, report).values
frame = counts[len(counts) // 2]
four = {n: denoisers[n](frame) for n in ("network", *names[:2], "Gaussian")}
fig = electrons.show_estimates(frame, counts.mean(0), four, heading=title)
numbers = sbd.save_figure(fig, "16_electrons-frame", origin, figures)

# %% [markdown]
# Where it can be had, the movie is one of the group that made the paper's micrographs, published with [another paper](../data.md); its first frame is of another kind and left out. Where it cannot, a simulated one stands in, and every figure says so. The size of a pixel is not known: no picture has a scale bar, the network takes it for the paper's, and nothing is said of a lattice.
#
# A specimen may move and change from frame to frame, so the mean of all is no truth (see below). Which of the estimates to believe is asked first of all frames together, after a look at what they hold.
#
# ## The comb
#
# The camera counts, and something multiplies what it has counted by a gain, a little different from pixel to pixel. It shows: values stand on a comb. `sbd.check_counts` finds its spacing, and whatever else there is to be said.

# %% mystnb={"figure": {"caption": "How often each value occurs. The red lines are whole electrons, as `check_counts` finds their unit.", "name": "fig-electrons"}, "image": {"alt": "A histogram of the values on a logarithmic axis, with a numbered red line at each whole number of electrons.", "width": "100%"}}
fig = electrons.show_comb(values, report.unit, heading=title)
numbers = {"unit": round(report.unit, 2), "dose": round(report.dose / len(values), 3)}
numbers = sbd.save_figure(fig, "16_electrons", origin | numbers, figures)

# %%
print(report)

# %% [markdown]
# ## Poisson?
#
# If electrons come independently, how many hit a pixel is Poisson about what is there. That is taken from the four frames before and after, without the frame itself, since a specimen moves: about the mean of all frames, too many pixels would be empty and too many full. The chart compares how often none, one, two, ... did. What still departs may be motion, too, or the camera: where many hit, pixels of unlike gain are rounded to a wrong number. Two electrons that arrive together and count as one make fewer of the large counts, not more.

# %% mystnb={"figure": {"caption": "Pixels with so many electrons, relative to Poisson counts of the same mean; bars of three standard errors.", "name": "fig-electrons-classes"}, "image": {"alt": "A chart with a point and an error bar for each number of electrons, and a line at one.", "width": "100%"}}
table = electrons.count_classes(counts)
fig = electrons.show_classes(table, heading=title)
numbers = origin | {"ratio": table["ratio"].round(3).to_dict()}
numbers = sbd.save_figure(fig, "16_electrons-classes", numbers, figures)

# %%
electrons.tabulate_classes(table)

# %% [markdown]
# ## Which denoiser, without a truth?
#
# Each frame is thinned: half of its electrons are denoised, the other half is held back, and whichever estimate is nearer to those comes nearer to the truth ([how](../measurements.md), and how often that is right). Left, each frame alone, with intervals from how much the frames differ; right, the sum of all, where the electrons of a pixel are many times those that the network has learnt from.

# %% mystnb={"figure": {"caption": "By how much denoisers are behind the windowed Fourier filter, with intervals of 95 %; one whose interval is to the right of the line is behind, to the left ahead.", "name": "fig-electrons-ranking"}, "image": {"alt": "Two charts with a row for each denoiser: points with intervals against a vertical line at zero.", "width": "100%"}}
how = {"against": "windowed Fourier", "splits": 1 if size.crop else 4}
tables = {
    way: rank_denoisers(
        counts, denoisers, rng=np.random.default_rng(seed), frames=way, **how
    )
    for way in ("each", "sum")
}
fig = electrons.show_ranking(tables, against=how["against"], heading=title)
numbers = origin | electrons.describe_ranking(tables)
numbers = sbd.save_figure(fig, "16_electrons-ranking", numbers, figures)

# %%
electrons.tabulate_ranking(tables["each"])

# %% [markdown]
# ## Where they disagree
#
# The same comparison block by block, over all frames: where is the network farther from the electrons that were held back, and where is the filter?

# %% mystnb={"figure": {"caption": "A frame as the network and as the windowed Fourier filter have it, and which of them is nearer to the electrons, over all frames.", "name": "fig-electrons-apart"}, "image": {"alt": "Two estimates of one frame, and beside them a map of blocks in red and blue with a colour bar in standard errors.", "width": "100%"}}
pair = "network", "windowed Fourier"
two = {n: denoisers[n] for n in pair}
z = electrons.disagree(counts, denoisers, pair, np.random.default_rng(seed))
fig = electrons.show_disagreement({n: four[n] for n in pair}, z, heading=title)
numbers = {"largest": round(float(z.max()), 1), "smallest": round(float(z.min()), 1)}
numbers = sbd.save_figure(fig, "16_electrons-apart", origin | numbers, figures)

# %% [markdown]
# ## Does it stand still?
#
# Where the specimen is in each frame, told by correlating sums of four frames with all others, with errors from counting anew; then frames can be moved back, by whole pixels, so that counts stay counts, before they are added up.

# %% mystnb={"figure": {"caption": "All frames added up (blurred by 1.5 pixels), without and with moving them back first, and where the specimen is in each; bands of two standard errors. Empty where it cannot be told.", "name": "fig-electrons-drift"}, "image": {"alt": "Two pictures of the sum of all frames on one grey scale with a grey bar, and a chart of the place over the frames with a line and a band for each direction.", "width": "100%"}}
drift, reason = electrons.track(values, report, seed=seed)
fig = electrons.show_drift(values, report, drift, heading=title)
numbers = sbd.save_figure(fig, "16_electrons-drift", origin, figures)

# %%
electrons.tell_drift(drift, reason)

# %% [markdown]
# ## Can the network be adapted?
#
# Its gains, one factor for each channel, are adapted to the electrons of the first four frames, and kept only if electrons that were left out say that this is better ({cite}`mohan2021`, and [what it wins](../measurements.md) where the truth is known).

# %%
rng = np.random.default_rng(seed)
found = adapt_network(counts[:4], model, rng=rng, device=device)
electrons.tell_adaptation(found)

# %% [markdown]
# And on the frames that it has not seen, beside the network as it came and the filter:

# %%
how |= {"device": device, "rng": rng}
electrons.tabulate_adapted(counts[4:], two, found.model, **how)

# %% [markdown]
# ## What the verdicts say
#
# Whatever dots a denoiser draws, the electrons are asked for each of them ([how](11_significance.ipynb)). Sums of more frames hold more electrons. But where a specimen moves, and where what a camera does to single pixels adds up, sums may be no independent counts any more; then the verdicts are refused.

# %%
electrons.judge_sums(counts, two, seed=seed, deals=1 if size.crop else 5)

# %% [markdown]
# ## What to take from it

# %%
electrons.tell_lessons(table, tables, drift, title)
