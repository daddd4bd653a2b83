"""JSON lines over months: a file that is added to, and put aside when it is large or a day old."""

import gzip
import os
import re
import shutil
import threading
from datetime import UTC, date, datetime
from pathlib import Path

import structlog

from stream_ocr.config.sinks import JsonlSettings
from stream_ocr.errors import EventsLostError, SinkError
from stream_ocr.events import Event
from stream_ocr.sinks.append_file import AppendFile
from stream_ocr.sinks.base import reason, refuse_directory

log = structlog.get_logger(__name__)


class RotatingJsonlSink:
    """events.jsonl, and beside it what was put aside: events.2026-11-21.0001.jsonl, or .jsonl.gz.

    The day is that of the last line, in UTC. Putting aside is a rename, so that no line is ever missing or in two
    files; compressing is done beside, and the plain file goes when the compressed one is whole.
    """

    def __init__(self, settings: JsonlSettings) -> None:
        self.name = settings.label
        self._settings, self._path = settings, settings.path
        stem, suffix = re.escape(self._path.stem), re.escape(self._path.suffix)
        self._put_aside = re.compile(rf"{stem}\.(\d{{4}}-\d\d-\d\d)\.(\d{{4,}}){suffix}(?:\.gz)?")
        self._file: AppendFile | None = None
        self._day = date.min
        self._beside: threading.Thread | None = None
        self._left_over = False

    def open(self) -> None:
        refuse_directory(self._path)
        try:
            self._begin()
            for part in self._path.parent.glob("*.gz.part"):
                if self._put_aside.fullmatch(part.name.removesuffix(".part")):
                    part.unlink()  # of a run that was killed
        except OSError as error:
            raise SinkError(f"{self._path} cannot be written: {reason(error)}.") from error
        self._tidy()

    def write(self, event: Event) -> None:
        line = event.to_json()
        try:
            self._fitting(len(line) + 1).append(line)
        except OSError as error:  # a full disk may have room again later
            raise EventsLostError(f"{self._path} cannot be written: {reason(error)}") from error

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None
        if self._beside is not None:
            self._beside.join()
        if self._left_over:
            self._tidy_up()

    def _begin(self) -> AppendFile:
        self._file = AppendFile(self._path)
        self._day = datetime.fromtimestamp(self._path.stat().st_mtime, UTC).date()
        return self._file

    def _fitting(self, coming_bytes: int) -> AppendFile:
        """The file that a line of that size goes to."""
        file = self._file or self._begin()
        today, largest = datetime.now(UTC).date(), self._settings.max_bytes
        full = largest is not None and file.size + coming_bytes > largest
        if file.size and (full or (self._settings.daily and today != self._day)):
            self._path.rename(self._free_name())
            file.close()
            self._file = None
            file = self._begin()
            self._tidy()
        self._day = today
        return file

    def _free_name(self) -> Path:
        """Numbers of a day go up, so that names sort by age."""
        number = max((number for day, number, _ in self._aside() if day == str(self._day)), default=0) + 1
        return self._path.with_name(f"{self._path.stem}.{self._day}.{number:04d}{self._path.suffix}")

    def _aside(self) -> list[tuple[str, int, Path]]:
        """Day, number and path of the files that were put aside, the oldest first."""
        found = ((self._put_aside.fullmatch(path.name), path) for path in self._path.parent.iterdir())
        return sorted((name[1], int(name[2]), path) for name, path in found if name is not None)

    def _tidy(self) -> None:
        """Compress and remove what is due, in a thread: neither may hold up an event."""
        if self._beside is not None and self._beside.is_alive():
            self._left_over = True  # for the next time, or the end
            return
        self._left_over = False
        self._beside = threading.Thread(target=self._tidy_up, name=f"tidy {self.name}", daemon=True)
        self._beside.start()

    def _tidy_up(self) -> None:
        try:
            if self._settings.keep is not None:
                for _, _, path in self._aside()[: -self._settings.keep]:
                    path.unlink()
            if self._settings.compress == "gzip":
                for _, _, path in self._aside():
                    if path.suffix != ".gz":
                        _compress(path)
        except OSError as error:
            log.error("files put aside cannot be tidied", sink=self.name, reason=reason(error))


def _compress(path: Path) -> None:
    whole = path.with_name(f"{path.name}.gz")
    part = whole.with_name(f"{whole.name}.part")
    with path.open("rb") as lines, part.open("wb") as raw:
        with gzip.GzipFile(path.name, "wb", fileobj=raw) as packed:
            shutil.copyfileobj(lines, packed, 1 << 20)
        raw.flush()
        os.fsync(raw.fileno())
    part.rename(whole)
    path.unlink()
