"""Check that an eraser learns, and comes back from its file as it was."""

import numpy as np
import torch

from sbd.networks.eraser import Eraser, load_eraser, save_eraser, train_eraser


def draw_pairs(number, seed=0):
    """Bumps of many heights on slopes, and the slopes alone."""
    rng = np.random.default_rng(seed)
    steps = (np.arange(32) - 15.5) / 16
    bump = np.exp(-(steps[:, None] ** 2 + steps**2) * 20)
    slopes = 1 + 0.2 * rng.uniform(-1, 1, (number, 1, 1)) * steps
    heights = rng.uniform(0.2, 0.8, (number, 1, 1))
    pairs = slopes + heights * bump, slopes + 0 * bump
    return [v.astype(np.float32) for v in pairs]


def test_it_learns_to_take_a_bump_away():
    claimed, without = draw_pairs(256)
    how = {"steps": 120, "seed": 0, "channels": 16, "batch": 32}
    net = train_eraser(claimed, without, np.ones(256), **how)
    claimed, without = draw_pairs(64, seed=1)
    with torch.inference_mode():
        erased, _ = net(torch.from_numpy(claimed)[:, None])
    middle = np.s_[:, 13:19, 13:19]
    left = np.abs(erased[:, 0].numpy() - without)[middle].mean()
    assert left < 0.25 * np.abs(claimed - without)[middle].mean()


def test_the_same_seed_gives_the_same_weights():
    claimed, without = draw_pairs(32)
    how = {"steps": 3, "seed": 5, "channels": 8, "batch": 8}
    one, two = (train_eraser(claimed, without, np.ones(32), **how) for _ in range(2))
    for a, b in zip(one.parameters(), two.parameters(), strict=True):
        assert torch.equal(a, b)


def test_it_comes_back_from_its_file(tmp_path):
    net = Eraser(8).eval()
    save_eraser(net, tmp_path / "eraser.safetensors")
    again = load_eraser(tmp_path / "eraser.safetensors")
    x = torch.rand(2, 1, 32, 32) + 0.5
    with torch.inference_mode():
        # half precision: 11 bits of each weight
        np.testing.assert_allclose(net(x)[0], again(x)[0], rtol=2e-3)


def test_the_default_is_in_the_package():
    assert load_eraser().config["channels"] > 0
