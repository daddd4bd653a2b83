"""Commands for training and evaluating models."""

import json
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Protocol

import typer

from stream_ocr.cli.options import MODEL_SETTINGS, Config, Set, load

if TYPE_CHECKING:
    import numpy as np


class ModelKind(StrEnum):
    """A kind of model."""

    recognizer = "recognizer"
    detector = "detector"


Model = Annotated[ModelKind, typer.Argument(help="recognizer or detector.")]


class Report(Protocol):
    """The result of an evaluation."""

    def as_text(self) -> str: ...
    def to_dict(self) -> dict[str, Any]: ...
    def contact_sheet(self) -> "np.ndarray": ...


def train(
    model: Model,
    config: Annotated[Path, typer.Argument(help="Training configuration (YAML); see configs/train.")],
    start_from: Annotated[
        Path | None, typer.Option(help="Folder of exported weights to start from if there is no checkpoint.")
    ] = None,
    anneal: Annotated[
        int | None, typer.Option(help="Export usable weights: train a copy for this many steps, with a falling rate.")
    ] = None,
    into: Annotated[Path | None, typer.Option(help="Folder of the annealed copy.")] = None,
    export: Annotated[
        Path | None, typer.Option(help="Export the current weights to this folder, to continue from elsewhere.")
    ] = None,
) -> None:
    """Train a model, or resume its training."""
    if model is ModelKind.detector:
        from stream_ocr.training import train_detector
        from stream_ocr.training.detector_config import load_config

        train_detector.run_command(load_config(config), typer.echo, start_from, anneal, into, export)
    else:
        from stream_ocr.training import train_recognizer
        from stream_ocr.training.recognizer_recipe import read_recipe

        train_recognizer.run_command(read_recipe(config), typer.echo, start_from, anneal, into, export)


def evaluate(
    model: Model,
    data: Annotated[
        Path,
        typer.Argument(help="Crops with labels.tsv (path TAB text), or images with gt_*.txt or a JSON list."),
    ],
    worst: Annotated[Path | None, typer.Option(help="Write an image of the worst cases to this file.")] = None,
    json_: Annotated[Path | None, typer.Option("--json", help="Write the metrics to this file.")] = None,
    config: Config = None,
    set_: Set = None,
) -> None:
    """Evaluate a model on labelled images."""
    from stream_ocr.models.detection import images as image_files

    settings = load(config, set_, MODEL_SETTINGS)
    report: Report
    if model is ModelKind.detector:
        from stream_ocr.evaluation import detector as detector_evaluation

        report = detector_evaluation.evaluate_detector(data, settings)
    else:
        from stream_ocr.evaluation import recognizer as recognizer_evaluation

        report = recognizer_evaluation.evaluate_recognizer(data, settings)
    typer.echo(report.as_text())
    if json_ is not None:
        json_.write_text(json.dumps(report.to_dict(), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    if worst is not None:
        image_files.write_image(worst, report.contact_sheet())


def detect(
    images: Annotated[list[Path], typer.Argument(help="Image files.", metavar="IMAGE", readable=False)],
    json_: Annotated[Path | None, typer.Option("--json", help="Write one JSON object per image to this file.")] = None,
    draw: Annotated[
        Path | None, typer.Option(help="Write copies of the images, with the text lines drawn, to this folder.")
    ] = None,
    polygons: Annotated[
        bool, typer.Option("--polygons", help="Also output polygons, which follow curved text.")
    ] = False,
    config: Config = None,
    set_: Set = None,
) -> None:
    """Detect text lines in images."""
    import msgspec

    from stream_ocr.models.detection import images as image_files

    lines = []
    for detections in image_files.detect_images(images, load(config, set_, MODEL_SETTINGS), polygons=polygons):
        lines.append(msgspec.json.encode(detections) + b"\n")
        if draw is not None:
            draw.mkdir(parents=True, exist_ok=True)
            image_files.draw_detections(detections, draw)
        if json_ is None:
            typer.echo(lines[-1], nl=False)
    if json_ is not None:
        json_.write_bytes(b"".join(lines))
