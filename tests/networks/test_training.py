"""Check the training loop on a benchmark of two tiny simulations."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
import torch

import sbd
from sbd.benchmark.recipes import Recipe
from sbd.networks.drawing import Drawing, Field, draw_example
from sbd.networks.models import create_model
from sbd.networks.training import _quicken, time_steps

SMALL = Drawing(crop=32)


@pytest.fixture(scope="module")
def benchmark(tmp_path_factory):
    return sbd.simulate_benchmark(
        tmp_path_factory.mktemp("benchmark"),
        recipes=(Recipe("PtNp4", "D0", 10.0), Recipe("PtNp2", "Ds", 10.0)),
        tilts=((3.0, 0.0),), defoci=(6.0,), grid=64, progress=False,
    )  # fmt: skip


def run(benchmark, folder, *, steps=6, seed=0, **options):
    model = create_model(seed=seed, scales=2, channels=4)
    options = {
        "batch": 2,
        "save_every": 2,
        "device": "cpu",
        "progress": False,
        **options,
    }
    return sbd.train(
        model, benchmark, folder, steps=steps, seed=seed, drawing=SMALL, **options
    )


def states(a, b):
    return zip(a.state_dict().values(), b.state_dict().values(), strict=True)


def same(a, b):
    return all(torch.equal(x, y) for x, y in states(a, b))


def test_training_lowers_the_loss(benchmark, tmp_path):
    torch.manual_seed(0)
    drawing = Drawing(crop=32, paper_dose=1.0)
    sbd.train(sbd.UNet(scales=2, channels=8), benchmark, tmp_path, steps=40, batch=4,
              drawing=drawing, save_every=10, device="cpu", progress=False)  # fmt: skip
    curve = json.loads((tmp_path / "curve.json").read_text())["curve"]
    assert [point["step"] for point in curve] == [10, 20, 30, 40]
    # from a random network's error to the order of the image's own contrast
    assert curve[-1]["loss"] < curve[0]["loss"] / 2


def test_the_same_seed_gives_the_same_weights_and_another_does_not(benchmark, tmp_path):
    first, second, third = (
        run(benchmark, tmp_path / str(i), seed=seed) for i, seed in enumerate((0, 0, 1))
    )
    assert same(first, second)
    assert not same(first, third)


class Killed(BaseException):
    pass


def test_a_killed_run_ends_like_one_that_was_not(benchmark, tmp_path, monkeypatch):
    whole = run(benchmark, tmp_path / "whole")
    import sbd.networks.training

    real, calls = sbd.networks.training.draw_batch, []

    def dies(*arguments):
        calls.append(arguments)
        if len(calls) == 6:  # the probe and five steps: one step after a checkpoint
            raise Killed
        return real(*arguments)

    monkeypatch.setattr(sbd.networks.training, "draw_batch", dies)
    with pytest.raises(Killed):
        run(benchmark, tmp_path / "broken")
    monkeypatch.undo()
    resumed = run(benchmark, tmp_path / "broken")
    assert same(whole, resumed)
    curves = [(tmp_path / n / "curve.json").read_text() for n in ("whole", "broken")]
    assert curves[0] == curves[1]
    cost = json.loads((tmp_path / "broken" / "cost.json").read_text())
    assert cost["steps"] == 6


def test_the_cost_of_a_run_goes_on_where_it_stopped(benchmark, tmp_path, monkeypatch):
    real = sbd.networks.training._Run.save

    def dies(run, step, *arguments):
        real(run, step, *arguments)
        if step == 4:
            raise Killed

    monkeypatch.setattr(sbd.networks.training._Run, "save", dies)
    with pytest.raises(Killed):
        run(benchmark, tmp_path)
    monkeypatch.undo()
    state = torch.load(tmp_path / "checkpoint.pt", weights_only=True)
    assert 0 <= state["spent"] < 100
    torch.save(state | {"spent": 1000.0}, tmp_path / "checkpoint.pt")
    run(benchmark, tmp_path)
    cost = json.loads((tmp_path / "cost.json").read_text())
    assert cost["steps"] == 6
    assert 1000 < cost["processor seconds"] < 1100


def test_the_result_is_a_file_that_loads(benchmark, tmp_path):
    model = run(benchmark, tmp_path)
    assert same(model, sbd.load_model(tmp_path / "model.safetensors"))


def test_other_settings_do_not_mix_into_a_run(benchmark, tmp_path):
    run(benchmark, tmp_path)
    with pytest.raises(ValueError, match="same settings"):
        run(benchmark, tmp_path, steps=8)


def test_steps_and_data_are_asked_for(benchmark, tmp_path):
    with pytest.raises(ValueError, match=r"steps must be a whole .* at least 1; got 0"):
        run(benchmark, tmp_path, steps=0)
    empty = sbd.simulate_benchmark(
        tmp_path / "empty",
        recipes=(Recipe("PtNp2", "Dh", 10.0),),
        tilts=((0.0, 0.0),),
        defoci=(0.0,),
        grid=64,
        progress=False,
    )
    with pytest.raises(ValueError, match="must hold images of split 'train'"):
        run(empty, tmp_path)


def test_examples_are_poisson_counts_of_their_truth(benchmark):
    drawing = Drawing(crop=96, paper_dose=1.0, vacuum=1.0)
    rng = np.random.default_rng(0)
    noisy, clean = draw_example(benchmark[0], drawing, binning=4, rng=rng)
    # 9,216 means of 16 counts of 0.45: standard errors 0.0017 and 1.5 % of the variance
    assert noisy.mean() == pytest.approx(clean.mean(), abs=4 * 0.0017)
    assert (noisy - clean).var() == pytest.approx(0.45 / 16, rel=0.06)


def test_an_example_follows_from_its_generator(benchmark):
    pairs = [draw_example(benchmark[0], SMALL, binning=4, rng=np.random.default_rng(5))
             for _ in range(2)]  # fmt: skip
    np.testing.assert_array_equal(pairs[0], pairs[1])


def test_vacuum_above_the_particle_is_flat(benchmark):
    field, _ = Field().cut(benchmark[0])
    assert np.ptp(field[:150], axis=0).max() < 1e-6
    assert field[:100].mean() == pytest.approx(sbd.VACUUM, abs=0.005)


@pytest.mark.parametrize("bias", [True, False])
def test_half_precision_trains_both_kinds(benchmark, tmp_path, bias):
    model = create_model("UNet", seed=0, scales=2, channels=4, bias=bias)
    options = {"batch": 2, "device": "cpu", "progress": False, "drawing": SMALL}
    sbd.train(model, benchmark, tmp_path, steps=2, bf16=True, **options)
    assert all(torch.isfinite(p).all() for p in model.parameters())


def test_loaded_weights_can_be_trained_on(benchmark, tmp_path):
    run(benchmark, tmp_path / "first")
    model = sbd.load_model(tmp_path / "first" / "model.safetensors")
    options = {"batch": 2, "device": "cpu", "progress": False, "drawing": SMALL}
    before = model.unet.outc["conv"].bias.clone()
    tuned = sbd.train(model, benchmark, tmp_path / "second", steps=3, **options)
    assert not torch.equal(before, tuned.unet.outc["conv"].bias)


@pytest.mark.parametrize("content", [b"", b"garbage", None])
def test_a_damaged_checkpoint_is_named(benchmark, tmp_path, content):
    run(benchmark, tmp_path)
    path = tmp_path / "checkpoint.pt"
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2] if content is None else content)
    with pytest.raises(ValueError, match=r"damaged .*checkpoint.pt \(delete it"):
        run(benchmark, tmp_path)


def test_a_run_does_not_go_on_with_other_images(benchmark, tmp_path):
    run(benchmark, tmp_path / "run")
    other = sbd.simulate_benchmark(
        tmp_path / "other",
        recipes=(Recipe("PtNp4", "D1", 10.0),),
        tilts=((3.0, 0.0),),
        defoci=(6.0,),
        grid=64,
        progress=False,
    )
    with pytest.raises(ValueError, match="same settings"):
        run(other, tmp_path / "run")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"crop": 0}, "crop must be a whole number of at least 8; got 0"),
        ({"pixel": (0.0, 0.1)}, r"pixel must be a range above 0; got \(0.0, 0.1\)"),
        ({"dose": (2.0, 1.0)}, "dose must be a range above 0"),
        ({"vacuum": 2.0}, "vacuum must be a share of 0 to 1; got 2.0"),
    ],
)
def test_impossible_drawings_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        Drawing(**options)


def test_the_second_network_learns_and_its_pilot_does_not(benchmark, tmp_path):
    pilot = create_model(seed=0, scales=2, channels=4)
    runs = []
    for workers in (0, 2):
        model = create_model("CrystalUNet", seed=1, pilot=pilot)
        before = {k: v.clone() for k, v in model.state_dict().items()}
        trained = sbd.train(
            model, benchmark, tmp_path / f"{workers}", steps=2, batch=2, drawing=SMALL,
            save_every=2, workers=workers, device="cpu", progress=False,
        )  # fmt: skip
        runs.append(trained)
        for key, value in trained.state_dict().items():
            kept = torch.equal(value, before[key])
            if key.startswith("pilot."):
                assert kept, key
            elif key.endswith("0.weight") or "conv.1.weight" in key:
                assert not kept, key
    # who draws the examples changes nothing
    assert same(*runs)


@pytest.mark.parametrize(
    ("kind", "size"),
    [("DurrUNet", []), ("LatticeUNet", ["--scales", "2", "--channels", "4"])],
)
def test_two_processes_learn_what_one_learns(benchmark, tmp_path, kind, size):
    curves = []
    for processes in (1, 2):
        folder = tmp_path / f"{processes}"
        launch = [
            "-m",
            "torch.distributed.run",
            "--standalone",
            "--nproc-per-node",
            "2",
        ]
        options = ["--model", kind, "--steps", "4", "--batch", "4", "--crop", "32",
                   "--device", "cpu", *size]  # fmt: skip
        subprocess.run(
            [sys.executable, *(launch if processes > 1 else []), "-m", "sbd.cli",
             "train", benchmark.folder, folder, *options],
            check=True, capture_output=True, env=os.environ | {"OMP_NUM_THREADS": "1"},
        )  # fmt: skip
        curves.append(json.loads((folder / "curve.json").read_text())["curve"])
    alone, together = ([point["loss"] for point in curve] for curve in curves)
    # gradients are sums in another order; normalisation sees half a batch at a time
    tolerance = 1e-4 if kind == "DurrUNet" else 0.05
    assert together == pytest.approx(alone, rel=tolerance)


def test_upright_examples_lie_along_the_axes(benchmark):
    image = benchmark[0].astype(np.float32)
    steep = []
    for upright in (0.0, 1.0):
        drawing = Drawing(crop=64, upright=upright, vacuum=0.0, aspect=1.0)
        spread = []
        for seed in range(12):
            _, clean = draw_example(
                image, drawing, binning=4, rng=np.random.default_rng(seed)
            )
            rows, columns = (np.square(g).mean() for g in np.gradient(clean))
            spread.append(abs(np.log(rows / columns)))
        steep.append(np.mean(spread))
    # the surface is level: turned at will, its gradient has no preferred axis
    assert steep[1] > steep[0]


@pytest.mark.parametrize("kind", ["LatticeUNet", "CrystalUNet"])
def test_steps_are_timed_on_a_copy(benchmark, kind):
    model = create_model(kind, seed=0, scales=2, channels=4)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    how = {"steps": 2, "batch": 2, "drawing": SMALL, "device": "cpu"}
    assert time_steps(model, benchmark, **how) > 0
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())
    assert all(p.grad is None for p in model.parameters())
    with pytest.raises(ValueError, match="steps must be a whole number"):
        time_steps(model, benchmark, **how | {"steps": 0})


@pytest.mark.filterwarnings("ignore")  # of torch, about itself
def test_a_compiled_network_learns_the_same(benchmark, tmp_path):
    models, losses = [], []
    for compiled in (False, True):
        model = create_model("UNet", seed=0, scales=2, channels=2)
        models.append(
            sbd.train(
                model,
                benchmark,
                tmp_path / str(compiled),
                steps=2,
                batch=2,
                drawing=SMALL,
                save_every=1,
                device="cpu",
                compiled=compiled,
                progress=False,
            )
        )
        text = (tmp_path / str(compiled) / "curve.json").read_text()
        losses.append([point["loss"] for point in json.loads(text)["curve"]])
    # rounding may turn the first steps of small gradients: losses, not weights
    np.testing.assert_allclose(losses[1], losses[0], rtol=1e-4)
    # what was learnt is an ordinary network
    assert {type(part) for part in models[1].modules()} == {
        type(part) for part in models[0].modules()
    }


@pytest.mark.parametrize("bias", [True, False])
def test_borders_go_on_as_in_the_network_itself(bias):
    model = create_model("UNet", seed=0, scales=2, channels=2, bias=bias)
    twin = _quicken(model, compiled=False)
    x = torch.rand(2, 1, 16, 20, generator=torch.Generator().manual_seed(0))
    gradients = []
    for network in (model, twin):
        model.zero_grad()
        out = network.train()(x)
        out.square().mean().backward()
        gradients.append(
            [None if p.grad is None else p.grad.clone() for p in model.parameters()]
        )
    for one, other in zip(*gradients, strict=True):
        assert (one is None) == (other is None)  # what a network has, and does not use
        if one is not None:
            torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-6)
    assert {id(p) for p in model.parameters()} == {id(p) for p in twin.parameters()}
