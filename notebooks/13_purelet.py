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
# # PURE-LET: a wavelet denoiser for Poisson counts that estimates its own error
#
# PURE-LET is the classical rival in the paper: a wavelet filter for counts that needs neither training nor a guess of the noise. Here is how it works, where its error estimate can be trusted, and where the published shortcut fails.

# %% tags=["parameters"]
scale = "default"  # "smoke", "default" or "paper"
seed = 0
source = "auto"  # "authors" or "simulated" clean image
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
from sbd.companion.pages import purelet
from sbd.companion.wording import tell_copy

sbd.check_parameters()
size = sbd.at_scale(scale)
clean, title = sbd.example_truth(source)
clean = clean[-(size.crop or 0) :, : size.crop]
noisy = sbd.poisson_noise(clean, rng=np.random.default_rng(seed))
origin = {"source": "authors" if "authors" in title else "simulated", "seed": seed}
told = {"shown": f"Shown on {title}.", "missing": f"everything is shown on {title}"}
tell_copy(whole=origin["source"] == "authors", **told)

# %% mystnb={"figure": {"caption": "What the estimate is made of. The counts have a grey scale of their own, the others that of the clean image.", "name": "fig-purelet"}, "image": {"alt": "Four images of one particle with scale bars: the counts, the blurred image, all that is above the threshold, and the estimate with fitted weights; a grey bar at the right.", "width": "100%"}}
made = sbd.let_dictionary(noisy, levels=6 if size.crop is None else 4)
weights = made.solve()
estimate = made.combine(weights)
fig = purelet.show_pieces(made, noisy, clean, heading=title)
error = float(np.mean((estimate - clean) ** 2))
numbers = {"error": round(error, 5), "PURE": round(made.risk(weights), 5)}
numbers |= {"PSNR": round(sbd.authors_psnr(clean, estimate), 2)}
numbers = sbd.save_figure(fig, "13_purelet", origin | numbers, figures)

# %% [markdown]
# ## The pieces
#
# Every box of $2^j \times 2^j$ pixels, wherever it lies, is split into halves; the difference of their counts is a *coefficient*. Two electrons more in the one half of an empty box mean nothing, two hundred do: each coefficient belongs to what is above its threshold, or to what is below. Summed back into an image, the two kinds of each level and direction are the pieces $f_k$ of the estimate
#
# $$f = f_0 + \sum_k a_k f_k,$$
#
# and $f_0$ is the blurred image. All weights $a_k = 1$ give the noisy image back. For given weights the mean squared error can be estimated from the noisy image alone, without bias: that is PURE. The weights are those for which it is least; a piece above the threshold that holds no more than noise would leave there takes no part. Here they are, averaged over the three directions; 1 keeps a piece, 0 leaves it out.

# %%
purelet.tabulate_weights(weights)

# %% [markdown]
# ## The estimated and the true error
#
# PURE is a sum over the noisy image, with no look at the clean one. As the threshold moves it has to follow the true error, and its lowest point has to tell where to stop. From one image PURE also carries an offset, nearly the same for every estimate; here it is taken off, such that PURE is right for the blurred image. Who has no clean image cannot do that: PURE serves to compare settings, not to read off an error.

# %% mystnb={"figure": {"caption": "Lines: the true error. Marks: PURE, less what it is off by for the blurred image; means over the draws of the counts. Grey: everything above the threshold kept, the rest removed. Red: fitted weights.", "name": "fig-purelet-risks"}, "image": {"alt": "Four charts, one for each dose, of the mean squared error over the threshold on a logarithmic axis: a grey and a red line, with marks of the same colours for PURE.", "width": "100%"}}
thresholds = [2.0, 3.0, 4.0] if size.crop else [0.5, 1, 1.5, 2, 2.5, 3, 3.5, 4, 5, 6]
doses = [0.45] if size.crop else [0.1, 0.45, 2.0, 10.0]
how = {"thresholds": thresholds, "doses": doses, "draws": 1 if size.crop else 2}
how |= {"seed": seed, "levels": 4 if size.crop else 5}
table = purelet.threshold_risks(clean, **how)
fig = purelet.show_risks(table)
best = table[table["weights"] == "kept or removed"].groupby(["dose", "threshold"])
best = best[["risk", "error"]].mean().unstack("dose").idxmin()
numbers = {
    f"best threshold by {k}, {dose:g} e/pixel": v for (k, dose), v in best.items()
}
numbers = sbd.save_figure(fig, "13_purelet-risks", origin | numbers, figures)

# %%
purelet.tell_risks(table)

# %% [markdown]
# ## Why it must be exact
#
# The heart of PURE is the overlap of each piece with the *unknown* clean image. For Haar boxes it is had exactly, by asking what a threshold would do with one electron less. For other transforms, as the published code does it, the question is answered to first order only. Among a few electrons one is not a small step.

# %% mystnb={"figure": {"caption": "Average deviation of the estimated overlap from the true one, as a share of it, with its standard error over the draws of the counts.", "name": "fig-purelet-expansion"}, "image": {"alt": "Two lines with error bars over the dose, one for Haar boxes and one for cosines, and a dotted line at zero.", "width": "70%"}}
coarse = clean[::4, ::4]  # loses nothing, and fills the blocks of 8 pixels
middle = [max(side // 2 - 32, 0) for side in coarse.shape]
scene = coarse[middle[0] :, middle[1] :][:64, :64]
doses = [0.5, 4.0] if size.crop else [0.25, 0.5, 1.0, 2.0, 4.0, 10.0]
how = {"doses": doses, "draws": 10 if size.crop else 400, "seed": seed}
table = purelet.expansion_bias(scene, **how)
fig = purelet.show_expansion(table)
numbers = {
    f"{row.dictionary}, {row.dose:g} e/pixel": [round(row.bias, 3), round(row.error, 3)]
    for row in table.itertuples()
}
numbers = sbd.save_figure(fig, "13_purelet-expansion", origin | numbers, figures)

# %%
purelet.tell_expansion(table)

# %%
purelet.tabulate_expansion(table)

# %% [markdown]
# ## Your own image
#
# `sbd.denoise_purelet(counts)` does this, with as many levels as the image holds. Counts with gain and offset go in with `gain="auto", offset=...`; `dictionary="interscale"` also asks the neighbouring boxes for edges, still exactly; `"dct8"` and `"dct16"` add cosines for textures, and are refused below three electrons per pixel, for the reason above. `return_risk=True` returns PURE, to compare two settings on one image.
