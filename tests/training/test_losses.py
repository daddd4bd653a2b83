import pytest
import torch

from stream_ocr.training.losses import balanced_bce, detector_losses, dice


def test_losses_of_a_perfect_answer_are_zero() -> None:
    kernel = torch.zeros(2, 32, 32)
    kernel[:, 8:16, 4:28] = 1
    threshold, ones = torch.rand(2, 32, 32), torch.ones(2, 32, 32)
    losses = detector_losses(kernel, threshold, kernel, kernel=kernel, care=ones, threshold=threshold, band=ones)
    assert float(losses.total) == pytest.approx(0, abs=1e-4)


def test_losses_count_the_three_hardest_negatives_for_each_positive() -> None:
    kernel, care = torch.zeros(1, 20, 20), torch.ones(1, 20, 20)
    kernel[0, 0, 0] = 1
    p_BHW = torch.full((1, 20, 20), 1e-6)
    p_BHW[0, 0, 0] = 0.9
    p_BHW[0, 5, 5:8] = 0.5
    expected = (-torch.log(torch.tensor(0.9)) - 3 * torch.log(torch.tensor(0.5))) / 4
    assert float(balanced_bce(p_BHW, kernel, care)) == pytest.approx(float(expected), rel=1e-4)


def test_losses_ignore_masked_pixels() -> None:
    kernel, care = torch.zeros(1, 20, 20), torch.ones(1, 20, 20)
    kernel[0, 2:6, 2:18] = 1
    care[0, 10:] = 0
    p_BHW = torch.full((1, 20, 20), 0.3, requires_grad=True)
    everything = torch.ones(1, 20, 20)
    losses = detector_losses(
        p_BHW, everything, p_BHW, kernel=kernel, care=care, threshold=everything, band=everything * 0
    )
    losses.total.backward()
    assert p_BHW.grad is not None
    assert p_BHW.grad[0, 10:].abs().max() == 0
    assert p_BHW.grad[0, 3, 3] < 0


def test_losses_of_a_batch_without_text_are_finite_and_reduce_false_alarms() -> None:
    empty, care = torch.zeros(1, 40, 40), torch.ones(1, 40, 40)
    p_BHW = torch.full((1, 40, 40), 0.4, requires_grad=True)
    losses = detector_losses(p_BHW, empty + 0.3, p_BHW, kernel=empty, care=care, threshold=empty, band=empty)
    losses.total.backward()
    assert torch.isfinite(losses.total)
    assert p_BHW.grad is not None
    assert p_BHW.grad.max() > 0


def test_dice_loss_is_one_minus_the_overlap() -> None:
    kernel, half = torch.zeros(1, 4, 4), torch.zeros(1, 4, 4)
    kernel[0, :2] = 1
    half[0, 0] = 1
    assert float(dice(half, kernel, torch.ones(1, 4, 4))) == pytest.approx(1 - 2 * 4 / 12)
