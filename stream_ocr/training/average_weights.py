"""Average the weights before and after a further training; the mean is often better than either.

``python -m stream_ocr.training.average_weights NAME BEFORE AFTER --into FOLDER`` (Wortsman et al., arXiv 2203.05482).
Calibrate and export the result: calibration and exports belong to the weights and are left out.
"""

import argparse
from pathlib import Path

from stream_ocr.errors import WeightsError
from stream_ocr.models import weights

_OF_OTHER_WEIGHTS = {"sha256", "onnx_sha256", "mnn_sha256", "calibration", "figures"}


def main(name: str, before: Path, after: Path, into: Path) -> Path:
    """Average two states of one net into a third folder. Raises WeightsError when they are not of one shape."""
    (old, olds), (new, news) = weights.load_net(name, before), weights.load_net(name, after)
    if {key: tensor.shape for key, tensor in olds.items()} != {key: tensor.shape for key, tensor in news.items()}:
        raise WeightsError(f"{name} has another shape in {before} than in {after}; take weights of one net.")
    mean = {key: (olds[key] + t) / 2 if t.is_floating_point() else t for key, t in news.items()}
    entry = {key: value for key, value in new.items() if key not in _OF_OTHER_WEIGHTS}
    begun_from = {key: old[key] for key in ("figures", "recipe", "sha256") if key in old}
    return weights.save(name, mean, {**entry, "begun_from": begun_from, "merged": "mean of before and after"}, into)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Average two states of one net.")
    parser.add_argument("name")
    parser.add_argument("before", type=Path, help="folder with manifest.json")
    parser.add_argument("after", type=Path)
    parser.add_argument("--into", type=Path, required=True)
    options = parser.parse_args()
    print(main(options.name, options.before, options.after, options.into))
