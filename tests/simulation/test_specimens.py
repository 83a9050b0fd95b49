"""Check the table of structures and the cards of the particles."""

from itertools import pairwise

import pytest

import sbd
from sbd.simulation.specimens import (
    DEFOCI,
    PARTICLES,
    PUBLISHED,
    SEEN,
    SHAPES,
    TILTS,
    defect_edits,
    defect_labels,
    find_shape,
    layer_counts,
    particle_card,
)

TABLE = sbd.structure_table()
# labels of the evaluation logs, and how many structures each has at 50 angstrom
LOGS = {
    "PtNp1": {"D0": 4, "D1": 3, "D2": 4, "Dh": 4, "Ds": 4},
    "PtNp2": {"D0": 4, "D1": 4, "Dh": 3, "Ds": 3},
    "PtNp3": {"D0": 3, "D1": 4, "D2": 5},
    "PtNp4": {"D0": 4, "D1": 4},
}
# a side that goes out by this many thirds of a column spacing a layer, downward
FACETS = {1: "111", 2: "100", 4: "110", 5: "terrace", -1: "-111", -2: "-100"}


def test_there_are_as_many_structures_of_each_label_as_the_logs_tell():
    assert len(TABLE) == 95
    assert TABLE["structure"].is_unique
    counts = TABLE.value_counts(["particle", "defect", "thickness"])
    for particle, labels in LOGS.items():
        for defect, at_50 in labels.items():
            there = [counts[particle, defect, t] for t in (30.0, 40.0, 50.0, 60.0)]
            assert there == [1, 1, at_50, 1]
    assert counts.sum() == sum(3 + n for x in LOGS.values() for n in x.values())


def test_a_label_means_the_same_atoms_at_every_thickness():
    same = TABLE.groupby(["particle", "defect", "variant"])
    for name in ("sites", "split", "description"):
        assert (same[name].nunique() == 1).all()


def test_no_two_labels_mean_the_same_atoms():
    for particle in PARTICLES:
        labels = defect_labels(particle)
        kinds = {
            (find_shape(particle, label), str(layer_counts(particle, label)))
            for label in labels
        }
        assert len(kinds) == len(labels)


def test_the_strict_split_shares_no_structure_and_has_the_paper_s_size():
    kinds = TABLE.groupby(["shape", "sites"])["split"]
    assert (kinds.nunique() == 1).all()
    images = TABLE["split"].value_counts() * 9 * 21
    # the paper's test set has 3,567 of 17,955 images; whole structures have 189
    assert abs(images["test"] - 3567) < 189
    assert images.sum() == 17_955


def test_the_structures_of_published_images_are_not_in_the_table():
    ours = {str(layer_counts("PtNp2", label)) for label in set(TABLE["defect"])
            & set(defect_labels("PtNp2"))}  # fmt: skip
    theirs = {str(layer_counts("PtNp2", label)) for label in PUBLISHED}
    in_table = TABLE[TABLE["particle"] == "PtNp2"]["sites"]
    assert not ours & theirs
    assert not set(in_table) & set(PUBLISHED.values())


def test_what_is_seen_in_images_without_a_label_is_for_test():
    for particle, defect, thickness, tilt, defocus in SEEN.values():
        (row,) = TABLE[
            TABLE["structure"] == f"{particle}-{defect}-{thickness:g}"
        ].itertuples()
        assert row.split == "test"
        assert tilt in TILTS
        assert defocus in DEFOCI
    # nor is it anything else that has the same atoms
    shown = {(p, defect_edits(p, d), find_shape(p, d)) for p, d, *_ in SEEN.values()}
    for row in TABLE[TABLE["split"] != "test"].itertuples():
        label = f"{row.defect}{row.variant.lstrip('a')}"
        edits = defect_edits(row.particle, label)
        assert (row.particle, edits, row.shape) not in shown


def test_atoms_that_differ_stand_beside_the_plain_support():
    assert find_shape("PtNp1", "D0b") == "PtNp1-falling"
    assert find_shape("PtNp1", [(0, 0, -1)]) == find_shape("PtNp1", "D1") == "PtNp1"
    assert find_shape("PtNp1-falling", "D0") == "PtNp1-falling"


@pytest.mark.parametrize("name", sorted(PUBLISHED))
def test_a_published_name_says_what_its_sites_are(name):
    # "S3_2-S5_2": two atoms from S3, two from S5; "S1-2_2" puts two on S1
    sites = {"S1": (3, 0), "S3": (2, 0), "S5": (0, 0)}
    wanted = {
        "S3_5": {"S3": -5}, "S5_5": {"S5": -5}, "S3_2-S5_2": {"S3": -2, "S5": -2},
        "S1-2_2-S3_1": {"S1": 2, "S3": -1},
    }[name]  # fmt: skip
    edits = {(row, column): n for row, column, n in defect_edits("PtNp2", name)}
    assert edits == {sites[site]: n for site, n in wanted.items()}


@pytest.mark.parametrize("particle", SHAPES)
def test_facets_are_those_that_the_rows_make(particle):
    card = particle_card(particle)
    rows = card["rows"]
    left = [FACETS[-shift] for shift, _ in rows[1:]]
    right = [
        FACETS[shift + 3 * (len(below) - len(above))]
        for (_, above), (shift, below) in pairwise(rows)
    ]
    assert card["facets"] == {"left": " ".join(left), "right": " ".join(right)}
    assert card["known"]


def test_the_silhouettes_have_the_columns_of_the_paper_s_figure():
    silhouettes = {p: [sum(n > 0 for n in row) for row in layer_counts(p)]
                   for p in PARTICLES}  # fmt: skip
    assert silhouettes["PtNp1"] == [7, 8, 9, 9, 9]
    assert silhouettes["PtNp3"] == [5, 7, 9, 10, 11, 11]
    assert silhouettes["PtNp4"] == [2, 5, 5]


def test_a_longer_particle_is_longer_in_every_column_and_fills_no_empty_site():
    plain, longer = layer_counts("PtNp2"), layer_counts("PtNp2", "D0b")
    for before, after in zip(plain, longer, strict=True):
        assert after == [n + 1 if n else 0 for n in before]


def test_what_does_not_exist_is_named():
    with pytest.raises(ValueError, match=r"particle must be one of PtNp1.*got 'Pt'"):
        particle_card("Pt")
    with pytest.raises(ValueError, match=r"defect of PtNp4 must be one of D0.*'Ds'"):
        defect_edits("PtNp4", "Ds")
