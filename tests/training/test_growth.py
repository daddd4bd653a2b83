import pytest
import torch

from stream_ocr.models.recognition.residual_crnn import ResidualCRNN
from stream_ocr.training.growth import grow

SMALL = {"stem": [4, 8], "stages": [[8, 1], [8, 1], [12, 0]], "columns": 8, "hidden": 8}
LARGE = SMALL | {"stages": [[8, 2], [8, 3], [12, 1]]}


def trained(parameters: dict) -> ResidualCRNN:
    """Return a net whose batch norms have seen something."""
    torch.manual_seed(1)
    net = ResidualCRNN(5, **parameters)
    net(torch.randn(4, 1, 32, 64))
    return net.eval()


def test_grow_keeps_what_the_net_computes() -> None:
    small, large = trained(SMALL), ResidualCRNN(5, **LARGE)
    grow(large, SMALL, small.state_dict())
    x_B1HW = torch.randn(2, 1, 32, 96)
    with torch.no_grad():
        torch.testing.assert_close(large.eval()(x_B1HW), small(x_B1HW))


def test_added_blocks_learn() -> None:
    large = ResidualCRNN(5, **LARGE)
    grow(large, SMALL, trained(SMALL).state_dict())
    added = large.features[7]
    large(torch.randn(2, 1, 32, 96)).square().mean().backward()
    assert added.inner[-1].weight.abs().sum() == 0
    assert added.inner[-1].weight.grad.abs().sum() > 0


@pytest.mark.parametrize("other", [{"columns": 12}, {"hidden": 4}, {"stages": [[8, 3], [8, 1], [12, 0]]}])
def test_grow_refuses_another_net(other: dict) -> None:
    parameters = SMALL | other
    with pytest.raises(RuntimeError):
        grow(ResidualCRNN(5, **LARGE), parameters, trained(parameters).state_dict())
