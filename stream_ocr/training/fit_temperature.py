"""Fit the temperature that calibrates the confidences of a recogniser, and write it into the manifest.

``python -m stream_ocr.training.fit_temperature NAME CROPS [--weights FOLDER]`` does so for existing
weights; training does it for those it exports. CROPS must not have been trained on (benchmarks/validation_crops.py).
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from scipy.optimize import minimize_scalar

from stream_ocr.evaluation.recognizer import load_labelled_crops
from stream_ocr.models import weights
from stream_ocr.models.recognition.calibration import calibrate, joint_probability
from stream_ocr.models.recognition.ctc import Decoded
from stream_ocr.models.zoo import load_builtin_recognizer
from stream_ocr.training.thresholds import CALIBRATION


def best_temperature(read: Sequence[tuple[Decoded, str]]) -> float:
    """Return the temperature with the highest likelihood of which readings are right; 1 without readings."""
    readings = [(reading.char_confidences, reading.text == text) for reading, text in read if reading.text]
    if not readings:
        return 1.0
    right_N = np.array([right for _, right in readings])

    def negative_log_likelihood(temperature: float) -> float:
        p_N = np.array([joint_probability(calibrate(characters, temperature)) for characters, _ in readings])
        p_N = np.clip(np.where(right_N, p_N, 1 - p_N), CALIBRATION.min_likelihood, 1)
        return float(-np.log(p_N).mean())

    found = minimize_scalar(negative_log_likelihood, bounds=CALIBRATION.temperature, method="bounded")
    return round(float(found.x), 3)


def main(name: str, data: Path, folder: Path | None) -> float:
    """Fit the temperature of the weights in a folder and write it into their manifest."""
    reader = load_builtin_recognizer(name, folder)
    samples = list(load_labelled_crops(data))
    read = reader.read([crop for crop, _ in samples])
    temperature = best_temperature([(reading, text) for reading, (_, text) in zip(read, samples, strict=True)])
    weights.update_entry(name, {"calibration": {"temperature": temperature}}, folder)
    return temperature


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Calibrate the confidences of a recogniser.")
    parser.add_argument("name")
    parser.add_argument("crops", type=Path)
    parser.add_argument("--weights", type=Path, help="folder with manifest.json; the package's own unless given")
    options = parser.parse_args()
    print(f"temperature {main(options.name, options.crops, options.weights)}")
