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
# # The surface, and what PSNR does not see
#
# A catalyst works at its surface, so what matters in an image may be a single column of atoms. PSNR averages over all pixels and hardly notices one column. Here the atoms themselves are counted: which columns of the particle a denoised image shows, which it lost, which it made up, and whether the outline of the particle is right. A column is a dot that the finder sees; it is right if the clean image shows one to the same finder within a third of the distance between columns.

# %% tags=["parameters"]
scale = "default"  # "smoke", "default" or "paper"
seed = 0
device = "auto"  # "cpu", "cuda" or "mps"
source = "real"  # what can be had of the authors; or all "authors" or "simulated"
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
from sbd.audits.hallucinations import audit_focal_series, disagreement
from sbd.companion.pages import surfaces

sbd.check_parameters()
size = sbd.at_scale(scale)
model = sbd.load_model()
denoisers = sbd.tuned_denoisers()
denoisers["network"] = lambda noisy: sbd.denoise_network(noisy, model, device=device)

# %% [markdown]
# ## The authors' demonstration
#
# Four clean images of the same particle: a reference, and three that differ from it by one column at the surface. Their files are taken where they can be fetched; the others are simulated here from the same structures, and without a connection all four are. Each has the outline that its own columns make (an alpha shape), and the columns on it are compared with those of the reference. Where a column is gone, the one behind it lies bare, so two are wrong at the surface.
#
# Above are the clean images. Below, each has an error as smooth as a denoiser leaves, of such a strength that all four have the PSNR that the authors name. One number for four surfaces, three of which are wrong.

# %% mystnb={"figure": {"caption": "One column more or less. Above, clean images; below, the same with errors, all of one PSNR. Yellow: the outline; blue: surface columns as in the reference; rings: surface columns of the reference alone; crosses: of this image alone. The titles give the PSNR against the reference, and F1 and the Jaccard index of the surface columns.", "name": "fig-surfaces"}, "image": {"alt": "Eight images of a platinum particle with a yellow outline and blue dots on its surface columns. In the six that differ from the reference a white ring marks a surface column that the reference has and a red cross one that it has not.", "width": "100%"}}
goal, names = surfaces.AUTHORS_SCORES, tuple(surfaces.SURFACES)
names = names[: 2 if size.crop else None]
scenes = surfaces.surface_scenes(source, names=names, grid=size.grid)
looks, scores = surfaces.compare_surfaces(scenes, psnr=goal["psnr"], seed=seed)
whole = sum("authors" in scene.title for scene in scenes.values())
fig = surfaces.show_surfaces(scenes["reference"], looks, size=(300, 380))
origin = {"source": "authors" if whole else "simulated", "seed": seed}
numbers = origin | {"authors' files": whole, "printed by the authors": dict(goal)}
numbers |= scores.iloc[1:].round(3).to_dict("index")  # the first is the reference
numbers = sbd.save_figure(fig, "14_surfaces", numbers, figures)

# %%
scores.round(3)

# %% [markdown]
# The last column of the table is the least occupancy of the reference's columns in each image, the strength of its dot as a share of that in the reference: near zero where a column is gone. The clean images differ by much less than the PSNR that the authors name, so theirs probably includes what a denoiser left, of images that are not published; an error drawn at random stands in for it here. PSNR prefers every wrong surface without an error to the right one with it.

# %% [markdown]
# ## Every denoiser, image by image
#
# Now estimates, of images of the test split that nothing was trained or tuned on, in a frame around the particle. All methods see the same counts, at several doses; the classical ones have their tuned parameters.

# %% mystnb={"figure": {"caption": "What PSNR says and what the columns say: one mark for each image, dose and method, larger for more dose. (a) F1 of the particle's columns, (b) Jaccard index of its surface.", "name": "fig-surfaces-psnr"}, "image": {"alt": "Two clouds of marks, one colour for each method, that rise with PSNR but are wide: at one PSNR, scores lie anywhere between nearly none and nearly all columns.", "width": "100%"}}
held_out = sbd.held_out_scenes(frame=(384, 480))[: 2 if size.crop else None]
doses = [0.45] if size.crop else [0.45, 2.0, 10.0]
table = sbd.audit_denoisers(denoisers, held_out, doses=doses, seed=seed)
metrics = {"f1": "F1 of the columns", "surface_jaccard": "Jaccard of the surface"}
fig = surfaces.show_tradeoffs(table, metrics)
against = disagreement(table, ["recall", *metrics]).round(3)
origin |= {"doses": doses, "images": len(held_out)}
numbers = origin | {"disagreement": against.to_dict()}
numbers = sbd.save_figure(fig, "14_surfaces-psnr", numbers, figures, exact=False)

# %% [markdown]
# How often does the better PSNR belong to the worse list of columns? Of all pairs of methods on the same counts, the share that PSNR and each score put in opposite order (a half would mean that they have nothing to do with each other):

# %%
against

# %% [markdown]
# ## Through focus
#
# Now one particle, the second of these five, at the dose of the paper and at a series of defoci, everything else being equal. All methods see the same counts again. In focus the clean image shows the finder half of its columns, as dark ones; between 0 and 2 nm the contrast reverses, and at 1 nm it shows none, so that there is nothing to score. From 3 nm on all are bright, and they stay so.

# %% mystnb={"figure": {"caption": "One particle of the test split through focus. (a-f) Some of the clean images, each on a grey scale of its own, with the columns that the finder sees there. (g) PSNR, without the raw counts, which lie far below; (h) F1 of the particle's columns; (i) Jaccard index of its surface; means over the draws. (j) Of all pairs of methods on the same counts, the share that PSNR puts in the opposite order; above the dotted line, more than by chance.", "name": "fig-surfaces-focal"}, "image": {"alt": "Six images of a particle, whose columns are dark in focus and bright from 2 nm on. Below, four charts over the defocus. PSNR has its peak at 1 nm and falls from there; F1 and the Jaccard index are low up to 3 nm for most methods, missing at 1 nm, rise steeply until 6 nm and stay high. The share of pairs in opposite order is high up to 3 nm and low from 4 nm on.", "width": "100%"}}
foci = [0, 12] if size.crop else [0, 1, 2, 3, 4, 6, 8, 10, 12, 16, 20]
series = sbd.focal_series(foci, frame=(384, 480))
how = {"draws": size.draws // 2 + 1, "seed": seed}
focal = audit_focal_series(denoisers, series, **how)
among = focal.groupby("defocus").apply(disagreement, [*metrics]).dropna()
charts = {"psnr": "PSNR (dB)"} | metrics
fig = surfaces.show_focal_series(series, focal, charts, among, least={"psnr": 18})
numbers = {"source": origin["source"], **how, "opposed": among.round(3).T.to_dict()}
means = focal.groupby(["method", "defocus"], sort=False)[list(charts)].mean().round(2)
numbers |= {f"{m}, {f:g} nm": r.to_dict() for (m, f), r in means.dropna().iterrows()}
numbers = sbd.save_figure(fig, "14_surfaces-focal", numbers, figures)

# %% [markdown]
# PSNR is best where there is the least to see. Nearly every method has its highest PSNR at 1 nm, where the image is almost flat: there even a constant reaches more than the network does anywhere from 3 nm on. Up to 2 nm PSNR has the methods nearly upside down. At 0 and at 2 nm the Gaussian and the Butterworth filter, last in PSNR but for the raw counts, have the best F1, though a low one, while most of those above them show nothing. From 4 nm on PSNR and columns put most pairs in the same order, but not all: the spot filter is ahead of VST + TV in PSNR throughout, yet from 12 nm on it has the worse columns and the worse surface, with many dots where there is nothing.
#
# Now the other way round, method by method: of all pairs of defoci, the share in which the better PSNR belongs to the worse columns. Contrast grows with defocus; that makes columns easier to find, and gives a method more to get wrong. So PSNRs at different defoci should not be compared at all, not even those of one and the same filter.

# %%
along = focal.groupby("method", sort=False)
along.apply(disagreement, [*metrics], same=["draw"]).round(2)

# %% [markdown]
# ## By dose
#
# Means over the five images again. More electrons help nearly everything, but not in step. At the highest dose the raw counts have a PSNR far below that of a constant image, and yet show nearly all columns, more than the filters that blur: those have the smoother image and gain little.

# %% mystnb={"figure": {"caption": "By dose: (a) PSNR, (b) F1 of the particle's columns and (c) Jaccard index of its surface, means over the five images.", "name": "fig-surfaces-doses"}, "image": {"alt": "Three charts with a line for each method over the dose: PSNR, F1, and the Jaccard index of the surface. The order of the lines differs from chart to chart.", "width": "100%"}}
fig = surfaces.show_doses(table, charts)
means = table.groupby(["dose", "method"], sort=False)[list(charts)].mean().round(2)
numbers = origin | {f"{m}, {d:g}": r.to_dict() for (d, m), r in means.iterrows()}
numbers = sbd.save_figure(fig, "14_surfaces-doses", numbers, figures, exact=False)

# %%
means.unstack("dose")

# %% [markdown]
# ## What is invented, and what is lost
#
# A column is *lost* if the finder sees it in the clean image and not in the denoised one, and *invented* if it is found where there are no atoms and where the clean image shows nothing. In vacuum there is nothing to find at all: what is found there, and how far the result is from flat, is the denoiser's own.

# %% mystnb={"figure": {"caption": "The audit of every method by dose. (a) Columns lost and (b) columns invented in one image, means over the images; in denoised vacuum, (c) the deviation from flat and (d) the columns found.", "name": "fig-surfaces-audit"}, "image": {"alt": "Four charts with a line for each method over the dose: columns lost, columns invented, the deviation in vacuum and the columns found in vacuum. Most fall with the dose.", "width": "100%"}}
vacuum = sbd.audit_vacuum(denoisers, doses=doses, seed=seed)
fig = surfaces.show_hallucinations(table, vacuum)
audit = table.groupby(["method", "dose"], sort=False)[["seen", "lost", "invented"]]
empty = vacuum.rename(columns={"columns": "in vacuum"}).set_index(["method", "dose"])
audit = audit.mean().join(empty[["relative", "peaks", "in vacuum"]]).round(3)
numbers = origin | {f"{m}, {d:g}": r.to_dict() for (m, d), r in audit.iterrows()}
numbers = sbd.save_figure(fig, "14_surfaces-audit", numbers, figures, exact=False)

# %%
audit

# %% [markdown]
# Columns that the finder sees in the clean image (`seen`), lost and invented ones are counted per image. `relative` is the deviation of denoised vacuum as a share of the dose, `peaks` how much of that is periodic, and `in vacuum` the number of dots found in a square nanometre of it.

# %% [markdown]
# ## What to take from it
#
# * **Rank denoisers by what you want to know.** Where it is columns, count columns; a filter that blurs loses them at a respectable PSNR, and one that follows the noise invents them.
# * **Compare PSNR within one image only.** Through focus it falls while the columns appear, and where there is no contrast it is best for those that show nothing.
# * **A flat image invents nothing and a noisy one loses nothing.** Read the two charts of the audit together; F1 does it in one number.
# * **At the surface errors count twice,** since a lost column lays its neighbour bare. [Which atoms to believe](04_likelihood.ipynb) and [how sure one can be](11_significance.ipynb) tell of a single one.
# * **Audit your own:** `sbd.audit_denoisers({"mine": f}, sbd.held_out_scenes(), seed=0)` and `sbd.audit_vacuum` take any function from image to image.
