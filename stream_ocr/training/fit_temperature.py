"""Find the temperature at which the confidences of a recogniser are honest, and note it in the manifest.

``python -m stream_ocr.training.fit_temperature NAME CROPS [--weights FOLDER]`` does so for weights that are there;
training does it for those it exports. CROPS must be ones that training has kept aside (benchmarks/validation_crops.py).
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from scipy.optimize import minimize_scalar

from stream_ocr.evaluation.recognizer import load_labelled_crops
from stream_ocr.models import weights
from stream_ocr.models.recognition.calibration import calibrate, text_confidence
from stream_ocr.models.recognition.ctc import Decoded
from stream_ocr.models.zoo import load_builtin_recognizer

_RANGE = (0.3, 5.0)


def best_temperature(read: Sequence[tuple[Decoded, str]]) -> float:
    """The temperature under which it is most likely that just these readings are exactly right; 1 without any."""
    looks = [(look.char_confidences, look.text == text) for look, text in read if look.text]
    if not looks:
        return 1.0
    right_N = np.array([right for _, right in looks])

    def surprise(temperature: float) -> float:
        p_N = np.array([text_confidence(calibrate(characters, temperature)) for characters, _ in looks])
        p_N = np.clip(np.where(right_N, p_N, 1 - p_N), 1e-6, 1)
        return float(-np.log(p_N).mean())

    return round(float(minimize_scalar(surprise, bounds=_RANGE, method="bounded").x), 3)


def main(name: str, data: Path, folder: Path | None) -> float:
    """Measure these weights of that folder, and write what was found beside them."""
    reader = load_builtin_recognizer(name, folder)
    samples = list(load_labelled_crops(data))
    read = reader.read([crop for crop, _ in samples])
    temperature = best_temperature([(look, text) for look, (_, text) in zip(read, samples, strict=True)])
    weights.update_entry(name, {"calibration": {"temperature": temperature}}, folder)
    return temperature


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Calibrate the confidences of a recogniser.")
    parser.add_argument("name")
    parser.add_argument("crops", type=Path)
    parser.add_argument("--weights", type=Path, help="folder with manifest.json; the package's own unless given")
    options = parser.parse_args()
    print(f"temperature {main(options.name, options.crops, options.weights)}")
