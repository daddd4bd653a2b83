"""Our own networks as ONNX files, for other programs and machines; each beside a JSON file that says how to use it.
And as what reads here on CPUs.
"""

import json
import warnings
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from stream_ocr.errors import WeightsError
from stream_ocr.models import builtin, weights
from stream_ocr.models.backends import mnn

if TYPE_CHECKING:
    from torch import nn

OPSET = 17
_INPUT, _OUTPUT = "x", "p"


def export(folder: Path, where: Path | None = None) -> Iterator[Path]:
    """Write ``NAME.onnx`` and ``NAME.json`` (the manifest's entry) of every network; yields the paths of the models.

    where: the folder of the weights, the package's own unless given. Input ``x`` is (B, C, H, W) float32, prepared as
    the entry's ``preprocessing`` says: RGB and multiples of 32 for detectors, grey and 32 pixels high for recognisers.
    Output ``p``: probabilities, (B, H / 2, W / 2) of text, or (B, T, C) of characters with the blank first. Batch,
    height and width may be any. Into the folder of the weights itself it writes what reads on CPUs (``models.pick``):
    recognisers as ONNX, detectors for MNN, and notes the checksums. Raises WeightsError.
    """
    if find_spec("onnx") is None:
        raise WeightsError("To export to ONNX takes onnx, which is not installed; pip install 'stream-ocr[export]'.")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise WeightsError(f"{folder} cannot be made ({error.strerror}); name a folder for the ONNX files.") from error
    here = folder.resolve() == (where or weights.folder()).resolve()
    for name in sorted(weights.manifest(where)):
        entry, net = builtin.load_net(name, where)
        recognizer = entry["kind"] == "recognizer"
        form: weights.Form = "mnn" if here and not recognizer else "onnx"
        path = folder / f"{name}.{form}"
        if form == "mnn":
            with TemporaryDirectory() as between:
                _write(net, onnx := Path(between, f"{name}.onnx"), recognizer=recognizer)
                mnn.convert(onnx, path)
        else:
            _write(net, path, recognizer=recognizer)
        if here:
            weights.amend(name, {f"{form}_sha256": weights.sha256(path)}, where)
        else:
            told = json.dumps(entry, indent=2, ensure_ascii=False)
            path.with_suffix(".json").write_text(told + "\n", encoding="utf-8")
        yield path


def _write(net: "nn.Module", path: Path, *, recognizer: bool) -> None:
    import torch

    if recognizer:
        example, steps = torch.zeros(2, 1, 32, 96), {0: "B", 1: "T"}
        sizes = {0: "B", 3: "W"}
    else:
        example, steps = torch.zeros(2, 3, 64, 96), {0: "B", 1: "h", 2: "w"}
        sizes = {0: "B", 2: "H", 3: "W"}
    with warnings.catch_warnings():
        # The exporter of torch 2.9 and later needs packages of its own and fixes the length of a recurrent layer.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            net,
            (example,),
            str(path),
            input_names=[_INPUT],
            output_names=[_OUTPUT],
            dynamic_axes={_INPUT: sizes, _OUTPUT: steps},
            opset_version=OPSET,
            dynamo=False,
        )
