"""Check that cores are shared out, and given back."""

import pytest
import torch

from sbd.networks.threads import share_cores


@pytest.fixture
def four_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(4)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("four_threads")
def test_each_image_has_a_core_and_the_cores_come_back():
    with share_cores("cpu", (100, 100)) as workers:
        assert workers == 4
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == 4
    with pytest.raises(ZeroDivisionError), share_cores("cpu", (9, 9)):
        _ = 1 / 0
    assert torch.get_num_threads() == 4


@pytest.mark.usefixtures("four_threads")
@pytest.mark.parametrize(
    ("device", "shape"), [("cpu", (4096, 4096)), ("cuda", (100, 100))]
)
def test_large_images_and_other_devices_have_one_at_a_time(device, shape):
    with share_cores(device, shape) as workers:
        assert workers == 1
        assert torch.get_num_threads() == 4


def test_one_core_is_one_image():
    with share_cores(None, (100, 100)) as workers:
        assert workers == torch.get_num_threads() == 1
