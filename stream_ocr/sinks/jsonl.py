"""JSON lines, each written immediately, so that a kill loses nothing that was written."""

import io
import json
import os
import sys
from pathlib import Path

from stream_ocr.errors import SinkError
from stream_ocr.events import Event
from stream_ocr.sinks.base import check_output_path, describe_error
from stream_ocr.sinks.console import is_printable


class JsonlSink:
    """Writes events to a file, or to standard output where the path is ``-``."""

    def __init__(self, path: str | Path) -> None:
        self.name = str(path)
        self._file: io.FileIO | None = None

    def open(self) -> None:
        try:
            if self.name == "-":
                self._file = io.FileIO(os.dup(sys.stdout.fileno()), "wb")
            else:
                check_output_path(Path(self.name))
                self._file = io.FileIO(self.name, "wb")
        except OSError as error:
            raise SinkError(f"{self.name} cannot be written: {describe_error(error)}.") from error

    def write(self, event: Event) -> None:
        assert self._file is not None, "write() before open()"
        # Unbuffered: a closed pipe or a full disk is detected here, not when the program ends.
        line = event.to_json()
        left = memoryview((escape_json(line) if self._file.isatty() else line) + b"\n")
        while left:
            left = left[self._file.write(left) :]

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


def escape_json(line: bytes) -> bytes:
    """Escape characters that could control a terminal, as JSON does; the result is equivalent JSON."""
    return "".join(char if is_printable(char) else json.dumps(char)[1:-1] for char in line.decode()).encode()
