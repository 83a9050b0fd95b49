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
# # Train a denoising network for another material: gold at 200 kV, from structure files
#
# The default weights know platinum on ceria at 300 kV. Is the method worth anything elsewhere? Here is the whole way for gold along [110], in a microscope without a corrector: structure files in, weights out, and what they are worth beside the default weights and beside filters that need no training. Put your own files in the place of these.

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
import tempfile
from pathlib import Path

import sbd
from sbd.benchmark import read_recipe
from sbd.companion.pages import material as gold
from sbd.companion.wording import markdown
from sbd.networks import Drawing, create_model

sbd.check_parameters()
size = sbd.at_scale(scale)
origin = {"source": "simulated", "seed": seed}

# %% mystnb={"figure": {"caption": "A particle of the kind that was learnt from, and below a decahedron, a kind of which the network saw none; all but the counts of a row on one grey scale. The heading gives the dose in vacuum.", "name": "fig-material-estimates"}, "image": {"alt": "Two rows of pictures of gold particles with scale bars, one row for each kind: the clean image, noisy counts, and the estimates of the network for gold and of the default weights; a grey bar at the end of each row.", "width": "100%"}}
own, default = (sbd.load_model(name) for name in ("weights/gold", "weights/default"))
use = {"pixel": gold.PIXEL, "device": device}
denoisers = {
    "own network": lambda noisy: sbd.denoise(noisy, own, **use),
    "default weights": lambda noisy: sbd.denoise_network(noisy, default, **use),
    "correlation averaging": sbd.denoise_correlation_averaging,
    "windowed Fourier": sbd.denoise_windowed_fourier,
}
number, grid = (1, size.grid) if size.crop else (8, None)
cleans = {
    "particles": [gold.take_image(200 + n, grid=grid) for n in range(number)],
    "decahedra": [
        gold.take_image(200 + n, five=True, grid=grid) for n in range(number)
    ],
}
table, shown = gold.score_all(cleans, denoisers, seed=seed)
few = {kind: {n: row[n] for n in list(row)[:4]} for kind, row in shown.items()}
fig = gold.show_estimates(few, heading=gold.tell_dose())
numbers = table["PSNR"].unstack(0).round(2).to_dict()
numbers = sbd.save_figure(fig, "17_material-estimates", origin | numbers, figures)

# %%
gold.tell_worth(table)

# %% [markdown]
# ## What it is worth
#
# Particles that the network never saw, at the paper's dose per area; and decahedra, made of five twins, a kind of which it never saw any. All denoisers get the same counts. The gains are over the windowed Fourier filter, on the same images, with standard errors over images.

# %%
gold.tabulate_scores(table)

# %% [markdown]
# ## Structures and optics
#
# Any file that [ASE](https://wiki.fysik.dtu.dk/ase/) reads will do, `.cif` and `.xyz` among them, in a cell that is square across the beam, z, and wider than an example to train on, some 45 angstrom. These are particles with facets, one in two of them twinned, with atoms missing at the surface. The optics are a file, too, with the fields of `sbd.Microscope`. The first lines of a structure file:

# %%
folder = Path(tempfile.mkdtemp())
files = gold.write_structures(folder, range(2))
gold.write_optics(folder / "optics.json")
print(*files[0].read_text().splitlines()[:4], sep="\n")

# %% [markdown]
# ## Simulated, and learnt from
#
# Three commands:
#
# ```bash
# sbd simulate images --structures train/*.xyz --held-out held-out/*.xyz \
#     --microscope optics.json --tilts 0,0 1.5,0 0,1.5 --defoci -75 -60 -45 -30
# sbd train images pilot --steps 1500
# sbd train images crystal --model CrystalUNet --pilot pilot/model.safetensors --steps 500
# ```
#
# Below the first two of them in Python, with two structures and a few steps. `make gold` did it with 48 structures, three tilts, ten foci and 2,000 steps, for the weights that are used on this page. A run that is stopped goes on when it is started again.

# %%
recipes = [read_recipe(files[0]), read_recipe(files[1], held_out=True)]
taken = {"tilts": [(0.0, 0.0)], "defoci": [-60.0, -45.0], "grid": size.grid}
taken |= {"recipes": recipes, "microscope": gold.MICROSCOPE, "progress": False}
images = sbd.simulate_benchmark(folder / "images", **taken)
how = {"steps": 3 if size.crop else 30, "device": "cpu", "progress": False}
model = create_model("LatticeUNet", seed=seed, channels=8)
sbd.train(model, images, folder / "run", drawing=Drawing(crop=64), **how)
kept = sorted(path.name for path in (folder / "run").iterdir())
markdown(f"A run leaves {len(kept)} files: {', '.join(kept)}.")

# %% [markdown]
# The weights that come with this book. First a network that sees the lattice, then one that begins with its estimate and averages over translations; the curve is measured on structures that neither learnt from.

# %% mystnb={"figure": {"caption": "PSNR on held-out structures while the network for gold is trained, its two runs one after the other.", "name": "fig-material-training"}, "image": {"alt": "A line of the PSNR in decibels over the steps of training.", "width": "100%"}}
fig, runs = gold.show_training()
numbers = {"processor seconds": runs.loc["processor seconds"].to_dict()}
numbers = sbd.save_figure(fig, "17_material", origin | numbers, figures)

# %%
gold.tabulate_runs(runs)

# %% [markdown]
# ## What to take from it
#
# * **A network of one's own takes files and the commands above**; the table of its runs says how many minutes.
# * **Compare it with what needs no training**, on counts of the same dose, before it is trusted; the table of scores says by how much it is ahead of a filter, and how sure that is.
# * **Weights of another material** may be better than a filter, or worse. Where a network of one's own is not at hand, [gains adapted to the recording](16_electrons.ipynb) may win back a part ([measured](../measurements.md)), and [the ranking without a truth](15_recording.ipynb) tells whether they are ahead of a filter.
# * **Verdicts on columns** need an eraser of the same material: `python -m sbd.companion.make.eraser FOLDER --atoms FILES --file ERASER`.
