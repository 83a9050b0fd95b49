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
# # Denoise your own micrograph: dm3, dm4, tif, mrc, emd, ser
#
# From the microscope's file to verdicts on columns: what the file is, whether its values are electrons, which denoiser comes nearest to them, what it shows, and what of that the electrons support. Give your file as `file`, or upload it in Colab; until then the page takes a simulated recording in which a few things went wrong, as they do.

# %% tags=["parameters"]
scale = "default"  # "smoke", "default" or "paper"
seed = 0
device = "auto"  # "cpu", "cuda" or "mps"
file = ""  # a recording of yours: .tif, .dm3, .dm4, .emd, .ser, .mrc, .hspy, .npy, ...
pixel = 0.0  # the size of its pixels [angstrom], if the file does not tell it
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

# %% tags=["hide-input"]
if "google.colab" in sys.modules and not file:
    from google.colab import files

    file = next(iter(files.upload()), "")

# %%
import tempfile
from pathlib import Path

import numpy as np

import sbd
from sbd import plotting
from sbd.companion.pages import recording as page
from sbd.companion.wording import tabulate_ranking
from sbd.recordings import fill_gaps, rank_denoisers, to_counts

sbd.check_parameters()
size = sbd.at_scale(scale)
model = sbd.load_model()
folder = Path(tempfile.mkdtemp())
path = Path(file) if file else page.write_example(folder, side=size.crop, seed=seed)
title = path.name if file else "a simulated recording"
origin = {"source": "real" if file else "simulated", "seed": seed}

# %% mystnb={"figure": {"caption": "The electrons, and the network's estimate of what is beneath their noise, on one grey scale. Where nothing was recorded nothing is shown.", "name": "fig-recording-denoised"}, "image": {"alt": "Noisy means of the counts, and beside them the denoised image, each with a scale bar where the size of a pixel is known; a grey bar at the right. What was not recorded is even.", "width": "100%"}}
recording = sbd.read_micrograph(path)
report = sbd.check_counts(recording)
counts = to_counts(recording, report)
rng = np.random.default_rng(seed)
electrons = fill_gaps(counts.sum(), report.recorded, rng=rng)
side = page.choose_pixel(recording, pixel)
use = {"pixel": side, "device": device}
estimate = sbd.denoise(electrons, model, **use)
fig = page.show_denoised(counts.sum(), estimate, report.recorded, side, title)
numbers = {"dose": round(report.dose, 3)}
numbers = sbd.save_figure(fig, "15_recording-denoised", origin | numbers, figures)

# %% [markdown]
# ## What the file is
#
# `sbd.read_micrograph` opens what microscopes and programs write, and says where the size of a pixel is from. It never guesses a unit in silence, and where no file tells the size of a pixel the page asks for it: bins and verdicts hang on it.

# %%
print(recording)

# %% [markdown]
# ## Are these electrons?
#
# A network, a dose and a verdict mean what they say for counted electrons alone. `sbd.check_counts` asks the values: which unit they have, whether an offset, a mean or a limit was at work, which pixels are not to be believed, and where nothing was recorded.

# %% mystnb={"figure": {"caption": "How often each value of the file occurs, and the values as electrons, means of 4 x 4 pixels: what recorded nothing is orange, hot pixels are marked.", "name": "fig-recording"}, "image": {"alt": "A histogram of the file's values on a logarithmic axis, and a noisy picture with a grey bar, in which what recorded nothing is orange and hot pixels have a red mark.", "width": "100%"}}
fig = page.show_checked(recording, report, heading=title)
numbers = {"dose": report.dose, "hot": len(report.hot), "unit": report.unit}
numbers |= origin
numbers = sbd.save_figure(fig, "15_recording", numbers, figures, exact=False)

# %%
print(report)

# %% [markdown]
# What can be undone is: values are divided by their unit, hot pixels get the mean of those around. Where nothing was recorded, counts are put that could have been, so that no denoiser takes the edge for the specimen's. That matters: this is what such slips cost the network, with values as they are and prepared like this ([measured](../measurements.md) on simulated recordings, with standard errors).

# %%
page.tabulate_slips()

# %% [markdown]
# ## Which denoiser?
#
# Nobody knows the truth about your recording, but its own electrons can compare two denoisers: half of them are denoised, the other half is held back, and tells which estimate is nearer. One whose interval of 95 % lies above zero is behind; of many that are compared, one may be so by chance. It is at half of your dose that they are compared.

# %%
names = "windowed Fourier", "Kilaas Wiener", "Gaussian", "constant"
denoisers = {"network": lambda noisy: sbd.denoise_network(noisy, model, **use)}
denoisers |= {name: sbd.classical_denoisers()[name] for name in names}
ranking = rank_denoisers(counts, denoisers, rng=rng, splits=1 if size.crop else 4)
tabulate_ranking(ranking)

# %% [markdown]
# ## Which atoms to believe
#
# The electrons are dealt out: some are denoised, and the others are asked, for each column that shows, whether they rule out the image without it ([how](11_significance.ipynb)). *Supported* columns may be believed, up to the rate of errors; an *undecided* one is an open question, and the chart says which dose would answer it. The test knows platinum on ceria; [for another material](17_material.ipynb) it has to be taught.

# %% mystnb={"figure": {"caption": "Verdicts on the columns of this recording, with the electrons that speak for each, and the dose that it would take to decide.", "name": "fig-recording-columns"}, "image": {"alt": "The denoised image with a mark on every column in the look of its verdict, a chart of electrons with intervals, and a staircase of decided columns by dose.", "width": "100%"}}
how = {"rng": np.random.default_rng(seed), "deals": 1 if size.crop else 5}
how |= {"pixel": side}
judged = sbd.judge_columns(counts.sum(), denoisers["network"], **how)
fig = plotting.show_verdicts(judged, recorded=report.dose, heading=title)
numbers = {"columns": len(judged.columns), "supported": int(judged.supported.sum())}
numbers |= origin | {"best": ranking.index[0]}
numbers = sbd.save_figure(fig, "15_recording-columns", numbers, figures, exact=False)

# %% [markdown]
# ## The same on the command line
#
# ```bash
# sbd check recording.dm4
# sbd rank recording.dm4
# sbd denoise recording.dm4 denoised.tif
# sbd judge recording.dm4 columns.csv --picture columns.png
# sbd report recording.dm4 report.html
# ```
#
# The last one does all of it, and writes a page that you can show to a colleague. `--box` and `--mask` leave out what does not belong to the specimen, `--pixel` overrules what the file says.
