"""Export of the built-in networks: as ONNX for other programs, and in the formats that run fastest on a CPU here."""

import json
import shutil
import warnings
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from stream_ocr.errors import WeightsError
from stream_ocr.models import builtin, weights
from stream_ocr.models.backends import mnn
from stream_ocr.models.backends.base import INPUT, OUTPUT

if TYPE_CHECKING:
    from torch import nn

OPSET = 17
"""ONNX operator set of the exported files."""

_MIN_HALVED_VALUES = 1000
"""Number of values from which a constant is stored in fp16; smaller ones save nothing."""


def export(folder: Path, weights_folder: Path | None = None) -> Iterator[Path]:
    """Write ``NAME.onnx`` and ``NAME.json`` (the manifest's entry) of every network; yield the paths of the models.

    weights_folder: where the weights are; by default those of the package.

    Input ``x`` is (B, C, H, W) float32, prepared as the entry's ``preprocessing`` says: RGB and multiples of 32 for
    detectors, grey and 32 pixels high for recognisers. Output ``p``: probabilities (B, H/2, W/2) of text, or (B, T, C)
    of characters with the blank first. Batch, height and width are dynamic.

    If ``folder`` is that of the weights, write the formats used on CPUs (``presets.pick_backend``) instead: detectors
    for MNN, recognisers for MNN and as ONNX, with their checksums in the manifest. Raise WeightsError.
    """
    if find_spec("onnx") is None:
        raise WeightsError("Exporting to ONNX needs onnx, which is not installed; pip install 'stream-ocr[export]'.")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise WeightsError(f"{folder} cannot be created ({error.strerror}); name another folder.") from error
    in_place = folder.resolve() == (weights_folder or weights.weights_folder()).resolve()
    names = [name for name, entry in weights.manifest(weights_folder).items() if weights.is_network(entry)]
    for name in sorted(names):
        entry, net = builtin.load_net(name, weights_folder)
        with TemporaryDirectory() as temporary:
            onnx = Path(temporary, f"{name}.onnx")
            _write(net, onnx, recognizer=entry["kind"] == "recognizer")
            if in_place:
                yield from _add_to_weights(name, entry, onnx, folder)
            else:
                text = json.dumps(entry, indent=2, ensure_ascii=False)
                (folder / f"{name}.json").write_text(text + "\n", encoding="utf-8")
                yield Path(shutil.copyfile(onnx, folder / onnx.name))


def _add_to_weights(name: str, entry: Mapping[str, Any], onnx: Path, folder: Path) -> Iterator[Path]:
    formats: tuple[weights.ExportFormat, ...] = ("onnx", "mnn") if entry["kind"] == "recognizer" else ("mnn",)
    for file_format in formats:
        path = folder / f"{name}.{file_format}"
        if file_format == "mnn":
            mnn.convert(onnx, path)
        else:
            store_as_halves(onnx, path)
        weights.update_entry(name, {f"{file_format}_sha256": weights.sha256(path)}, folder)
        yield path


def store_as_halves(onnx: Path, target: Path) -> None:
    """Write a copy of an ONNX file whose large constants are stored in fp16 and cast to fp32 when it is loaded.

    The weights are distributed in fp16, so only what batch norms add to them is rounded. The file is half as large.
    """
    from onnx import TensorProto, helper, load, numpy_helper, save

    model = load(onnx)
    constants, casts = [], []
    for constant in model.graph.initializer:
        values = numpy_helper.to_array(constant)
        if constant.data_type != TensorProto.FLOAT or values.size < _MIN_HALVED_VALUES:
            constants.append(constant)
            continue
        half = f"{constant.name}_fp16"
        constants.append(numpy_helper.from_array(values.astype("float16"), half))
        casts.append(helper.make_node("Cast", [half], [constant.name], to=TensorProto.FLOAT))
    nodes = [*casts, *model.graph.node]
    for field, items in ((model.graph.initializer, constants), (model.graph.node, nodes)):
        del field[:]
        field.extend(items)
    save(model, target)


def _write(net: "nn.Module", path: Path, *, recognizer: bool) -> None:
    import torch

    if recognizer:
        example, output_axes = torch.zeros(2, 1, 32, 96), {0: "B", 1: "T"}
        input_axes = {0: "B", 3: "W"}
    else:
        example, output_axes = torch.zeros(2, 3, 64, 96), {0: "B", 1: "h", 2: "w"}
        input_axes = {0: "B", 2: "H", 3: "W"}
    with warnings.catch_warnings():
        # The exporter of torch 2.9 and later needs extra packages and fixes the length of a recurrent layer.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            net,
            (example,),
            str(path),
            input_names=[INPUT],
            output_names=[OUTPUT],
            dynamic_axes={INPUT: input_axes, OUTPUT: output_axes},
            opset_version=OPSET,
            dynamo=False,
        )
