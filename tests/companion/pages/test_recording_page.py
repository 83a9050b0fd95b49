"""Check the page on one's own recording: its example, and what it draws."""

import json

import numpy as np
import pytest

import sbd
from sbd.companion.pages import recording as page
from sbd.recordings import to_counts


def test_the_example_has_what_the_page_speaks_of(tmp_path):
    path = page.write_example(tmp_path, side=400, seed=1)
    recording = sbd.read_micrograph(path)
    report = sbd.check_counts(recording)
    assert {f.what for f in report.findings} == {"unit", "no dose", "hot pixels"}
    assert report.hot.tolist() == [[90, 260]]
    assert not report.recorded[:24].any()
    assert report.recorded[24:].mean() > 0.999  # empty rows beside it by chance
    counts = to_counts(recording, report).sum()
    clean = sbd.example_truth("simulated")[0][:400, :400]
    again = np.random.default_rng(1).poisson(clean)
    same = counts == again
    same[:24] = same[90, 260] = True
    assert same.all()


def test_a_pixel_that_nobody_tells_is_asked_for(tmp_path):
    path = page.write_example(tmp_path, side=300)
    recording = sbd.read_micrograph(path)
    (side,) = {*recording.pixel.sides}
    assert page.choose_pixel(recording) == side
    assert page.choose_pixel(recording, 0.1) == 0.1
    np.save(tmp_path / "counts.npy", recording.values)
    untold = sbd.read_micrograph(tmp_path / "counts.npy")
    assert page.choose_pixel(untold, 0.1) == 0.1
    with pytest.raises(ValueError, match=r"pixel must be told.*set the parameter"):
        page.choose_pixel(untold)


def test_what_is_left_out_is_marked_and_not_shown(tmp_path):
    path = page.write_example(tmp_path, side=400)
    recording = sbd.read_micrograph(path)
    report = sbd.check_counts(recording)
    fig = page.show_checked(recording, report, heading="one")
    titles = [ax.get_title() for ax in fig.axes]
    assert titles == ["values of the file", "1 hot, 6% without dose"]
    counts = to_counts(recording, report).sum()
    estimate = sbd.denoise_gaussian(counts)
    estimate[:24] = 100
    fig = page.show_denoised(counts, estimate, report.recorded, 0.06, "one")
    low, high = fig.axes[1].images[0].get_clim()
    assert estimate[24:].min() <= low < high <= estimate[24:].max()


def test_slips_are_those_that_were_measured(tmp_path, monkeypatch):
    monkeypatch.setattr(page, "MEASURED", tmp_path / "slips.json")
    assert "not part of an installed package" in page.tabulate_slips().data
    one = {"mean": 1.5, "standard_error": 0.1, "lowest": 1.0}
    two = {"mean": 0.5, "standard_error": 0.2, "lowest": 0.0}
    record = {"lost": {"a slip": {"as they are": one, "prepared": two}}}
    (tmp_path / "slips.json").write_text(json.dumps(record))
    table = page.tabulate_slips()
    assert table.loc["a slip"].to_dict() == {
        "lost, as they are (dB)": "1.50 \u00b1 0.10",
        "lost, prepared (dB)": "0.50 \u00b1 0.20",
    }
