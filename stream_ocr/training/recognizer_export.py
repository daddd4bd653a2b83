"""Measure and export the averaged weights of a training of the recogniser, with their manifest entry."""

from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from stream_ocr.evaluation.recognition_metrics import read
from stream_ocr.models import weights
from stream_ocr.models.recognition.input_sizes import ASPECT, HEIGHT, WIDTHS
from stream_ocr.training.fit_temperature import best_temperature
from stream_ocr.training.optimisation import averaged_state
from stream_ocr.training.recognizer_recipe import Recipe
from stream_ocr.training.recognizer_run import Run
from stream_ocr.training.recognizer_sets import ValidationSet, figures
from stream_ocr.training.snapshots import training_section


def export_weights(
    run: Run, sets: Mapping[str, ValidationSet], folder: Path, state: str, report: Callable[[str], None]
) -> Path:
    """Write the averaged weights into a folder. state: see ``snapshots``."""
    net, charset = run.average.module, run.recipe.charset
    shares = figures(net, charset, sets)
    report(table(shares))
    samples = [sample for part in sets.values() for sample in part.samples]
    entry = _entry(run.recipe) | {
        "calibration": {"temperature": best_temperature(list(read(net, charset, samples)))},
        "training": training_section(state, asdict(run.counters)),
        "figures": {name: round(share, 4) for name, share in shares.items()},
    }
    if run.begun_from:
        entry["begun_from"] = run.begun_from
    return weights.save(run.recipe.name, averaged_state(run.average), entry, folder)


def table(shares: Mapping[str, float]) -> str:
    """Return validation figures as one line."""
    return "validation  " + "  ".join(f"{name} {share:.1%}" for name, share in shares.items())


def _entry(recipe: Recipe) -> dict[str, Any]:
    data = recipe.data
    shares = {name: value for name, value in asdict(data).items() if isinstance(value, int | float)}
    return {
        "kind": "recognizer",
        "architecture": recipe.architecture,
        "parameters": recipe.net,
        "charset": recipe.charset.characters,
        "preprocessing": {
            "height": HEIGHT,
            "widths": list(WIDTHS),
            "aspect": ASPECT,
            "input": "grey, (x - mean) / (deviation + 8)",
        },
        "recipe": asdict(recipe.schedule) | shares | {"dtype": recipe.dtype},
        "data": [
            "generated lines",
            *data.labelled_sets,
            *(f"{name}, read by PP-OCRv6 small" for name in data.teacher_sets),
            *(f"{name}, labels completed by PP-OCRv6 small" for name in data.relabelled_sets),
        ],
        "licence": recipe.licence,
    }
