"""Check what a digest sees of a figure: every real change, and no noise."""

import json

import numpy as np
import pytest
from matplotlib.colors import BoundaryNorm, PowerNorm, SymLogNorm, TwoSlopeNorm
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Circle

from sbd.figureguard import digests
from sbd.figureguard.artists import digest_figure
from sbd.figureguard.digests import compare_digests

SIZE = 64
ROW, COLUMN = np.mgrid[:SIZE, :SIZE]
# a lattice on a vacuum of 0.45 e/pixel, oversampled as micrographs are
IMAGE = 0.45 + 0.1 * np.cos(0.37 * ROW) * np.cos(0.3 * COLUMN)
MAP = np.where(ROW < 10, np.nan, np.sin(0.2 * COLUMN))
POINTS = np.column_stack([np.linspace(5, 60, 12), np.linspace(9, 50, 12)])


def draw(**change):
    """Draw a figure with a bit of everything, one of them changed."""
    fig = Figure(figsize=(6, 2))
    left, middle, right = fig.subplots(1, 3)
    image = change.get("image", IMAGE)
    left.imshow(image, cmap=change.get("cmap", "gray"), vmin=0, vmax=1)
    left.scatter(*change.get("points", POINTS).T, s=9, c="orange")
    left.set_title(change.get("title", "Data"))
    left.add_patch(Circle(change.get("circle", (20, 30)), 5, fill=False))
    limit = change.get("limit", 1.0)
    shown = middle.imshow(change.get("map", MAP), "coolwarm", vmin=-limit, vmax=limit)
    middle.annotate("atom", change.get("tip", (8, 9)), (20, 20), arrowprops={})
    fig.colorbar(shown, ax=middle, label=change.get("label", "weight"))
    x = np.linspace(0, 1, 50)
    right.plot(x, change.get("curve", 1.0) * np.exp(x), color=change.get("ink", "k"))
    right.bar(["a", "b"], change.get("bars", [2.0, 3.0]))
    fig.canvas.draw()
    # as it is after a way through a notebook's metadata
    return json.loads(json.dumps(digest_figure(fig)))


REFERENCE = draw()
RNG = np.random.default_rng(3)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"image": -IMAGE}, "panel 1 'Data', image 1, mean"),
        ({"image": IMAGE[::-1]}, "image 1, projections"),
        ({"image": IMAGE.T}, "image 1, projections"),
        ({"image": np.roll(IMAGE, 1, axis=1)}, "image 1, projections"),
        ({"cmap": "viridis"}, "image 1, cmap, name: 'gray' became 'viridis'"),
        ({"limit": 1.05}, "panel 2, image 1, clim: -1 became -1.05"),
        ({"map": -MAP}, "panel 2, image 1, projections"),
        ({"map": np.where(ROW < 11, np.nan, MAP)}, "image 1, missing"),
        ({"title": "Date"}, "title 1: 'Data' became 'Date'"),
        ({"label": "gradient"}, "panel 4, label 2: 'weight' became 'gradient'"),
        ({"points": POINTS[1:]}, "collection 1, points: 12 became 11"),
        ({"points": POINTS[:, ::-1]}, "collection 1, across, mean"),
        ({"circle": (21, 30)}, "patch 1, bounds"),
        ({"tip": (9, 9)}, "text 1, tip"),
        ({"curve": 1.01}, "line 1, up, mean"),
        ({"ink": "red"}, "line 1, colour: '#000000ff' became '#ff0000ff'"),
        ({"bars": [2.0, 3.1]}, "patch 2, bounds"),
        ({"bars": [3.0, 2.0]}, "patch 1, bounds"),
    ],
)
def test_a_real_change_is_seen(change, words):
    found = compare_digests(REFERENCE, draw(**change))
    assert any(words in line for line in found), found


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"image": IMAGE * (1 + 1e-3 * RNG.standard_normal(IMAGE.shape))},
        {"map": MAP * (1 + 1e-3 * RNG.standard_normal(MAP.shape))},
        {"image": IMAGE.astype(np.float32)},
        {"points": POINTS + 1e-3},
        {"curve": 1.001},
    ],
    ids=str,
)
def test_noise_is_let_through(change):
    assert compare_digests(REFERENCE, draw(**change)) == []


def test_another_draw_of_noise_is_seen():
    def counts(seed):
        return np.random.default_rng(seed).poisson(0.45, (SIZE, SIZE))

    first, second = (draw(image=counts(seed)) for seed in (0, 1))
    found = compare_digests(first, second)
    assert any("projections" in line for line in found)


def test_one_missing_column_in_a_large_image_is_seen():
    row, column = np.mgrid[:800, :800]
    atom = 0.3 * np.exp(-((row - 300) ** 2 + (column - 500) ** 2) / (2 * 8.0**2))
    vacuum = np.full((800, 800), 0.45)
    found = compare_digests(draw(image=vacuum + atom), draw(image=vacuum))
    # 0.3 * 2 pi * 8**2 = 121 e in a block of 100 x 100: 0.012 of 0.45, allowed 0.0023
    assert any("image 1, blocks" in line for line in found)


def test_a_hidden_artist_counts_as_removed():
    fig = Figure()
    ax = fig.subplots()
    (line,) = ax.plot([0, 1], [0, 1])
    before = digest_figure(fig)
    line.set_visible(False)
    assert compare_digests(before, digest_figure(fig)) == ["panel 1, lines: 1 became 0"]


def test_panels_within_panels_are_described():
    fig = Figure()
    fig.subplots().inset_axes((0.5, 0.5, 0.4, 0.4)).set_title("inside")
    (panel,) = digest_figure(fig)["panels"]
    assert panel["panels"][0]["titles"][0] == "inside"


def test_a_table_is_noticed():
    fig = Figure()
    ax = fig.subplots()
    ax.table([["a", "b"]])
    assert digest_figure(fig)["panels"][0]["other"] == {"Table": 1}


def test_the_signs_never_change():
    # written down once; PCG64's raw output is fixed for all time
    fig = Figure()
    fig.subplots().imshow(np.arange(6.0).reshape(2, 3))
    (panel,) = digest_figure(fig)["panels"]
    assert panel["images"][0]["projections"][:3] == [-2.04124, -2.04124, 3.67423]


# --- what version 2 tells of

X = np.linspace(0, 1, 20)


def bars(ax, size=0.1):
    ax.errorbar(X, X, yerr=size)


def depth(ax, factor=1.0):
    ax.plot(X, X, factor * X)


def cells(ax, word="a"):
    ax.table([[word, "b"]])


def over(ax, first=1):
    ax.fill_between(X, X, zorder=first)
    ax.plot(X, X, zorder=2)


def hatched(ax, hatch="/"):
    ax.add_patch(Circle((0, 0), 1, hatch=hatch))


def keyed(ax, colour="k"):
    ax.legend([Line2D([], [], color=colour)], ["network"])


def turned(ax, rotation=0):
    ax.text(0, 0, "atom", rotation=rotation)


def small(draw_it, value=None, projection=None):
    """Draw one thing and give its digest, after its way through a notebook."""
    fig = Figure(figsize=(2, 2))
    ax = fig.subplots(subplot_kw={"projection": projection})
    draw_it(ax) if value is None else draw_it(ax, value)
    fig.canvas.draw()
    return json.loads(json.dumps(digest_figure(fig)))


@pytest.mark.parametrize(
    ("draw_it", "value", "words"),
    [
        (bars, 0.105, "panel 1, collection 1, heights, mean: 0.2 became 0.21"),
        (cells, "c", "panel 1, table 1, cell 1: 'a' became 'c'"),
        (over, 3, "panel 1, order 1: 'collection 1' became 'line 1'"),
        (hatched, "x", "panel 1, patch 1, hatch: '/' became 'x'"),
        (keyed, "r", "panel 1, key 1: '#000000ff' became '#ff0000ff'"),
        (turned, 90, "panel 1, text 1, turned: 0 became 90"),
        (lambda ax, on=False: ax.grid(on), True, "grid 1: False became True"),
        (lambda ax, c="w": ax.set_facecolor(c), "k", "background"),
    ],
)
def test_more_changes_are_seen(draw_it, value, words):
    found = compare_digests(small(draw_it), small(draw_it, value))
    assert any(words in line for line in found), found


def test_the_third_dimension_is_seen():
    pytest.importorskip("mpl_toolkits.mplot3d")
    before, after = (small(depth, factor, projection="3d") for factor in (1.0, 1.05))
    found = compare_digests(before, after)
    assert any("panel 1, depth, zlim" in line for line in found), found


def first_version(digest):
    """Take from a digest what those of version 1 did not tell of."""
    if isinstance(digest, dict):
        new = digests._SINCE_2
        return {k: first_version(v) for k, v in digest.items() if k not in new}
    return [first_version(d) for d in digest] if isinstance(digest, list) else digest


def test_digests_of_the_first_version_are_still_good():
    old, fresh = first_version(REFERENCE), draw(ink="red")
    assert "version" not in old
    assert compare_digests(old, REFERENCE) == []
    (found,) = compare_digests(old, fresh)
    assert found == "panel 3, line 1, colour: '#000000ff' became '#ff0000ff'"


def test_a_digest_of_today_that_lacks_something_is_not():
    broken = first_version(REFERENCE) | {"version": digests.VERSION}
    assert any("new" in line for line in compare_digests(broken, REFERENCE))


RAMP = np.linspace(0, 1, 64).reshape(8, 8)


HIDDEN = {
    "the power of a norm": (
        lambda ax: ax.imshow(RAMP, norm=PowerNorm(0.5)),
        lambda ax: ax.imshow(RAMP, norm=PowerNorm(2)),
    ),
    "where a norm is linear": (
        lambda ax: ax.imshow(RAMP, norm=SymLogNorm(0.1)),
        lambda ax: ax.imshow(RAMP, norm=SymLogNorm(0.01)),
    ),
    "the middle of a norm": (
        lambda ax: ax.pcolormesh(RAMP, norm=TwoSlopeNorm(0.2, 0, 1)),
        lambda ax: ax.pcolormesh(RAMP, norm=TwoSlopeNorm(0.8, 0, 1)),
    ),
    "the steps of a norm": (
        lambda ax: ax.imshow(RAMP, norm=BoundaryNorm([0, 0.2, 1], 256)),
        lambda ax: ax.imshow(RAMP, norm=BoundaryNorm([0, 0.8, 1], 256)),
    ),
    "where an image is opaque": (
        lambda ax: ax.imshow(RAMP, alpha=RAMP),
        lambda ax: ax.imshow(RAMP, alpha=RAMP.T),
    ),
    "an image on the figure": (
        lambda ax: ax.figure.figimage(RAMP),
        lambda ax: ax.figure.figimage(RAMP.T),
    ),
    "a second axis": (
        lambda ax: ax.secondary_xaxis("top", functions=(np.array, np.array)),
        lambda ax: ax.secondary_xaxis(
            "top", functions=(lambda x: 3 * x, lambda x: x / 3)
        ),
    ),
}


@pytest.mark.parametrize("what", HIDDEN)
def test_what_a_drawing_hides_is_seen(what):
    told = []
    for paint in (*HIDDEN[what], HIDDEN[what][0]):
        fig = Figure()
        paint(fig.subplots())
        fig.draw_without_rendering()
        told.append(digest_figure(fig))
    assert compare_digests(told[0], told[1])
    assert compare_digests(told[0], told[2]) == []
