"""CSV for spreadsheets: one row per text, from its first frame to its last."""

import csv
import re
from contextlib import suppress
from pathlib import Path
from typing import TextIO

from stream_ocr.errors import SinkError
from stream_ocr.events import Event
from stream_ocr.events.spans import Span, SpanBuilder
from stream_ocr.sinks.base import check_output_path, describe_error

HEADER = ("stream", "track", "start", "end", "text", "confidence", "x0", "y0", "x1", "y1", "x2", "y2", "x3", "y3")
# Starts a formula in Excel, LibreOffice or Google Sheets; full-width forms and leading blanks included.
_FORMULA = re.compile(r"[\s\x00-\x1f\ufeff]*[=+\-@|%＝＋－＠]|[\t\r\n]")


class CsvSink:
    """Writes the row of a text when it ends. The corners are those of its first frame."""

    def __init__(self, path: str | Path, *, name: str | None = None) -> None:
        self.name = name or str(path)
        self._path = Path(path)
        self._spans = SpanBuilder()
        self._file: TextIO | None = None

    def open(self) -> None:
        check_output_path(self._path)
        try:
            self._file = self._path.open("w", newline="", encoding="utf-8")
            self._write_row(HEADER)
        except OSError as error:  # a full disk, too
            with suppress(OSError):
                self.close()
            raise SinkError(f"{self._path} cannot be written: {describe_error(error)}.") from error

    def write(self, event: Event) -> None:
        for span in self._spans.add(event):
            self._write_span(span)

    def close(self) -> None:
        if self._file is None:
            return
        with self._file:
            for span in self._spans.finish():
                self._write_span(span)

    def _write_span(self, span: Span) -> None:
        corners = (value for point in span.first_polygon for value in point)
        stream, text = escape_formula(span.stream), escape_formula(span.text)
        self._write_row((stream, span.track, span.start, span.end, text, span.confidence, *corners))

    def _write_row(self, row: tuple[object, ...]) -> None:
        assert self._file is not None, "write() before open()"
        csv.writer(self._file).writerow(row)
        self._file.flush()


def escape_formula(text: str) -> str:
    """Prefix text that a spreadsheet would evaluate as a formula with an apostrophe."""
    return f"'{text}" if _FORMULA.match(text) else text
