"""One JSON object per line, each written at once, so that a kill keeps what was written."""

import io
import json
import os
import sys
from pathlib import Path

from stream_ocr.errors import SinkError
from stream_ocr.events import Event
from stream_ocr.sinks.base import reason, refuse_directory
from stream_ocr.sinks.console import harmless


class JsonlSink:
    """Events to a file, or to standard output where the path is ``-``."""

    def __init__(self, path: str | Path) -> None:
        self.name = str(path)
        self._file: io.FileIO | None = None

    def open(self) -> None:
        try:
            if self.name == "-":
                self._file = io.FileIO(os.dup(sys.stdout.fileno()), "wb")
            else:
                refuse_directory(Path(self.name))
                self._file = io.FileIO(self.name, "wb")
        except OSError as error:
            raise SinkError(f"{self.name} cannot be written: {reason(error)}.") from error

    def write(self, event: Event) -> None:
        assert self._file is not None, "write() before open()"
        # Unbuffered: a pipe that was closed or a full disk is noticed here, not when the program ends.
        line = event.to_json()
        left = memoryview((tame(line) if self._file.isatty() else line) + b"\n")
        while left:
            left = left[self._file.write(left) :]

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None


def tame(line: bytes) -> bytes:
    """The same JSON with what could play with a terminal escaped, as JSON itself does it."""
    return "".join(char if harmless(char) else json.dumps(char)[1:-1] for char in line.decode()).encode()
