import random
from pathlib import Path

import numpy as np
import pytest
import torch

from stream_ocr.evaluation.recognition_metrics import Sample, exact
from stream_ocr.models.recognition.charset import EUROPEAN
from stream_ocr.models.recognition.residual_crnn import ResidualCRNN
from stream_ocr.training.data.backgrounds import Backgrounds
from stream_ocr.training.data.fonts import BUILT_IN
from stream_ocr.training.data.line_batches import load_real
from stream_ocr.training.data.subtitle_lines import render
from stream_ocr.training.recognizer_recipe import read_recipe
from stream_ocr.training.recognizer_sets import ValidationSet, figures, load_sets

ROOT = Path(__file__).parents[2]


def test_recognizer_sets_are_judged_by_their_mean() -> None:
    torch.manual_seed(0)
    net = ResidualCRNN(len(EUROPEAN), stem=(8, 8), stages=((8, 1),) * 3, columns=8, hidden=8)
    sample = Sample(np.zeros((32, 64), np.uint8), "")
    sets = {"a": ValidationSet([sample], lambda _: "same"), "b": ValidationSet([sample._replace(text="x")], exact)}
    shares = figures(net, EUROPEAN, sets)
    assert shares["a"] == 1.0
    assert shares["mean"] == pytest.approx((1.0 + shares["b"]) / 2)


def test_subtitle_lines_are_cut_out_at_their_place() -> None:
    rng = random.Random(0)
    samples = render(["First line", "and the second"] * 4, [BUILT_IN], Backgrounds(None, rng), rng)
    assert [sample.text for sample in samples][:2] == ["First line", "and the second"]
    for image, _ in samples:
        assert image.max() > 180  # white letters
        assert 10 < image.shape[0] < 80
        assert image.shape[1] > 2 * image.shape[0]


@pytest.mark.skipif(not (ROOT / "../shared/data/words").is_dir(), reason="needs ../shared/data")
def test_recognizer_sets_share_no_crop_with_training(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    recipe = read_recipe(ROOT / "configs/train/recognizer-base.yaml").data
    trained = {crop.image.tobytes() for crops in load_real(recipe, EUROPEAN).values() for crop in crops}
    sets = load_sets(recipe, EUROPEAN)
    for name in ("svt_train", "icdar03_train", "icdar15_train", "iiit5k_train", "plates", "chars74k"):
        assert len(sets[name].samples) > 200
        assert not any(sample.image.tobytes() in trained for sample in sets[name].samples)
