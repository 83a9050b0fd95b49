"""Check that surfaces and audits are drawn as they were found."""

import numpy as np
import pandas as pd
import pytest

from sbd import tuned_denoisers
from sbd.audits.placed_atoms import PlacedAtoms
from sbd.audits.scenes import Scene
from sbd.columns.finding import Columns
from sbd.companion.pages.surfaces.charts import (
    show_doses,
    show_focal_series,
    show_hallucinations,
    show_surfaces,
    show_tradeoffs,
)

TABLE = pd.DataFrame(
    {
        "method": ["blur", "network", "blur", "network"],
        "image": ["one"] * 2 + ["two"] * 2,
        "dose": [0.45, 0.45, 2.0, 2.0],
        "defocus": [6.0, 6.0, 8.0, 8.0],
        "psnr": [30.0, 35.0, 31.0, 38.0],
        "f1": [0.5, 0.9, 0.6, 1.0],
        "lost": [4, 2, 3, 0],
        "invented": [1, 0, 0, 0],
    }
)


def scene_of_dots():
    rows, cols = np.indices((120, 160))
    places = np.array([(40.0, 40.0), (40.0, 64.0), (61.0, 52.0), (61.0, 76.0)])
    image = np.full((120, 160), 0.45)
    for row, col in places:
        image += 0.2 * np.exp(-((rows - row) ** 2 + (cols - col) ** 2) / 50)
    far = np.array([[110.0, 150.0]])
    specimen = PlacedAtoms(places, np.ones(4, bool), far, (0.1, 0.1), (120, 160))
    return Scene("dots", image, specimen), places


def test_a_surface_has_its_outline_and_its_marks():
    scene, places = scene_of_dots()
    found = scene.truth.found
    extra = np.vstack([found.positions[1:], [(20.0, 100.0)]])
    other = Columns(extra, np.full(4, 7.0), np.ones(4), shape=(120, 160))
    fig = show_surfaces(
        scene, {"true": (scene.clean, found), "other": (scene.clean, other)}
    )
    first, second = fig.axes[:2]
    assert [first.get_title(), second.get_title()] == ["(a) true", "(b) other"]
    outline, right, missing, added = first.collections
    assert len(outline.get_segments()) == 4  # a rhombus, its diagonal is inside
    np.testing.assert_allclose(
        np.sort(right.get_offsets()[:, 0]), np.sort(places[:, 1]), atol=0.5
    )  # x is the column; the finder sees dots that overlap a little apart
    assert len(missing.get_offsets()) == len(added.get_offsets()) == 0
    assert fig.legends[0].get_texts()[1].get_text() == "surface of the reference only"
    _, right, missing, added = second.collections
    assert len(right.get_offsets()) == 3
    np.testing.assert_allclose(missing.get_offsets(), [found.positions[0][::-1]])
    np.testing.assert_allclose(added.get_offsets(), [(100.0, 20.0)])


def test_a_frame_moves_the_marks_with_the_image():
    scene, places = scene_of_dots()
    fig = show_surfaces(scene, {"": (scene.clean, scene.truth.found)}, size=(60, 80))
    middle = (places.min(axis=0) + places.max(axis=0)) / 2
    offsets = fig.axes[0].collections[1].get_offsets()
    # the middle of the particle is that of the frame, up to the rounding to a pixel
    np.testing.assert_allclose(
        (offsets.min(axis=0) + offsets.max(axis=0)) / 2, (40, 30), atol=0.6
    )
    assert middle.tolist() == [50.5, 58.0]
    assert fig.axes[0].get_xlim() == (-0.5, 79.5)


def test_scores_stand_over_their_psnr_and_more_dose_is_larger():
    blur, network = show_tradeoffs(TABLE, {"f1": "F1"}).axes
    (marks,) = blur.collections
    assert marks.get_offsets().tolist() == [[30, 0.5], [31, 0.6]]
    (marks,) = network.collections
    assert marks.get_offsets().tolist() == [[35, 0.9], [38, 1.0]]
    assert np.diff(marks.get_sizes()).item() > 0
    assert [blur.get_title(), network.get_title()] == ["blur", "network"]
    for ax in (blur, network):  # all of them are behind
        assert (
            ax.lines[0].get_xydata().tolist() == TABLE[["psnr", "f1"]].values.tolist()
        )


def test_lines_run_over_the_dose():
    left, right = show_doses(TABLE, {"psnr": "PSNR (dB)", "f1": "F1"}).axes
    assert left.lines[0].get_xydata().tolist() == [[0.45, 30], [2, 31]]
    assert right.lines[1].get_xydata().tolist() == [[0.45, 0.9], [2, 1]]
    assert right.get_ylim() == pytest.approx((-0.04, 1.04))
    assert right.get_xscale() == "log"


def test_a_focal_series_has_its_images_its_lines_and_its_pairs():
    scene, _ = scene_of_dots()
    opposed = pd.DataFrame({"f1": [0.9, 0.1]}, index=[6.0, 8.0])
    metrics = {"psnr": "PSNR (dB)", "f1": "F1"}
    fig = show_focal_series(
        {6.0: scene, 8.0: scene}, TABLE, metrics, opposed, least={"psnr": 20.0}
    )
    first, second, psnr, f1, pairs = fig.axes
    assert first.get_title() == "(a) 6 nm"
    assert second.get_title() == "(b) 8 nm"
    assert first.get_xlabel() == "4 of 4, bright"
    assert psnr.lines[1].get_xydata().tolist() == [[6, 35], [8, 38]]
    assert psnr.get_ylim()[0] == 20.0
    assert f1.lines[0].get_xydata().tolist() == [[6, 0.5], [8, 0.6]]
    assert pairs.lines[0].get_xydata().tolist() == [[6, 0.9], [8, 0.1]]
    words = [text.get_text() for text in pairs.get_legend().get_texts()]
    assert sorted(words) == ["F1", "a half"]


def test_of_a_long_focal_series_six_images_are_drawn_most_of_them_near_its_start():
    scene, _ = scene_of_dots()
    foci = [0.0, 1.0, 2.0, 3.0, 4.0, 6.0, 8.0, 10.0, 12.0, 16.0, 20.0]
    opposed = pd.DataFrame({"f1": 0.5}, index=foci)
    fig = show_focal_series(dict.fromkeys(foci, scene), TABLE, {"f1": "F1"}, opposed)
    titles = [ax.get_title() for ax in fig.axes if ax.images]
    assert [title.split()[1] for title in titles] == ["0", "1", "2", "3", "8", "20"]
    with pytest.raises(ValueError, match="scenes must hold at least one; got none"):
        show_focal_series({}, TABLE, {"f1": "F1"}, opposed)


def test_four_methods_are_lit_and_the_others_are_one():
    methods = [*tuned_denoisers(), "network"]
    rows = [TABLE[:1].assign(method=name) for name in methods]
    ax, *_ = show_doses(pd.concat(rows), {"psnr": "PSNR"}).axes
    words = [text.get_text() for text in ax.figure.legends[0].get_texts()]
    lit = ["windowed Fourier", "PURE-LET", "Gaussian", "network"]
    assert sorted(words) == sorted(["others", *lit])
    lines = {line.get_color() for line in ax.lines}
    assert len(lines) == 5
    assert len(ax.lines) == len(methods)


def test_means_have_their_errors():
    twice = pd.concat([TABLE, TABLE.assign(psnr=TABLE["psnr"] + 2)])
    ax, *_ = show_doses(twice, {"psnr": "PSNR"}).axes
    (bars,) = ax.collections
    ends = [part[:, 1].tolist() for part in bars.get_segments()]
    assert ends == [[35.0, 37.0], [38.0, 40.0]]
    assert [t.get_text() for t in ax.get_xticklabels()] == ["0.45\n116", "2\n517"]


def test_the_audit_shows_means_by_dose_and_all_of_them():
    both = pd.concat([TABLE, TABLE.assign(lost=TABLE["lost"] + 2)])
    vacuum = TABLE[["method", "dose"]].assign(
        relative=[1.5, 0.0, 0.5, 0.0], columns=3.0
    )
    fig = show_hallucinations(both, vacuum)
    lost, _, relative, columns = fig.axes
    assert lost.lines[0].get_xydata().tolist() == [[0.45, 5], [2, 4]]
    assert relative.lines[0].get_ydata().tolist() == [1.5, 0.5]
    for ax in fig.axes:
        values = np.concatenate([line.get_ydata() for line in ax.lines])
        low, high = ax.get_ylim()
        assert low < values.min()
        assert values.max() < high
    assert columns.get_ylabel() == "in 1 nm²"
