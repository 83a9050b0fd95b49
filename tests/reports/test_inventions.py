"""Check that inventions are counted where every column is known."""

import numpy as np
import pytest

from sbd.audits.bundled_scenes import held_out_scenes
from sbd.reports import count_inventions
from sbd.reports.numbers import sum_inventions

DOSE = 5000.0  # electrons per square angstrom: every column is beyond doubt


@pytest.fixture(scope="module")
def scene():
    (one,) = held_out_scenes(frame=(160, 160))[:1]
    assert one.polarity == "bright"
    return one


def artist(scene, added=None):
    """Draw the truth at the dose of what is seen, with something added."""

    def denoise(noisy):
        image = scene.clean if added is None else scene.clean + added
        return image * (noisy.mean() / scene.clean.mean())

    return lambda _: denoise


def test_who_knows_the_truth_loses_and_invents_nothing(scene):
    table = count_inventions(artist(scene), DOSE, seed=0, scenes=[scene])
    row = table.iloc[0]
    assert row["seen"] == scene.truth.hit.sum() > 5
    assert row["lost"] == row["invented"] == row["invented after"] == 0
    # of columns cut off by the border nobody can tell what is there without them
    places = scene.specimen.columns[scene.specimen.platinum][scene.truth.hit]
    assert row["lost after"] == ((places < 10) | (places > 150)).any(1).sum()


def test_an_invented_column_is_counted_and_taken_away_by_the_verdict(scene):
    rows, columns = np.indices(scene.clean.shape)
    material = scene.specimen.columns
    far = [
        (np.hypot(*(material - place).T).min(), place)
        for place in np.ndindex(scene.clean.shape)
        if all(20 < n < 140 for n in place)
    ]
    distance, (row, column) = max(far)
    assert distance > 20  # pixels from any column
    dot = 0.2 * np.exp(-((rows - row) ** 2 + (columns - column) ** 2) / 100)
    table = count_inventions(artist(scene, dot), DOSE, seed=0, scenes=[scene])
    assert table[["invented", "invented after"]].to_numpy().tolist() == [[1, 0]]
    assert table["lost"].tolist() == [0]


def test_means_are_of_images_and_errors_between_them(scene):
    flat = lambda _: lambda y: np.full(y.shape, y.mean())  # noqa: E731
    table = count_inventions(flat, 100.0, seed=0, scenes=[scene], draws=2)
    assert table["lost"].equals(table["seen"])
    more = table.assign(image="another", seen=table["seen"] + 4)
    both = sum_inventions(type(table)(np.vstack([table, more]), columns=table.columns)
                          .infer_objects())  # fmt: skip
    mean, error = both["seen"]
    assert mean == table["seen"].mean() + 2
    assert error == pytest.approx(2)  # 4 apart: deviation 4 / sqrt(2), of two


def test_a_dose_that_is_none_is_refused(scene):
    with pytest.raises(ValueError, match="dose must be positive"):
        count_inventions(artist(scene), 0.0, seed=0, scenes=[scene])
