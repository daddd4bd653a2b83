"""The configuration of a training of the detector, read from a YAML file such as `configs/train/detector-base.yaml`."""

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from stream_ocr.errors import SettingsError
from stream_ocr.models.detection.dbnet import Backbone


@dataclass(frozen=True)
class Config:
    """Everything that tells one training from another. Paths are relative to the working directory.

    name: of the weights. folder: of checkpoint, generated pictures, curve and sheets. steps: where the run ends; it may
    be raised later. anneal_steps: over the last so many of them the learning rate falls to zero. weights: folder into
    which the averaged weights are exported at each validation; None: weights/ of the checkout.

    fonts: font files; none: every Latin font of the machine. real_words: archives of word crops that are pasted into
    generated pictures. real_pictures: lists of labelled pictures (see ``data.real_images``) and their weights.
    real_share: share of pieces that come from them; all others are generated. validation: folder of lists (see
    ``evaluation.detector_by_source``); None: generated pictures.

    procedural: share of generated pictures on surfaces instead of photographs. first_pictures, pictures_per_step: how
    many pictures are generated before the first step and then with each. pool: number of generated pictures that are
    kept. crop: side of the pieces that are trained on, in pixels. scales: by which pictures are resized before.
    shrink: ratio r of the kernels (see ``targets``). clip: largest norm of the gradient. average: share of the averaged
    weights that a step keeps.
    """

    name: str
    folder: Path
    steps: int
    anneal_steps: int = 0
    weights: Path | None = None
    backbone: Backbone = "small"
    threads: int = 1
    device: str = "cpu"
    seed: int = 1
    words: Path | None = None
    backgrounds: Path | None = None
    fonts: tuple[Path, ...] = ()
    real_words: tuple[Path, ...] = ()
    real_pictures: dict[Path, float] = field(default_factory=dict)
    real_share: float = 0.0
    validation: Path | None = None
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
    checkpoint_steps: int = 200
    validation_steps: int = 2000
    validation_pictures: int = 40
    bin_thresh: float = 0.3
    box_thresh: float = 0.6
    unclip_ratio: float = 1.1


def load_config(path: Path) -> Config:
    """Return the run that a YAML file describes. Raises SettingsError for unknown or missing names."""
    values: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    fields = {f.name: f for f in dataclasses.fields(Config)}
    required = {n for n, f in fields.items() if f.default is f.default_factory is dataclasses.MISSING}
    unknown, missing = sorted(values.keys() - fields.keys()), sorted(required - values.keys())
    if unknown or missing:
        known = ", ".join(fields)
        raise SettingsError(f"{path} has unknown names {unknown} and lacks {missing}; the known ones are {known}.")
    for name in ("folder", "weights", "words", "backgrounds", "validation"):
        if values.get(name) is not None:
            values[name] = Path(values[name])
    for name in ("scales", "fonts", "real_words"):
        if name in values:
            values[name] = tuple(v if name == "scales" else Path(v) for v in values[name])
    if "real_pictures" in values:
        values["real_pictures"] = {Path(p): float(weight) for p, weight in values["real_pictures"].items()}
    return Config(**values)
