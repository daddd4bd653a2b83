"""The recipe of `recognizer-base`: `configs/train/recognizer-base.yaml`."""

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import yaml

from stream_ocr.training.data.line_batches import DataRecipe


@dataclass(frozen=True)
class Schedule:
    """The optimisation, and when something is written."""

    seed: int
    threads: int
    peak_rate: float
    warm_up_steps: int
    weight_decay: float
    clip: float
    average_decay: float
    checkpoint_every_s: float
    validate_every_core_s: float


@dataclass(frozen=True)
class BaseRecipe:
    """Values of `configs/train/recognizer-base.yaml`."""

    output: Path
    net: dict[str, Any]
    """Arguments of ``ResidualCRNN``."""
    schedule: Schedule
    data: DataRecipe


def read_recipe(config: Path) -> BaseRecipe:
    """Read a recipe from YAML. Raises ValueError for missing or unknown keys."""
    values: dict[str, Any] = yaml.safe_load(config.read_text(encoding="utf-8"))
    data, schedule = dict(values.pop("data")), values.pop("schedule")
    for names, given in ((DataRecipe, data), (Schedule, schedule)):
        wanted = {field.name for field in fields(names)}
        if wanted != given.keys():
            raise ValueError(
                f"{config}: missing {sorted(wanted - given.keys())}, unknown {sorted(given.keys() - wanted)}"
            )
    for name in ("data", "teacher", "fonts"):
        data[name] = Path(data[name])
    for name in ("labelled_sets", "teacher_sets", "relabelled_sets"):
        data[name] = tuple(data[name])
    return BaseRecipe(Path(values["output"]), values["net"], Schedule(**schedule), DataRecipe(**data))
