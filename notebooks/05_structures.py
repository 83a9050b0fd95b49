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
# # The specimens: platinum particles on ceria, atom by atom
#
# Every structure that the benchmark is computed from: along the beam, as an image shows it, and as balls. A reader who doubts a column can count its atoms here.

# %% tags=["parameters"]
scale = "default"  # "smoke", "default" or "paper"
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
import pandas as pd
from IPython.display import HTML

import sbd
from sbd.companion.pages.structures import (
    describe_particles,
    describe_structures,
    show_models,
    show_projections,
    show_published,
)
from sbd.simulation.specimens import PUBLISHED, layer_counts

sbd.check_parameters()
size = sbd.at_scale(scale)
pd.set_option("display.max_colwidth", None)
scroll = '<div style="max-height: 30rem; overflow: auto; white-space: nowrap">{}</div>'
table = describe_structures()
shown = table.groupby("particle").head(5) if size.name == "smoke" else table
atoms = shown.groupby("particle")["Pt"]
counts = atoms.agg(structures="size", fewest_Pt="min", most_Pt="max")
counts = counts.assign(source="simulated").to_dict("index")

# %% tags=["hide-input"] mystnb={"figure": {"caption": "The specimens of the four published images, named like their files: PtNp2 along the beam, with the atoms in each column, and as balls with the top of a support of 40 Å.", "name": "fig-structures"}, "image": {"alt": "Two rows of four panels. Above, discs with numbers on a strip of pale ceria; red rings, broken circles and a blue ring mark the changed columns. Below, the same particles as grey balls, with missing atoms in pale red and added ones in blue.", "width": "100%"}}
fig = show_published()
platinum = {name: sum(map(sum, layer_counts("PtNp2", name))) for name in PUBLISHED}
numbers = {"source": "simulated", "Pt": platinum}
numbers = sbd.save_figure(fig, "05_structures", numbers, figures)

# %% [markdown]
# ## The published ones
#
# A file name says which atoms were taken or put on: S1, S3 and S5 are sites at the left, in rows 4, 3 and 1 from the top, and the number behind each is that of the atoms. These four serve for evaluation only.
#
# Each disc is a column of platinum atoms and carries their number. In the models, the pale red balls are not there: they show what the perfect particle has.

# %% [markdown]
# **What is known.** The authors published clean images of one particle, PtNp2, with four defects. Our model of it fits those images to the atom, and no alternative that we tried does. Three more images, without a label, show a second particle: whole, without one column, and beside a support that falls off in steps. Its atoms, too, fit [to the atom](06_fidelity.ipynb).
#
# **What is our reconstruction.** All the rest. That the second particle is PtNp1 is a guess. Of PtNp3 and PtNp4 the paper's figure shows silhouettes: they give the columns in each layer and the step under PtNp4. How many atoms a column has is ours, and so is which silhouette bears which label. The labels of the defects stand in the authors' evaluation logs and are explained nowhere that we could find. We take D0 for the perfect particle, D1 and D2 for one and two columns of the surface missing, Dh for half a column missing, and Ds for single atoms missing. The letters b to e, and which structures are for training, validation and test, are ours too: what the authors' images show is for test.

# %% [markdown]
# ## The four particles
#
# Platinum atoms, atoms per column (layers from the top down), and the facets at the left and at the right, also from the top down; a minus sign is an overhang.

# %%
HTML(describe_particles().to_html(index=False))

# %% [markdown]
# How many structures of each are shown below, and how many platinum atoms they have:

# %%
summary = pd.DataFrame(counts).T.drop(columns="source")
summary.rename(columns={"fewest_Pt": "fewest Pt atoms", "most_Pt": "most Pt atoms"})

# %% [markdown]
# ## PtNp1
#
# Five layers on a flat support; D0b stands beside one that falls off, as one image shows it. Label by label, every structure that differs in its atoms; those without a letter exist at four thicknesses of the support, those with one at 50 Å only.

# %% tags=["hide-input"] mystnb={"figure": {"caption": "PtNp1 along the beam: atoms in each column, and what differs from the perfect particle. At the right of each name is the split that the structure belongs to.", "name": "fig-structures-ptnp1"}, "image": {"alt": "A grid of panels, a label a row. Each shows five layers of discs with numbers on a strip of pale ceria; rings and broken circles mark the columns in which the structure differs from the perfect one.", "width": "100%"}}
fig = show_projections("PtNp1", shown)
numbers = sbd.save_figure(fig, "05_structures-PtNp1", counts["PtNp1"], figures)

# %% tags=["hide-input"] mystnb={"figure": {"caption": "All structures of PtNp1 as balls, seen from above the left, on one scale; of the support only the top is drawn. Pale red balls are atoms that the perfect particle has and this one has not; blue ones were put on.", "name": "fig-structures-ptnp1-models"}, "image": {"alt": "A grid of ball models of a grey particle of five layers on supports of 30, 40, 50 and 60 angstrom; missing atoms are pale red, added ones blue.", "width": "100%"}}
fig = show_models("PtNp1", shown)
numbers = sbd.save_figure(fig, "05_structures-PtNp1-models", counts["PtNp1"], figures)

# %% [markdown]
# ## PtNp2
#
# The particle of the published images. It is certain; which of its columns D1, Dh and Ds took is not.

# %% tags=["hide-input"] mystnb={"figure": {"caption": "PtNp2 along the beam: atoms in each column, and what differs from the perfect particle. At the right of each name is the split that the structure belongs to.", "name": "fig-structures-ptnp2"}, "image": {"alt": "A grid of panels, a label a row. Each shows five layers of discs with numbers on a strip of pale ceria; rings and broken circles mark the columns in which the structure differs from the perfect one.", "width": "100%"}}
fig = show_projections("PtNp2", shown)
numbers = sbd.save_figure(fig, "05_structures-PtNp2", counts["PtNp2"], figures)

# %% tags=["hide-input"] mystnb={"figure": {"caption": "All structures of PtNp2 as balls, seen from above the left, on one scale; of the support only the top is drawn. Pale red balls are atoms that the perfect particle has and this one has not; blue ones were put on.", "name": "fig-structures-ptnp2-models"}, "image": {"alt": "A grid of ball models of a grey particle of five layers on supports of 30, 40, 50 and 60 angstrom; missing atoms are pale red, added ones blue.", "width": "100%"}}
fig = show_models("PtNp2", shown)
numbers = sbd.save_figure(fig, "05_structures-PtNp2-models", counts["PtNp2"], figures)

# %% [markdown]
# ## PtNp3
#
# Six layers, the largest. In the authors' logs it has no Dh and no Ds.

# %% tags=["hide-input"] mystnb={"figure": {"caption": "PtNp3 along the beam: atoms in each column, and what differs from the perfect particle. At the right of each name is the split that the structure belongs to.", "name": "fig-structures-ptnp3"}, "image": {"alt": "A grid of panels, a label a row. Each shows six layers of discs with numbers on a strip of pale ceria; rings and broken circles mark the columns in which the structure differs from the perfect one.", "width": "100%"}}
fig = show_projections("PtNp3", shown)
numbers = sbd.save_figure(fig, "05_structures-PtNp3", counts["PtNp3"], figures)

# %% tags=["hide-input"] mystnb={"figure": {"caption": "All structures of PtNp3 as balls, seen from above the left, on one scale; of the support only the top is drawn. Pale red balls are atoms that the perfect particle has and this one has not; blue ones were put on.", "name": "fig-structures-ptnp3-models"}, "image": {"alt": "A grid of ball models of a grey particle of six layers on supports of 30, 40, 50 and 60 angstrom; missing atoms are pale red, added ones blue.", "width": "100%"}}
fig = show_models("PtNp3", shown)
numbers = sbd.save_figure(fig, "05_structures-PtNp3-models", counts["PtNp3"], figures)

# %% [markdown]
# ## PtNp4
#
# Three layers beside a step of the support. In the logs it has D0 and D1 only.

# %% tags=["hide-input"] mystnb={"figure": {"caption": "PtNp4 along the beam: atoms in each column, and what differs from the perfect particle. At the right of each name is the split that the structure belongs to.", "name": "fig-structures-ptnp4"}, "image": {"alt": "A grid of panels, a label a row. Each shows three layers of discs with numbers on a strip of pale ceria; rings and broken circles mark the columns in which the structure differs from the perfect one.", "width": "100%"}}
fig = show_projections("PtNp4", shown)
numbers = sbd.save_figure(fig, "05_structures-PtNp4", counts["PtNp4"], figures)

# %% tags=["hide-input"] mystnb={"figure": {"caption": "All structures of PtNp4 as balls, seen from above the left, on one scale; of the support only the top is drawn. Pale red balls are atoms that the perfect particle has and this one has not; blue ones were put on.", "name": "fig-structures-ptnp4-models"}, "image": {"alt": "A grid of ball models of a grey particle of three layers on supports of 30, 40, 50 and 60 angstrom; missing atoms are pale red, added ones blue.", "width": "100%"}}
fig = show_models("PtNp4", shown)
numbers = sbd.save_figure(fig, "05_structures-PtNp4-models", counts["PtNp4"], figures)

# %% [markdown]
# ## How many structures a label has
#
# The paper counts 855 models. With nine tilts each, that makes 95 structures. The authors' evaluation logs tell how they share out: a row names label, thickness, tilt and defocus of a test image. A structure has 189 images (nine tilts, 21 defocus values), of which the logs hold about a fifth, drawn at random: 38 rows, give or take six.
#
# At 30, 40 and 60 Å a label has 25 to 49 rows, so it is one structure. At 50 Å it has 108 to 172 rows, and the same tilt and defocus occurs up to four times: these are three to five structures under one label, and what distinguishes them is not said. (Pairs also occur at 60 Å, at one tilt only: there the labels of two tilts were taken for one.) For twelve of the fourteen labels the rows leave little doubt of the number. For PtNp3, three structures of D0 and five of D2 explain the logs no better and no worse than four of each; we took the former.

# %%
parts = ["particle", "defect", "thickness"]
table.value_counts(parts).unstack(fill_value=0).sort_index().add_suffix(" \u00c5")

# %% [markdown]
# ## The table
#
# All structures: the split, the platinum atoms, the columns in each layer from the top down, the facets, and the sites that differ as row.column:atoms. Rows count from the top and columns from the left, both from zero. With `sbd.pt_on_ceria("PtNp1", "D1b", thickness=50.0)` you build the one named PtNp1-D1b-50.

# %%
HTML(scroll.format(table.to_html(index=False)))
