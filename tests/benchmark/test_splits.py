"""Check the authors' test images against what is known of their evaluation logs."""

from collections import Counter
from importlib.resources import files
from itertools import product

import numpy as np
import pandas as pd
import pytest

from sbd.benchmark.splits import published_split, published_test_counts

STRUCTURES = {  # that share a label at 50 angstrom
    "PtNp1": {"D0": 4, "D1": 3, "D2": 4, "Dh": 4, "Ds": 4},
    "PtNp2": {"D0": 4, "D1": 4, "Dh": 3, "Ds": 3},
    "PtNp3": {"D0": 3, "D1": 4, "D2": 5},
    "PtNp4": {"D0": 4, "D1": 4},
}
TILTS = [(x, 0) for x in range(5)] + [(0, y) for y in range(1, 5)]


def contrasts():
    with (files("sbd") / "assets" / "contrast.csv").open() as file:
        lines = pd.read_csv(file)
    keys = zip(lines.thickness, lines.tilt_x, lines.tilt_y, lines.defocus, strict=True)
    return dict(zip(keys, lines.label.where(lines.label.notna(), None), strict=True))


@pytest.fixture(scope="module")
def table():
    """Build the table of the whole benchmark, without its images."""
    labels, rows = contrasts(), []
    for particle, defects in STRUCTURES.items():
        for defect, thickness in product(defects, (30, 40, 50, 60)):
            number = defects[defect] if thickness == 50 else 1
            for variant, tilt, defocus in product("abcde"[:number], TILTS, range(21)):
                point = (thickness, *tilt, defocus)
                rows.append((particle, defect, variant, *point, labels[point]))
    names = "particle defect variant thickness tilt_x tilt_y defocus contrast"
    return pd.DataFrame(rows, columns=names.split())


def pick(table, **values):
    return table.loc[(table[list(values)] == pd.Series(values)).all(axis=1)]


def test_the_counts_are_those_of_the_logs():
    counts = published_test_counts()
    assert len(counts) == 14 * 4 * 9 * 21
    assert counts[["test", "test_white", "valid"]].sum().tolist() == [3567, 280, 279]
    # from the logs, read by eye: the first rows, and a crowded point
    keys = ["label", "thickness", "tilt_x", "tilt_y", "defocus"]
    at = counts.set_index(keys)
    assert at.loc[("PtNp1-D2", 50, 0, 3, 0), "test"] == 1
    assert at.loc[("PtNp2-D1", 30, 0, 2, 10), "test_white"] == 1
    assert at["test"].value_counts()[[1, 2, 3, 4]].tolist() == [2626, 385, 53, 3]
    by_thickness = counts.groupby("thickness")["test"].sum()
    assert by_thickness.to_dict() == {30: 509, 40: 537, 50: 1993, 60: 528}


def test_the_contrasts_are_those_of_the_logs():
    counts, labels = published_test_counts(), contrasts()
    found = Counter()
    for row in counts.itertuples():
        key = (row.thickness, row.tilt_x, row.tilt_y, row.defocus)
        found[labels[key]] += row.test
    # the logs say 164, 2286, 1117; a label is a function of the parameters in all but
    # 21 of their rows, so that no sum can be off by more
    for label, number in {"black": 164, "intermediate": 2286, "white": 1117}.items():
        assert abs(found[label] - number) <= 21


def test_the_whole_benchmark_is_split_as_published(table):
    assert len(table) == 17_955
    split = published_split(table)
    assert split.value_counts().to_dict() == {
        "test": 3567,
        "valid": 279,
        "train": 17_955 - 3567 - 279,
    }
    white = published_split(table, contrast="white")
    other = int((table.contrast != "white").sum())
    assert white.value_counts()[["test", "valid", "unused"]].tolist() == [
        *(280, 279),
        other,
    ]


def test_white_experiments_use_white_images_only(table):
    white = published_split(table, contrast="white")
    assert set(table.contrast[white != "unused"]) == {"white"}
    assert set(table.contrast[published_split(table) == "valid"]) == {"white"}


def test_no_validation_image_is_a_test_image_of_either_experiment(table):
    split = published_split(table)
    white = published_split(table, contrast="white")
    assert ((split == "valid") == (white == "valid")).all()


def test_every_count_is_met_by_as_many_images(table):
    tested = table[published_split(table) == "test"].astype({"tilt_x": int})
    # fold the two tilts that the logs call by one name
    slip = (tested.thickness == 60) & (tested.tilt_x == 0) & (tested.tilt_y == 0)
    label = tested.particle + "-" + tested.defect
    tested = tested.assign(label=label, tilt_x=tested.tilt_x.where(~slip, 1))
    keys = ["label", "thickness", "tilt_x", "tilt_y", "defocus"]
    expected = published_test_counts().set_index(keys)["test"]
    pd.testing.assert_series_equal(
        tested.groupby(keys).size(),
        expected[expected > 0].sort_index(),
        check_names=False,
    )


def test_the_first_structures_of_a_label_are_tested(table):
    split = published_split(table)
    counts = published_test_counts()
    many = counts[(counts.test == 3) & (counts.label == "PtNp3-D2")].iloc[0]
    point = {name: many[name] for name in ("thickness", "tilt_x", "tilt_y", "defocus")}
    rows = pick(table, particle="PtNp3", defect="D2", **point)
    assert split[rows.index].tolist()[:3] == ["test"] * 3
    assert "test" not in split[rows.index].tolist()[3:]


def test_the_letter_decides_where_the_table_is_shuffled_or_cut(table):
    whole = published_split(table)
    shuffled = table.sample(frac=1.0, random_state=np.random.RandomState(1))
    assert (published_split(shuffled) == whole[shuffled.index]).all()
    late = table[(table.variant != "a") & (table.particle == "PtNp3")]
    assert (published_split(late) == whole[late.index]).all()


def test_the_order_decides_where_there_is_no_letter(table):
    plain = table.drop(columns="variant")
    assert (published_split(plain) == published_split(table)).all()


def test_an_untilted_image_at_60_angstrom_takes_the_even_foci(table):
    counts = published_test_counts()
    logged = pick(counts, thickness=60, tilt_x=1, tilt_y=0)
    split = published_split(table)
    for row in logged.itertuples():
        particle, _, defect = row.label.partition("-")
        at = {"particle": particle, "defect": defect, "defocus": row.defocus}
        at |= {"thickness": 60, "tilt_y": 0}
        tilted = split[pick(table, **at, tilt_x=1).index].item() == "test"
        straight = split[pick(table, **at, tilt_x=0).index].item() == "test"
        if row.test == 1:
            assert (tilted, straight) == (row.defocus % 2 == 1, row.defocus % 2 == 0)
        else:
            assert tilted == straight == (row.test == 2)


def test_what_is_not_published_is_unused():
    row = {
        **{"particle": "PtNp1", "defect": "D0", "thickness": 45.0, "contrast": "white"},
        **{"tilt_x": 0.0, "tilt_y": 0.0, "defocus": 6.0},
    }
    other = [{"thickness": 30.0, **change} for change in (
        {"defect": "custom"}, {"tilt_x": 0.5}, {"tilt_x": 2.0, "tilt_y": 2.0},
        {"defocus": 6.5}, {"defocus": -1.0}, {"tilt_y": np.nan},
    )]  # fmt: skip
    table = pd.DataFrame([row, *({**row, **change} for change in other)])
    for contrast in ("all", "white"):
        assert set(published_split(table, contrast=contrast)) == {"unused"}


def test_the_table_is_left_alone_and_its_index_kept(table):
    few = table.iloc[::500].set_index(np.arange(len(table))[::500] * 3)
    before = few.copy()
    split = published_split(few)
    pd.testing.assert_frame_equal(few, before)
    assert split.index.equals(few.index)
    assert split.name == "published_split"


def test_an_empty_table_gives_an_empty_split(table):
    assert len(published_split(table[:0])) == 0


def test_a_copy_of_the_counts_is_given():
    counts = published_test_counts()
    counts["test"] = 0
    assert published_test_counts()["test"].sum() == 3567


def test_wrong_arguments_are_named(table):
    with pytest.raises(ValueError, match=r"contrast must be one of 'all', 'white'; go"):
        published_split(table, contrast="black")
    with pytest.raises(
        ValueError, match=r"columns of a benchmark; got none named \['t"
    ):
        published_split(table.drop(columns="tilt_x"))
    with pytest.raises(TypeError, match=r"table must be a pandas.DataFrame; got list"):
        published_split([])
