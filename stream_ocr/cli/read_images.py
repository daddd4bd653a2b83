"""Reading still images at a terminal: readable lines, or JSON."""

import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import IO

import msgspec
import typer

from stream_ocr.cli.options import print_status
from stream_ocr.config.settings import Settings
from stream_ocr.errors import SinkError, SourceError
from stream_ocr.events import Polygon
from stream_ocr.image_reader import ImageReader, TextLine
from stream_ocr.models import presets
from stream_ocr.printable import encodable, escape_unprintable
from stream_ocr.sinks.base import check_output_path

_STDOUT = "-"


class ImageLine(msgspec.Struct, frozen=True, kw_only=True):
    """A line of text in an image file, as it is written to JSON lines."""

    image: str
    text: str
    confidence: float
    polygon: Polygon


def check_outputs(outputs: Sequence[str]) -> None:
    """Raise BadParameter for an output that lines of images cannot be written to, SinkError for a missing folder."""
    for output in outputs:
        if output != _STDOUT and Path(output).suffix != ".jsonl":
            raise typer.BadParameter(f"{output}: lines of images are written to a .jsonl file or to -")
        if output != _STDOUT:
            check_output_path(Path(output))


def read_images(files: Sequence[Path], settings: Settings, outputs: Sequence[str]) -> int:
    """Read images and write their lines; return 1 if one of them cannot be read, or else 0.

    outputs: .jsonl files or ``-``; none: readable lines on standard output. Raises SinkError.
    """
    for part, text in presets.describe(settings):
        print_status(f"{part}: {text}")
    failed = False
    with ExitStack() as opened:
        targets = [
            sys.stdout.buffer if output == _STDOUT else opened.enter_context(_open(output)) for output in outputs
        ]
        reader = ImageReader(settings)
        for file in files:
            try:
                lines = reader.read(file)
            except SourceError as error:
                print_status(str(error))
                failed = True
                continue
            if not outputs:
                _print(file, lines, named=len(files) > 1)
            for target in targets:
                target.writelines(_json(file, line) for line in lines)
                target.flush()
    return int(failed)


def _open(output: str) -> IO[bytes]:
    try:
        return Path(output).open("wb")
    except OSError as error:
        raise SinkError(f"{output} cannot be written ({error.strerror}); name another file.") from error


def _print(file: Path, lines: Sequence[TextLine], *, named: bool) -> None:
    prefix = f"{escape_unprintable(str(file))}  " if named else ""
    for line in lines:
        typer.echo(f"{prefix}{line.confidence:.2f}  {escape_unprintable(line.text)}")


def _json(file: Path, line: TextLine) -> bytes:
    found = ImageLine(image=encodable(str(file)), **msgspec.structs.asdict(line))
    return msgspec.json.encode(found) + b"\n"
