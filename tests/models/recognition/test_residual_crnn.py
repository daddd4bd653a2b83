import torch

from stream_ocr.models.backends.torch import fold_batch_norms
from stream_ocr.models.recognition.residual_crnn import ResidualCRNN


def test_residual_crnn_returns_one_step_for_four_columns() -> None:
    net = ResidualCRNN(11, stem=(8, 8), stages=((8, 1), (8, 1), (12, 1)), columns=8, hidden=8).eval()
    with torch.inference_mode():
        assert net(torch.zeros(3, 1, 32, 96)).shape == (24, 3, 11)


def test_residual_crnn_output_survives_folding_of_batch_norms() -> None:
    torch.manual_seed(0)
    net = ResidualCRNN(11, stem=(8, 8), stages=((8, 1), (8, 0), (12, 1)), columns=8, hidden=8)
    x_B1HW = torch.randn(2, 1, 32, 64)
    net(x_B1HW)  # batch statistics that are not those of the beginning
    with torch.inference_mode():
        before = net.eval()(x_B1HW)
        after = fold_batch_norms(net)(x_B1HW)
    assert not any(isinstance(module, torch.nn.BatchNorm2d) for module in net.modules())
    torch.testing.assert_close(after, before, atol=1e-5, rtol=1e-4)


def test_residual_crnn_has_the_size_of_the_shipped_weights() -> None:
    net = ResidualCRNN(350)
    assert 4e6 < sum(p.numel() for p in net.parameters()) < 4.5e6
