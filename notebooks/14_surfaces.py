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
# # Counting atoms at a nanoparticle's surface: what PSNR does not see
#
# A catalyst works at its surface, so what matters in an image may be a single column of atoms. PSNR averages over all pixels and hardly notices one column. Here the atoms themselves are counted: which columns a denoised image shows, which it lost, which it made up, and whether the outline of the particle is right.

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
from sbd.audits.hallucinations import audit_focal_series
from sbd.companion.pages import surfaces

sbd.check_parameters()
size = sbd.at_scale(scale)
goal, names = surfaces.AUTHORS_SCORES, tuple(surfaces.SURFACES)
names = names[: 2 if size.crop else None]
scenes = surfaces.surface_scenes(source, names=names, grid=size.grid)
whole = sum("authors" in scene.title for scene in scenes.values())
origin = {"source": "authors" if whole else "simulated", "seed": seed}
surfaces.tell_scenes(scenes)

# %% mystnb={"figure": {"caption": "One column more or less. Above, clean images; below, the same with errors, all of one PSNR; all on one grey scale. Yellow: the outline; blue: surface columns as in the reference; rings: surface columns of the reference alone; crosses: of this image alone. The titles give the PSNR against the reference, and F1 and the Jaccard index (J) of the surface columns.", "name": "fig-surfaces"}, "image": {"alt": "Two rows of images of a platinum particle, clean above and disturbed below, each with a yellow outline, a mark on every surface column, a scale bar and its scores above; a grey bar at the right.", "width": "100%"}}
looks, scores = surfaces.compare_surfaces(scenes, psnr=goal["psnr"], seed=seed)
fig = surfaces.show_surfaces(scenes["reference"], looks, size=(300, 380))
numbers = origin | {"authors' files": whole, "printed by the authors": dict(goal)}
numbers |= scores.iloc[1:].round(3).to_dict("index")  # the first is the reference
numbers = sbd.save_figure(fig, "14_surfaces", numbers, figures)

# %%
surfaces.tell_surfaces(scores, goal)

# %% [markdown]
# ## The authors' demonstration
#
# Four images of the same particle: a reference, and three that differ from it by one column at the surface. Their files are taken where they can be had; the others are simulated here from the same structures. Each has the outline that its own columns make (an alpha shape), and the columns on it are compared with those of the reference. A column is a dot that the finder sees; it is right if the clean image shows one to the same finder within a third of the distance between columns. Where a column is gone, the one behind it lies bare, so two are wrong at the surface.
#
# The PSNR that the authors' notebook prints is that of images to which they add white Gaussian noise, with a standard deviation of about 2 of 255 grey levels. Here the error is as smooth as a denoiser leaves, drawn at random, of such a strength that all four have the PSNR that they name. The *least occupancy* is the strength of the weakest dot of the reference's columns, as a share of what it is in the reference: small where a column is gone, and not zero, because its neighbours' wings reach there.

# %%
surfaces.tabulate_surfaces(scores)

# %% [markdown]
# ## Every denoiser, image by image
#
# Now estimates, of images of the test split that nothing was trained or tuned on (but for PtNp1, of which the first of the default's networks learnt the labels, with other atoms), in a frame around the particle. All methods see the same counts, at several doses; the classical ones have their tuned parameters.

# %% mystnb={"figure": {"caption": "What PSNR says and what the columns say, method by method: a mark for each image and dose, larger for more dose. Grey: F1 of all methods. Scores go from 0 to 1.", "name": "fig-surfaces-psnr"}, "image": {"alt": "A grid of small charts, one for each method, with circles for F1 of the columns and triangles for the Jaccard index of the surface over PSNR, on a backdrop of grey dots.", "width": "100%"}}
model = sbd.load_model()
denoisers = sbd.tuned_denoisers()
denoisers["network"] = lambda noisy: sbd.denoise_network(noisy, model, device=device)
held_out = sbd.held_out_scenes(frame=(384, 480))[: 2 if size.crop else None]
doses = [0.45] if size.crop else [0.45, 2.0, 10.0]
table = sbd.audit_denoisers(denoisers, held_out, doses=doses, seed=seed)
metrics = {"f1": "F1 of the columns", "surface_jaccard": "Jaccard of the surface"}
fig = surfaces.show_tradeoffs(table, metrics)
against, errors = surfaces.disagree_with_errors(table, ["recall", *metrics])
origin |= {"doses": doses, "images": len(held_out)}
numbers = origin | {"disagreement": against.round(3).to_dict()}
numbers = sbd.save_figure(fig, "14_surfaces-psnr", numbers, figures, exact=False)

# %% [markdown]
# How often does the better PSNR belong to the worse list of columns? Of all pairs of methods on the same counts, the share that PSNR and each score put in opposite order. A half would mean that they have nothing to do with each other. The standard error is of the choice of methods (one left out after the other), of which many are alike.

# %%
surfaces.tabulate_opposed(against, errors)

# %% [markdown]
# ## Through focus
#
# Now one particle, the second of these five, at the dose of the paper and at a series of defoci, everything else being equal. All methods see the same counts again. The contrast of the columns reverses with the focus, so there is one at which a clean image shows the finder nothing, and then nothing is scored.

# %% mystnb={"figure": {"caption": "One particle of the test split through focus. First, some of the clean images, each on a grey scale of its own, with how many columns the finder sees there. Then, over the defocus, PSNR (without the raw counts, which lie far below), F1 of the particle's columns, and the Jaccard index of its surface: means over the draws with standard errors for four methods, lines for the others. Last, of all pairs of methods on the same counts, the share that PSNR puts in the opposite order, with standard errors of the choice of methods.", "name": "fig-surfaces-focal"}, "image": {"alt": "A row of small images of a particle at rising defocus with scale bars, and below them four charts over the defocus: PSNR, F1, the Jaccard index, with four methods in colour and the others grey, and the share of pairs in opposite order with error bars.", "width": "100%"}}
foci = [0, 12] if size.crop else [0, 1, 2, 3, 4, 6, 8, 10, 12, 16, 20]
series = sbd.focal_series(foci, frame=(384, 480))
how = {"draws": size.draws // 2 + 1, "seed": seed}
focal = audit_focal_series(denoisers, series, **how)
among, spread = surfaces.disagree_along(focal, "defocus", [*metrics])
charts = {"psnr": "PSNR (dB)"} | metrics
fig = surfaces.show_focal_series(series, focal, charts, among, errors=spread)
numbers = {"source": origin["source"], **how, "opposed": among.round(3).T.to_dict()}
numbers |= surfaces.list_means(focal, "defocus", [*charts], " nm")
numbers = sbd.save_figure(fig, "14_surfaces-focal", numbers, figures)

# %%
surfaces.tell_focus(series, focal, among, spread)

# %% [markdown]
# Now the other way round, method by method: of all pairs of defoci, the share in which the better PSNR belongs to the worse columns. Contrast grows with defocus; that makes columns easier to find, and gives a method more to get wrong. Where a share is above a half, PSNRs at different defoci say the opposite of what they seem to, even of one and the same filter.

# %%
surfaces.tabulate_along(focal, [*metrics])

# %% [markdown]
# ## By dose
#
# The five images again. More electrons help nearly everything, but not in step: noise costs PSNR more than it costs a finder of columns.

# %% mystnb={"figure": {"caption": "By dose: (a) PSNR, (b) F1 of the particle's columns and (c) Jaccard index of its surface, means over the five images, with standard errors for four methods.", "name": "fig-surfaces-doses"}, "image": {"alt": "Three charts over the dose, PSNR, F1, and the Jaccard index of the surface, with four methods in colour with error bars and the others as grey lines.", "width": "100%"}}
fig = surfaces.show_doses(table, charts)
numbers = origin | surfaces.list_means(table, "dose", [*charts])
numbers = sbd.save_figure(fig, "14_surfaces-doses", numbers, figures, exact=False)

# %%
surfaces.tell_dose(table)

# %%
surfaces.tabulate_doses(table, [*charts])

# %% [markdown]
# ## What is invented, and what is lost
#
# A column is *lost* if the finder sees it in the clean image and not in the denoised one, and *invented* if it is found where there are no atoms and where the clean image shows nothing. In vacuum there is nothing to find at all: what is found there, and how far the result is from flat, is the denoiser's own.

# %% mystnb={"figure": {"caption": "The audit of every method by dose. (a) Columns lost and (b) columns invented in one image, means over the images with standard errors for four methods; in denoised vacuum, (c) the deviation from flat and (d) the columns found.", "name": "fig-surfaces-audit"}, "image": {"alt": "Four charts over the dose, with four methods in colour and the others grey: columns lost, columns invented, the deviation in vacuum and the columns found in vacuum.", "width": "100%"}}
vacuum = sbd.audit_vacuum(denoisers, doses=doses, seed=seed)
fig = surfaces.show_hallucinations(table, vacuum)
numbers = origin | surfaces.list_audit(table, vacuum)
numbers = sbd.save_figure(fig, "14_surfaces-audit", numbers, figures, exact=False)

# %% [markdown]
# At the lowest of these doses, the paper's: columns that the finder sees in the clean image, those lost and invented, with standard errors over the images; the deviation of denoised vacuum from flat as a share of the dose, how much of it is periodic, and the dots found in a square nanometre of it.

# %%
surfaces.tabulate_audit(table, vacuum, doses[0])

# %% [markdown]
# ## What to take from it
#
# * **Rank denoisers by what you want to know.** Where it is columns, count columns: at the same PSNR one method loses them and another invents them, as the table above says of each.
# * **Compare PSNR within one image only.** Through focus the contrast changes, and with it how much there is to get wrong.
# * **A flat image invents nothing and a noisy one loses nothing.** Read the two charts of the audit together; F1 does it in one number.
# * **At the surface errors count twice,** since a lost column lays its neighbour bare. [Which atoms to believe](04_likelihood.ipynb) and [how sure one can be](11_significance.ipynb) tell of a single one.
# * **Audit your own:** `sbd.audit_denoisers({"mine": f}, sbd.held_out_scenes(), seed=0)` and `sbd.audit_vacuum` take any function from image to image.
