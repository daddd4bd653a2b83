"""Our own networks, and what runs them."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stream_ocr.config.settings import Settings
from stream_ocr.errors import WeightsError
from stream_ocr.models import presets, weights
from stream_ocr.models.backends.base import Engine
from stream_ocr.models.backends.mnn import MnnEngine
from stream_ocr.models.backends.onnx import OnnxEngine
from stream_ocr.models.backends.torch import TorchEngine, fold_batch_norms
from stream_ocr.models.recognition.charset import Charset

if TYPE_CHECKING:
    from torch import Tensor, nn


def load_net(name: str, where: Path | None = None) -> "tuple[dict[str, Any], nn.Module]":
    """A network of the manifest and its entry, in fp32, ready to infer: what comes out are probabilities.

    Detectors: (B, H / 2, W / 2). Recognisers: (B, T, C). where: the folder of the weights, the package's own unless
    given. Raises WeightsError.
    """
    entry, state = weights.load_net(name, where)
    net: nn.Module
    if entry["kind"] == "detector":
        from stream_ocr.models.detection.dbnet import DBNet

        net = DBNet(**entry["parameters"])
        _fill(net, state, name)
    else:
        from stream_ocr.models.recognition.crnn import CRNN, InferenceCRNN
        from stream_ocr.models.recognition.residual_crnn import ResidualCRNN

        kind = ResidualCRNN if entry["architecture"] == "residual-crnn" else CRNN
        net = kind(len(Charset(entry["charset"])), **entry["parameters"])
        _fill(net, state, name)
        net = InferenceCRNN(net)
    return entry, fold_batch_norms(net)


def engine(name: str, settings: Settings) -> tuple[dict[str, Any], Engine]:
    """Return a network's entry in the manifest and the network, ready to run. Raise WeightsError or DeviceError."""
    picked = presets.pick_backend(name, settings)
    if picked.runtime == "torch":
        entry, net = load_net(name)
        return entry, TorchEngine(net, picked)
    path = weights.verified_path(name, picked.runtime)
    made: Engine = MnnEngine(path, picked) if picked.runtime == "mnn" else OnnxEngine(path, picked)
    return weights.manifest()[name], made


def _fill(net: "nn.Module", state: "Mapping[str, Tensor]", name: str) -> None:
    try:
        net.load_state_dict(state)
    except RuntimeError as error:
        raise WeightsError(
            f"The weights {name} do not fit this version's network ({str(error).splitlines()[0]}); "
            "reinstall stream-ocr, or train them anew."
        ) from error
