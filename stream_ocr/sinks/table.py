"""CSV for spreadsheets: one row per text, from its first frame to its last."""

import csv
from pathlib import Path
from typing import TextIO

from stream_ocr.errors import SinkError
from stream_ocr.events import Event
from stream_ocr.sinks.base import reason, refuse_directory
from stream_ocr.spans import Span, Spans

HEADER = ("stream", "track", "start", "end", "text", "confidence", "x0", "y0", "x1", "y1", "x2", "y2", "x3", "y3")


class CsvSink:
    """Writes the row of a text when it ends; the corners are those of its first frame."""

    def __init__(self, path: str | Path) -> None:
        self.name = str(path)
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
        self._write_row((span.stream, span.track, span.start, span.end, span.text, span.confidence, *corners))

    def _write_row(self, row: tuple[object, ...]) -> None:
        assert self._file is not None, "write() before open()"
        csv.writer(self._file).writerow(row)
        self._file.flush()
