"""The recipe of a training of the recogniser, read from a YAML file such as `configs/train/recognizer-base.yaml`."""

from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

import torch
import yaml
from torch import nn

from stream_ocr.errors import SettingsError
from stream_ocr.models.devices import computes_bf16
from stream_ocr.models.recognition.charset import DEFAULT, EUROPEAN, Charset
from stream_ocr.models.recognition.crnn import CRNN
from stream_ocr.models.recognition.residual_crnn import ResidualCRNN
from stream_ocr.training.data.line_batches import DataRecipe

_NETS: dict[str, type[nn.Module]] = {"crnn": CRNN, "residual-crnn": ResidualCRNN}
_CHARSETS = {"default": DEFAULT, "european": EUROPEAN}
_LICENCE = "Apache-2.0 for the weights; the real crops behind them are research data sets under their own terms"


@dataclass(frozen=True)
class Schedule:
    """The optimisation, and when something is written."""

    seed: int
    threads: int
    peak_rate: float
    """Learning rate after the warm-up."""
    warm_up_steps: int
    """Of a new run, and again after ``--start-from``, since the optimiser then begins without moments."""
    weight_decay: float
    clip: float
    """Largest norm of the gradient."""
    average_decay: float
    """Share of the averaged weights that a step keeps."""
    checkpoint_every_s: float
    validate_every_core_s: float
    """Processor time between two validations."""
    core_hours: float | None = None
    """Processor time at which the run ends; None: it goes on until it is stopped."""
    anneal_steps: int = 0
    """Steps of the annealing that follows then, with which weights are exported; 0: none follows."""


@dataclass(frozen=True)
class Recipe:
    """Everything that tells one training from another. Paths are relative to the working directory."""

    name: str
    """Name of the weights."""
    output: Path
    """Folder of the checkpoint, the curve and annealed weights."""
    schedule: Schedule
    data: DataRecipe
    architecture: Literal["crnn", "residual-crnn"] = "residual-crnn"
    net: dict[str, Any] = field(default_factory=dict)
    """Arguments of the net; see its class."""
    charset: Charset = EUROPEAN
    """In the file its name: default or european (``models/recognition/charset.py``)."""
    device: str = "cpu"
    dtype: Literal["auto", "fp32", "bf16"] = "auto"
    """auto: bf16 where the device computes in it, for elsewhere it is many times slower than fp32."""
    licence: str = _LICENCE

    def make_net(self) -> nn.Module:
        """Return the net with random weights."""
        return _NETS[self.architecture](len(self.charset), **self.net)

    def uses_bf16(self) -> bool:
        """Return whether convolutions and LSTM are computed in bf16."""
        if self.dtype == "auto":
            return bool(computes_bf16("cuda" if torch.device(self.device).type == "cuda" else "cpu"))
        return self.dtype == "bf16"


def read_recipe(config: Path) -> Recipe:
    """Read a recipe. Raise SettingsError for missing or unknown keys and unknown names."""
    values: dict[str, Any] = yaml.safe_load(config.read_text(encoding="utf-8")) or {}
    _check_keys(config, Recipe, values)
    schedule, data = values["schedule"], dict(values["data"])
    _check_keys(config, Schedule, schedule)
    _check_keys(config, DataRecipe, data)
    for name in ("data", "teacher", "fonts"):
        data[name] = Path(data[name]) if data.get(name) is not None else None
    for name in ("labelled_sets", "teacher_sets", "relabelled_sets"):
        data[name] = tuple(data.get(name, ()))
    for name, known in (("architecture", _NETS), ("charset", _CHARSETS), ("dtype", ("auto", "fp32", "bf16"))):
        if name in values and values[name] not in known:
            raise SettingsError(f"{config}: {name} is {values[name]!r}; choose one of {', '.join(known)}")
    if "charset" in values:
        values["charset"] = _CHARSETS[values["charset"]]
    values |= {"output": Path(values["output"]), "schedule": Schedule(**schedule), "data": DataRecipe(**data)}
    return Recipe(**values)


def _check_keys(config: Path, kind: type, values: dict[str, Any]) -> None:
    known = {f.name for f in fields(kind)}
    required = {f.name for f in fields(kind) if f.default is MISSING and f.default_factory is MISSING}
    missing, unknown = sorted(required - values.keys()), sorted(values.keys() - known)
    if missing or unknown:
        raise SettingsError(f"{config} lacks the keys {missing} and has the unknown keys {unknown}; correct them")
