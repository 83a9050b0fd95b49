"""Check the sheets: every structure has its panel, named and to one scale."""

import io

import numpy as np
import PIL.Image
import pytest
from matplotlib.colors import to_hex

from sbd.companion.pages.structures.atlas import (
    describe_particles,
    describe_structures,
    show_models,
    show_projections,
    show_published,
)
from sbd.companion.pages.structures.portraits import changed_columns
from sbd.plotting.colours import ORANGE, PURPLE
from sbd.plotting.images import DPI
from sbd.simulation.specimens import (
    PARTICLES,
    PUBLISHED,
    particle_card,
    structure_table,
)
from sbd.simulation.structures import atoms_per_column, pt_on_ceria

TABLE = structure_table()


def some(particle, count):
    return TABLE[TABLE["particle"] == particle].head(count)


def titles(fig, side="left"):
    return [ax.get_title(side) for ax in fig.axes[1:]]


def words(fig):
    return [text.get_text() for text in fig.axes[0].texts]


@pytest.mark.parametrize(
    ("particle", "count"), [("PtNp1", 19), ("PtNp2", 14), ("PtNp3", 12), ("PtNp4", 8)]
)
def test_every_distinct_structure_has_a_projection(particle, count):
    fig = show_projections(particle)
    mine = TABLE[TABLE["particle"] == particle]
    labels = (mine["defect"] + mine["variant"].str.lstrip("a")).unique()
    assert titles(fig) == list(labels)
    assert len(labels) == count


def test_every_structure_has_a_model():
    fig = show_models("PtNp4")
    mine = TABLE[TABLE["particle"] == "PtNp4"]
    labels = mine["defect"] + mine["variant"].str.lstrip("a")
    heights = [f"{thickness:g} \u00c5" for thickness in mine["thickness"]]
    assert titles(fig) == list(labels)
    assert titles(fig, "center") == heights


def test_a_panel_shows_the_structure_that_it_names():
    fig = show_projections("PtNp2", some("PtNp2", 11))
    for ax in fig.axes[1:]:
        numbers = ax.collections[1].get_paths()
        atoms = pt_on_ceria("PtNp2", ax.get_title("left"))
        columns = atoms_per_column(atoms)
        assert len(numbers) == (columns["element"] == "Pt").sum()
        rings = ax.collections[0].get_facecolor()[:, 3] == 0
        changed = changed_columns("PtNp2", ax.get_title("left"))["change"] != 0
        assert rings.sum() == changed.sum()


def test_panels_tell_the_split_in_its_colour():
    fig = show_projections("PtNp4")
    shown = {ax.get_title("right"): ax._right_title.get_color() for ax in fig.axes[1:]}
    assert set(shown) == {"train", "valid", "test"}
    assert to_hex(shown["valid"]) == ORANGE
    assert to_hex(shown["test"]) == PURPLE


def test_sheets_say_what_is_known_and_what_each_defect_is():
    fig = show_projections("PtNp4")
    assert words(fig)[0] == f"PtNp4. {particle_card('PtNp4')['known']}"
    assert words(fig).count("one column of the surface missing") == 4


@pytest.mark.parametrize("show", [show_projections, show_models])
def test_a_label_begins_a_row(show):
    fig = show("PtNp4", TABLE.tail(9))
    places = {ax.get_position().y0: [] for ax in fig.axes[1:]}
    for ax in fig.axes[1:]:
        places[ax.get_position().y0].append(ax.get_title("left")[:2])
    assert all(len(set(row)) == 1 and len(row) <= 4 for row in places.values())


@pytest.mark.parametrize("show", [show_projections, show_models])
def test_panels_have_one_scale_and_whole_pixels(show):
    fig = show("PtNp4", TABLE.tail(9))
    width, height = fig.get_size_inches() * DPI
    limits = {(*ax.get_xlim(), *ax.get_ylim()) for ax in fig.axes[1:]}
    assert len(limits) == 1
    for ax in fig.axes[1:]:
        box = ax.get_position()
        pixels = np.multiply(box.bounds, (width, height, width, height))
        np.testing.assert_allclose(pixels, pixels.round(), atol=1e-6)


@pytest.mark.parametrize("particle", PARTICLES)
def test_columns_of_a_layer_are_whole_pixels_apart(particle):
    fig = show_projections(particle, some(particle, 1))
    ax = fig.axes[1]
    wide = ax.get_position().width * fig.get_figwidth() * DPI
    across = np.unique(changed_columns(particle)["x"])
    steps = np.diff(across) * wide / np.diff(ax.get_xlim())
    # the places of columns are rounded to 0.001 angstrom, 0.01 of a pixel
    np.testing.assert_allclose(steps, steps.round(), atol=0.05)


def test_the_scale_bar_is_a_nanometre():
    fig = show_projections("PtNp1", some("PtNp1", 1))
    canvas, ax = fig.axes
    (bar,) = canvas.lines
    wide = ax.get_position().width * fig.get_figwidth()
    scale = wide / np.diff(ax.get_xlim())[0]
    assert np.ptp(bar.get_xdata()) == pytest.approx(10 * scale)


def test_the_published_specimens_carry_their_file_names():
    fig = show_published()
    assert titles(fig)[:4] == list(PUBLISHED)
    assert len(fig.axes) == 1 + 2 * len(PUBLISHED)
    assert "row 4: +2 atoms; row 3: \N{MINUS SIGN}1 atoms" in words(fig)


def test_a_drawn_sheet_has_few_colours_and_loses_none_that_matters():
    fig = show_published()
    buffers = io.BytesIO(), io.BytesIO()
    fig.savefig(buffers[0], dpi=DPI)
    fig.set_agg_filter(None)
    fig.savefig(buffers[1], dpi=DPI, facecolor="white")
    few, full = (PIL.Image.open(buffer).convert("RGB") for buffer in buffers)
    assert len(few.getcolors(10**6)) <= 128
    assert few.getpixel((0, 0)) == (255, 255, 255)
    # measured: 20 of 255 levels at worst, at the rims of balls
    assert np.abs(np.subtract(few, full, dtype=int)).max() <= 30


def test_the_table_counts_atoms_and_columns():
    table = describe_structures().set_index("structure")
    assert len(table) == 95
    assert list(table.index) == list(TABLE["structure"])
    assert table.loc["PtNp2-D0-40", "Pt"] == 300
    assert table.loc["PtNp2-D0-40", "layers"] == "7 8 9 9 10"
    assert table.loc["PtNp4-D1-50", "layers"] == "2 4 5"
    for row in table.sample(5, random_state=0).itertuples():
        atoms = pt_on_ceria(row.particle, row.defect + row.variant.lstrip("a"))
        assert row.Pt == atoms.symbols.count("Pt")


def test_the_particles_are_told_with_what_is_known():
    table = describe_particles()
    assert list(table["particle"]) == list(PARTICLES)
    assert table["known"][1].startswith("Known to the atom")
    assert table["columns"][3] == "4 3 / 3 4 5 4 3 / 4 5 6 5 4"
    assert table["facets"][3] == "terrace -111 | 110 111"


@pytest.mark.parametrize("show", [show_projections, show_models])
def test_what_is_not_in_the_table_is_refused(show):
    with pytest.raises(ValueError, match=r"particle must be one of .* got 'PtNp9'"):
        show("PtNp9")
    with pytest.raises(ValueError, match="structures must hold some of PtNp1; got"):
        show("PtNp1", TABLE.tail(3))
