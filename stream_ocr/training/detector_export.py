"""Measure and export the averaged weights of a training of the detector, with their manifest entry."""

import dataclasses
from collections.abc import Callable
from itertools import islice
from typing import Any

import torch
from torch import Tensor

from stream_ocr.evaluation.detector_by_source import measure, net_finder, validation_sets
from stream_ocr.models import weights
from stream_ocr.models.detection.dbnet import MEAN, SCALE, SIZE_MULTIPLE, DBNet
from stream_ocr.training.detector_config import Config
from stream_ocr.training.detector_pieces import scenes
from stream_ocr.training.detector_run import Run
from stream_ocr.training.optimisation import averaged_state
from stream_ocr.training.snapshots import training_section
from stream_ocr.training.validation import validate

Report = Callable[[str], None]
_DATA = (
    "generated pictures: Latin fonts of Debian, the word list of MJSynth (MIT), photographs of BSDS500 and ImageNet "
    "samples (research data sets) as grounds"
)

_PATHS = {"folder", "weights", "words", "backgrounds", "fonts", "real_words", "validation"}
"""Fields of the configuration that only mean something on the machine of the training."""


def export_weights(run: Run, config: Config, report: Report, state: str) -> dict[str, Any]:
    """Validate the averaged weights, export them as fp16 under ``config.name``, and return the figures.

    state: see ``snapshots``.
    """
    averages = averaged_state(run.average)
    figures = _measure(averages, run.counters.step, config, report)
    archives = ", ".join(path.stem for path in config.real_words)
    pictures = ", ".join(path.stem for path in config.real_pictures)
    recipe = dataclasses.asdict(dataclasses.replace(config, real_pictures={}))
    recipe["real_pictures"] = {path.stem: weight for path, weight in config.real_pictures.items()}
    entry = {
        "kind": "detector",
        "architecture": "dbnet",
        "parameters": {"backbone": config.backbone},
        "charset": None,
        "preprocessing": {
            "channels": "RGB",
            "mean": MEAN,
            "scale": SCALE,
            "size_multiple": SIZE_MULTIPLE,
            "shrink": config.shrink,
            "bin_thresh": config.bin_thresh,
            "box_thresh": figures["box_thresh"],
            "unclip_ratio": config.unclip_ratio,
        },
        "recipe": {name: value for name, value in recipe.items() if name not in _PATHS},
        "training": training_section(state, vars(run.counters)),
        "data": _DATA
        + (f"; word crops (research data sets) of {archives}" if archives else "")
        + (f"; pictures (research data sets, in part labelled by PP-OCRv6) of {pictures}" if pictures else ""),
        "licence": "Apache-2.0 for the weights; the data behind them are under their own terms",
        "figures": figures,
    }
    if run.begun_from:
        entry["begun_from"] = run.begun_from
    weights.save(config.name, averages, entry, config.weights)
    return figures


def _measure(averages: dict[str, Tensor], step: int, config: Config, report: Report) -> dict[str, Any]:
    net = DBNet(config.backbone)
    net.load_state_dict(averages)
    net.fuse().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    if config.validation is not None:
        measured = measure(net_finder(net, shrink=config.shrink), validation_sets(config.validation))
        report(measured.table())
        return measured.values()
    figures = validate(
        net,
        list(islice(scenes(config, config.seed + 1_000_000), config.validation_pictures)),
        config.folder / f"seen-{step:06d}.jpg",
        bin_thresh=config.bin_thresh,
        shown_box_thresh=config.box_thresh,
        unclip_ratio=config.unclip_ratio,
        shrink=config.shrink,
    )
    report("validation  " + "  ".join(f"{name} {value:.3f}" for name, value in figures.items()))
    return figures
