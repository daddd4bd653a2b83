"""What tells one training of the detector from another."""

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from stream_ocr.errors import SettingsError
from stream_ocr.models.detection.dbnet import Backbone


@dataclass(frozen=True)
class Config:
    """Everything that tells one run from another; see configs/train/detector.yaml.

    folder: of checkpoints, pictures and sheets. weights: where the net is exported; None: weights/ of the checkout.
    fonts: font files; none: every Latin font of the machine. real_words: archives of word crops to paste, too.
    """

    name: str
    folder: Path
    minutes: float
    weights: Path | None = None
    backbone: Backbone = "small"
    threads: int = 1
    device: str = "cpu"
    seed: int = 1
    words: Path | None = None
    backgrounds: Path | None = None
    fonts: tuple[Path, ...] = ()
    real_words: tuple[Path, ...] = ()
    procedural: float = 0.14
    first_pictures: int = 1500
    pictures_per_step: float = 1.5
    pool: int = 8000
    crop: int = 384
    scales: tuple[float, float] = (0.4, 1.6)
    batch: int = 8
    shrink: float = 0.6
    learning_rate: float = 3e-3
    weight_decay: float = 0.01
    warm_up_steps: int = 60
    clip: float = 5.0
    average: float = 0.998
    checkpoint_minutes: float = 2.0
    validation_pictures: int = 40
    bin_thresh: float = 0.3
    box_thresh: float = 0.6
    unclip_ratio: float = 1.1


def load_config(path: Path) -> Config:
    """The run that a YAML file describes. Raises SettingsError for unknown or missing names."""
    values: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    fields = {f.name: f for f in dataclasses.fields(Config)}
    unknown = sorted(values.keys() - fields.keys())
    missing = sorted(n for n, f in fields.items() if f.default is dataclasses.MISSING and n not in values)
    if unknown or missing:
        known = ", ".join(fields)
        raise SettingsError(f"{path} has unknown names {unknown} and lacks {missing}; the known ones are {known}.")
    for name in ("folder", "weights", "words", "backgrounds"):
        if values.get(name) is not None:
            values[name] = Path(values[name])
    for name in ("scales", "fonts", "real_words"):
        if name in values:
            values[name] = tuple(v if name == "scales" else Path(v) for v in values[name])
    return Config(**values)
