import numpy as np
import pytest
import torch

from stream_ocr.models.recognition.crnn import CRNN, normalise
from stream_ocr.models.recognition.input_sizes import COLUMNS_PER_STEP, HEIGHT, WIDTHS

SMALL = (8, 8, 8, 8, 8, 8, 16)


@pytest.mark.parametrize("width", [WIDTHS[0], 96, WIDTHS[-1]])
def test_crnn_returns_one_step_for_four_columns(width: int) -> None:
    net = CRNN(11, SMALL, hidden=8).eval()
    logits_TBC = net(torch.zeros(2, 1, HEIGHT, width))
    assert logits_TBC.shape == (width // COLUMNS_PER_STEP, 2, 11)


def test_crnn_output_does_not_depend_on_the_rest_of_the_batch() -> None:
    torch.manual_seed(0)
    net = CRNN(11, SMALL, hidden=8).eval()
    crops = np.random.default_rng(0).integers(0, 256, (3, HEIGHT, 64), np.uint8)
    together, alone = net(normalise(crops))[:, 1:2], net(normalise(crops[1:2]))
    assert torch.allclose(together, alone, atol=1e-5)


def test_normalise_removes_brightness_and_contrast() -> None:
    crop = np.random.default_rng(0).integers(60, 200, (1, HEIGHT, 64)).astype(np.float32)
    bright = crop * 0.5 + 100
    assert torch.allclose(normalise(crop), normalise(bright), atol=0.35)
    assert normalise(crop).mean().abs() < 1e-4


def test_normalise_accepts_a_uniform_crop() -> None:
    assert torch.isfinite(normalise(np.full((1, HEIGHT, 32), 7, np.uint8))).all()


def test_crnn_stays_below_two_million_parameters() -> None:
    assert sum(p.numel() for p in CRNN(158).parameters()) < 2_000_000
