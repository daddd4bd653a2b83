"""CSV for spreadsheets: one row per text, from its first frame to its last."""

import csv
import re
from pathlib import Path
from typing import TextIO

from stream_ocr.errors import SinkError
from stream_ocr.events import Event
from stream_ocr.events.spans import Span, Spans
from stream_ocr.sinks.base import reason, refuse_directory

HEADER = ("stream", "track", "start", "end", "text", "confidence", "x0", "y0", "x1", "y1", "x2", "y2", "x3", "y3")
# What starts a formula in Excel, LibreOffice or Google Sheets, full-width forms and leading blanks included.
_FORMULA = re.compile(r"[\s\x00-\x1f\ufeff]*[=+\-@|%＝＋－＠]|[\t\r\n]")


class CsvSink:
    """Writes the row of a text when it ends; the corners are those of its first frame."""

    def __init__(self, path: str | Path, *, name: str | None = None) -> None:
        self.name = name or str(path)
        self._path = Path(path)
        self._gathered = Spans()
        self._file: TextIO | None = None

    def open(self) -> None:
        refuse_directory(self._path)
        try:
            self._file = self._path.open("w", newline="", encoding="utf-8")
        except OSError as error:
            raise SinkError(f"{self._path} cannot be written: {reason(error)}.") from error
        self._write_row(HEADER)

    def write(self, event: Event) -> None:
        for span in self._gathered.add(event):
            self._write_span(span)

    def close(self) -> None:
        assert self._file is not None, "close() before open()"
        with self._file:
            for span in self._gathered.rest():
                self._write_span(span)

    def _write_span(self, span: Span) -> None:
        corners = (value for point in span.first for value in point)
        stream, text = defused(span.stream), defused(span.text)
        self._write_row((stream, span.track, span.start, span.end, text, span.confidence, *corners))

    def _write_row(self, row: tuple[object, ...]) -> None:
        assert self._file is not None, "write() before open()"
        csv.writer(self._file).writerow(row)
        self._file.flush()


def defused(text: str) -> str:
    """The text as a spreadsheet shows it, and does not take it for a formula: an apostrophe goes before one."""
    return f"'{text}" if _FORMULA.match(text) else text
