"""Commands for the two networks."""

import json
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Protocol

import typer

from stream_ocr.cli.options import Config, Set, load

if TYPE_CHECKING:
    import numpy as np


class Net(StrEnum):
    """What can be trained."""

    recognizer = "recognizer"
    detector = "detector"


class Measured(Protocol):
    """What was measured of a network."""

    def as_text(self) -> str: ...
    def to_dict(self) -> dict[str, Any]: ...
    def contact_sheet(self) -> "np.ndarray": ...


def train(
    net: Net,
    config: Annotated[Path, typer.Argument(help="The run, as YAML; see configs/train.")],
    start_from: Annotated[Path | None, typer.Option(help="Folder of exported weights to begin with.")] = None,
) -> None:
    """Train a network of our own."""
    if net is Net.detector:
        from stream_ocr.training import detector_config, train_detector

        train_detector.main(detector_config.load_config(config), typer.echo, start_from=start_from)
    else:
        from stream_ocr.training import train_recognizer

        typer.echo(train_recognizer.main(config, start_from=start_from))


def evaluate(
    net: Net,
    data: Annotated[
        Path,
        typer.Argument(help="Crops with labels.tsv (path TAB text), or pictures with gt_*.txt or a JSON list."),
    ],
    worst: Annotated[Path | None, typer.Option(help="A picture of the worst cases to this file.")] = None,
    json_: Annotated[Path | None, typer.Option("--json", help="The figures to this file.")] = None,
    config: Config = None,
    set_: Set = None,
) -> None:
    """Measure a network on labelled pictures."""
    from stream_ocr.models.detection import images as still

    settings = load(config, set_)
    report: Measured
    if net is Net.detector:
        from stream_ocr.evaluation import detector as detector_evaluation

        report = detector_evaluation.evaluate_detector(data, settings)
    else:
        from stream_ocr.evaluation import recognizer as recognizer_evaluation

        report = recognizer_evaluation.evaluate_recognizer(data, settings)
    typer.echo(report.as_text())
    if json_ is not None:
        json_.write_text(json.dumps(report.to_dict(), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    if worst is not None:
        still.write_image(worst, report.contact_sheet())


def detect(
    images: Annotated[list[Path], typer.Argument(help="Pictures.", metavar="IMAGE…", readable=False)],
    json_: Annotated[Path | None, typer.Option("--json", help="One JSON object an image to this file.")] = None,
    draw: Annotated[Path | None, typer.Option(help="Pictures with the lines drawn in, into this folder.")] = None,
    polygons: Annotated[bool, typer.Option("--polygons", help="Outlines, too, which follow curved text.")] = False,
    config: Config = None,
    set_: Set = None,
) -> None:
    """Find the lines of text in still pictures."""
    import msgspec

    from stream_ocr.models.detection import images as still

    lines = []
    for found in still.detect_images(images, load(config, set_), polygons=polygons):
        lines.append(msgspec.json.encode(found) + b"\n")
        if draw is not None:
            draw.mkdir(parents=True, exist_ok=True)
            still.draw_detections(found, draw)
        if json_ is None:
            typer.echo(lines[-1], nl=False)
    if json_ is not None:
        json_.write_bytes(b"".join(lines))
