import numpy as np
import pytest
import torch

from stream_ocr.models.detection.dbnet import STEEPNESS, Backbone, DBNet, normalise


@pytest.mark.parametrize("backbone", ["small", "resnet18", "base"])
def test_maps_have_half_the_resolution_and_b_is_the_sigmoid_of_p_minus_t(backbone: Backbone) -> None:
    net = DBNet(backbone)
    p_BHW, t_BHW, b_BHW = net.maps(torch.randn(2, 3, 64, 96))
    assert p_BHW.shape == t_BHW.shape == b_BHW.shape == (2, 64 // net.stride, 96 // net.stride)
    torch.testing.assert_close(b_BHW, 1 / (1 + torch.exp(-STEEPNESS * (p_BHW - t_BHW))))


@pytest.mark.parametrize("backbone", ["small", "resnet18", "base"])
def test_fuse_does_not_change_the_output(backbone: Backbone) -> None:
    torch.manual_seed(0)
    net = DBNet(backbone)
    for module in net.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.running_mean, -0.5, 0.5)
            torch.nn.init.uniform_(module.running_var, 0.5, 2.0)
            torch.nn.init.uniform_(module.weight, 0.5, 1.5)
    net.eval()
    x_BCHW = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        before = net(x_BCHW)
        after = net.fuse()(x_BCHW)
    assert not any(isinstance(m, torch.nn.BatchNorm2d) for m in net.modules())
    torch.testing.assert_close(after, before, atol=1e-4, rtol=1e-3)


def test_forward_equals_p_of_the_training_maps() -> None:
    net = DBNet("small").eval()
    x_BCHW = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(net(x_BCHW), net.maps(x_BCHW)[0])


@pytest.mark.parametrize(("backbone", "max_mb"), [("small", 8.0), ("resnet18", 25.0), ("base", 8.0)])
def test_weights_stay_below_their_size_limit_in_fp16(backbone: Backbone, max_mb: float) -> None:
    assert sum(v.numel() * 2 for v in DBNet(backbone).state_dict().values()) / 1e6 < max_mb


def test_dbnet_rejects_sizes_that_are_not_multiples_of_32() -> None:
    with pytest.raises(ValueError, match=r"100×64.*multiples of 32"):
        DBNet("small").eval()(torch.zeros(1, 3, 64, 100))


def test_normalise_moves_channels_first_and_keeps_leading_dimensions() -> None:
    image = np.zeros((2, 4, 6, 3), np.uint8)
    image[..., 1] = 255
    x_BCHW = normalise(image)
    assert x_BCHW.shape == (2, 3, 4, 6)
    assert x_BCHW[:, 0].unique().tolist() == [pytest.approx(-127.5 / 64)]
    assert x_BCHW[:, 1].unique().tolist() == [pytest.approx(127.5 / 64)]
