"""Check how an estimate depends on where the image was cut."""

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import ndimage

import sbd
from sbd.companion.pages.borders import (
    ZeroFilledUNet,
    border_psnr,
    change_by_distance,
    cut_cost,
    remember,
    show_changes,
    show_cuts,
    tabulate_borders,
    tabulate_costs,
    tell_reach,
)


def random_unet(scales=2):
    generator = torch.Generator().manual_seed(0)
    model = sbd.UNet(scales=scales, channels=4, bias=False).eval()
    for tensor in model.state_dict().values():
        if tensor.ndim == 4:
            tensor.normal_(0, (2 / tensor[0].numel()) ** 0.5, generator=generator)
    return model.double()


def counts(*shape):
    return np.random.default_rng(0).poisson(0.45, shape).astype(np.float64)


def run(model, image):
    with torch.no_grad():
        return model(torch.from_numpy(image)[None, None])[0, 0].numpy()


def test_on_multiples_the_published_decoder_is_ours():
    model, image = random_unet(), counts(24, 32)
    np.testing.assert_allclose(
        run(ZeroFilledUNet(model), image), run(model, image), rtol=1e-12
    )


def test_elsewhere_it_fills_with_zeros_what_the_decoder_lacks():
    model, image = random_unet(), counts(25, 34)
    seen = []
    convolve = model.up6["conv"]["double_conv"]
    convolve.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    filled = run(ZeroFilledUNet(model), image)
    # 25 rows are halved to 12 and 6, and come back as 24; 34 columns as 32, then 34
    decoded = seen[0][0, model.config["channels"] :]
    assert decoded.shape[-2:] == image.shape
    assert not decoded[:, -1].any()
    assert decoded[:, -2].any()
    assert np.abs(filled - run(model, image)).max() > 0.01 * np.abs(filled).max()


def test_only_the_papers_network_has_that_decoder():
    with pytest.raises(TypeError, match="model must be a UNet without binning; got L"):
        ZeroFilledUNet(sbd.LatticeUNet(scales=2, channels=2))
    with pytest.raises(TypeError, match="without binning"):
        ZeroFilledUNet(sbd.UNet(scales=2, channels=2, binning=4))


@pytest.mark.parametrize("cut", [5, -5])
def test_a_filter_changes_as_far_as_it_reaches(cut):
    def blur(image):
        return ndimage.uniform_filter(image, 21, mode="constant")

    change = change_by_distance(blur, counts(40, 100), cut=cut, step=1)
    # places nearer than ten columns to the new end have lost some of their neighbours
    assert change.iloc[9] > 1e-3
    assert change.iloc[10] < 1e-12  # rounding of a running sum
    assert len(change) == 95
    assert (np.diff(change) <= 0).all()


def test_what_depends_on_the_size_changes_everywhere():
    change = change_by_distance(lambda y: 0 * y + y.shape[1], counts(8, 50), cut=25)
    np.testing.assert_allclose(change, 0.5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"cut": 0}, "cut must be 1 to 49 columns, or minus that; got 0"),
        ({"cut": -50}, "cut must be 1 to 49 columns, or minus that; got -50"),
        ({"cut": 3, "step": 0}, "step must be a whole number of at least 1; got 0"),
    ],
)
def test_impossible_cuts_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        change_by_distance(np.array, counts(8, 50), **options)


def test_the_far_border_is_scored_apart():
    clean = np.full((100, 30), 0.45)
    image = clean.copy()
    image[-10:] += 0.1
    scores = border_psnr(clean, image, band=10)
    assert scores["last"] == pytest.approx(20.0)  # an error of 0.1 of a range of 1
    assert scores["before"] == scores["rest"] == np.inf
    assert scores["whole"] == pytest.approx(30.0)  # of which there is a tenth
    with pytest.raises(ValueError, match="band must be 1 to 49; got 50"):
        border_psnr(clean, image, band=50)


def test_an_image_is_denoised_once_and_nobody_spoils_it():
    asked = []
    run = remember(lambda y: asked.append(y.shape) or y + 1.0)
    image = counts(4, 5)
    run(image)[:] = 0
    np.testing.assert_array_equal(run(image.astype(np.float32)), image + 1)
    np.testing.assert_array_equal(run(image[:, :3]), image[:, :3] + 1)
    assert asked == [(4, 5), (4, 3)]


def test_a_change_of_nothing_lies_on_the_edge():
    fall = pd.Series([0.1, 0.0], index=[0, 32])
    ax = show_changes({"by one": {"network": fall}}).axes[0]
    np.testing.assert_allclose(ax.lines[0].get_ydata(), [0.1, ax.get_ylim()[0]])


def test_changes_are_shares_of_the_vacuum():
    flat = np.full((8, 90), 0.45)
    fig = show_cuts(
        {"a": flat, "b": flat}, {"a": 0 * flat, "b": 0.1 * flat}, limit=0.09
    )
    shown = fig.axes[3].images[0]
    np.testing.assert_allclose(shown.get_array(), 10)
    assert shown.get_clim() == pytest.approx((-20, 20))


def test_a_cut_costs_what_it_changes():
    clean, _ = sbd.example_truth("simulated")
    pull = np.arange(clean.shape[1]) > clean.shape[1] / 2

    def exact(image):
        return image

    def uneasy(image):  # of which the last part depends on where the image begins
        blurred = ndimage.gaussian_filter(image, 12.0)
        return (
            image
            if image.shape == clean.shape
            else pull[16:] * (blurred - image) + image
        )

    kept = cut_cost(exact, clean, clean, cut=-16)
    assert kept["share that differs"] == 0
    assert kept["before"] == kept["after"]
    assert kept["columns before"] > 10
    lost = cut_cost(uneasy, clean, clean, cut=-16)
    assert 0.1 < lost["share that differs"] < 1
    assert lost["after"] < 40 < lost["before"]
    whole = cut_cost(lambda image: image, clean, clean, cut=16)
    assert whole["share that differs"] == 0  # at the far end, too


COST = {"before": 40.0, "after": 39.5, "columns before": 9, "share that differs": 0.1}


def test_what_a_cut_costs_is_written_with_units():
    (row,) = tabulate_costs({"the end": {"a": COST}}).to_dict("records")
    assert row["not in both (%)"] == "10.0"
    (row,) = tabulate_borders({"a": {"whole": 40.0}}).to_dict("records")
    assert row == {"whole image (dB)": "40.00"}
    fall = pd.Series([0.2, 0.01, 1e-4], [0, 32, 64])
    said = tell_reach({"the end": {"a": fall}}, {"the end": {"a": COST}}, "a").data
    assert "up to 20 % of the largest value changes at the cut" in said
    assert "beyond 64 pixels less than 0.1 %; -0.500 dB, and 10.0 %" in said


def test_estimates_share_one_grey_scale():
    images = {"a": np.eye(64), "b": 2 * np.eye(64)}
    fig = show_cuts(images, images, limit=0.09)
    grey = [ax.images[0].get_clim() for ax in fig.axes[:2]]
    assert grey == [(0.0, 2.0)] * 2
