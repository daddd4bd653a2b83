import json
from pathlib import Path

import numpy as np
import pytest
import torch

from stream_ocr.config.settings import Settings
from stream_ocr.errors import WeightsError
from stream_ocr.evaluation.recognizer import calibration_error
from stream_ocr.models import weights
from stream_ocr.models.presets import RECOGNIZER, with_model_defaults
from stream_ocr.models.recognition.calibration import calibrate, joint_probability
from stream_ocr.models.recognition.ctc import Decoded
from stream_ocr.training.fit_temperature import best_temperature


def test_fit_temperature_finds_that_of_an_overconfident_network() -> None:
    random = np.random.default_rng(1)
    read = []
    for _ in range(3000):
        true = random.uniform(0.5, 1.0, random.integers(1, 7))  # how likely each character is right
        right = bool((random.random(len(true)) < true).all())
        boast = calibrate(true.tolist(), 1 / 2)
        read.append((Decoded("x" * len(true), 0.0, boast), "x" * len(true) if right else "y"))
    temperature = best_temperature(read)
    assert temperature == pytest.approx(2, abs=0.2)
    right_N = np.array([look.text == text for look, text in read])
    before = np.array([joint_probability(look.char_confidences) for look, _ in read])
    after = np.array([joint_probability(calibrate(look.char_confidences, temperature)) for look, _ in read])
    assert calibration_error(after, right_N) < 0.04 < calibration_error(before, right_N)


def test_fit_temperature_is_one_without_readings() -> None:
    assert best_temperature([]) == best_temperature([(Decoded("", 0.0, ()), "a")]) == 1


def test_fit_temperature_writes_the_manifest(tmp_path: Path) -> None:
    weights.save("net", {"a": torch.zeros(2)}, {"kind": "recognizer"}, tmp_path)
    weights.update_entry("net", {"calibration": {"temperature": 1.5}}, tmp_path)
    entry, _ = weights.load_net("net", tmp_path)
    assert entry["calibration"] == {"temperature": 1.5}
    assert entry["kind"] == "recognizer"
    assert json.loads((tmp_path / weights.MANIFEST).read_text())["net"] == entry
    with pytest.raises(WeightsError, match="no weights named 'other'"):
        weights.update_entry("other", {}, tmp_path)


def test_temperature_of_the_manifest_applies_unless_one_is_set() -> None:
    own = with_model_defaults(Settings.load(overrides=["models=builtin"]))
    assert own.recognition.temperature == weights.manifest()[RECOGNIZER]["calibration"]["temperature"]
    given = with_model_defaults(Settings.load(overrides=["models=builtin", "recognition.temperature=3"]))
    assert given.recognition.temperature == 3
    stranger = with_model_defaults(Settings.load(overrides=["recognition.onnx=net.onnx", "models=builtin"]))
    assert stranger.recognition.temperature == 1
