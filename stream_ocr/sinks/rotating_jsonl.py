"""JSON lines in a file that is rotated by size or by day."""

import gzip
import os
import re
import shutil
import threading
from datetime import UTC, date, datetime
from pathlib import Path

from stream_ocr.config.sinks import JsonlSettings
from stream_ocr.errors import EventsLostError, SinkError
from stream_ocr.events import Event
from stream_ocr.logs import get_logger
from stream_ocr.sinks.append_file import AppendFile
from stream_ocr.sinks.base import check_output_path, describe_error
from stream_ocr.sinks.thresholds import THRESHOLDS

log = get_logger(__name__)


class RotatingJsonlSink:
    """Writes events.jsonl and rotates it to events.2026-11-21.0001.jsonl, or .jsonl.gz.

    The day is that of the last line, in UTC. Rotation is a rename, so no line is ever missing or in two files. A thread
    compresses rotated files; the plain file is removed once the compressed one is complete.
    """

    def __init__(self, settings: JsonlSettings) -> None:
        self.name = settings.label
        self._settings, self._path = settings, settings.path
        stem, suffix = re.escape(self._path.stem), re.escape(self._path.suffix)
        self._rotated_name = re.compile(rf"{stem}\.(\d{{4}}-\d\d-\d\d)\.(\d{{4,}}){suffix}(?:\.gz)?")
        self._file: AppendFile | None = None
        self._day = date.min
        self._cleanup_thread: threading.Thread | None = None
        self._cleanup_pending = False

    def open(self) -> None:
        check_output_path(self._path)
        try:
            self._open_file()
            for part in self._path.parent.glob("*.gz.part"):
                if self._rotated_name.fullmatch(part.name.removesuffix(".part")):
                    part.unlink()  # left by a run that was killed
        except OSError as error:
            raise SinkError(f"{self._path} cannot be written: {describe_error(error)}.") from error
        self._start_cleanup()

    def write(self, event: Event) -> None:
        line = event.to_json()
        try:
            self._file_for(len(line) + 1).append(line)
        except OSError as error:  # a full disk may have space again later
            raise EventsLostError(f"{self._path} cannot be written: {describe_error(error)}") from error

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None
        if self._cleanup_thread is not None:
            self._cleanup_thread.join()
        if self._cleanup_pending:
            self._clean_up()

    def _open_file(self) -> AppendFile:
        self._file = AppendFile(self._path)
        self._day = datetime.fromtimestamp(self._path.stat().st_mtime, UTC).date()
        return self._file

    def _file_for(self, line_bytes: int) -> AppendFile:
        """Return the file for a line of that size; rotate first where it is due."""
        file = self._file or self._open_file()
        today, largest = datetime.now(UTC).date(), self._settings.max_bytes
        full = largest is not None and file.size + line_bytes > largest
        if file.size and (full or (self._settings.daily and today != self._day)):
            self._path.rename(self._next_name())
            file.close()
            self._file = None
            file = self._open_file()
            self._start_cleanup()
        self._day = today
        return file

    def _next_name(self) -> Path:
        """Return the next rotated name of the day. Numbers rise, so names sort by age."""
        number = max((number for day, number, _ in self._rotated() if day == str(self._day)), default=0) + 1
        return self._path.with_name(f"{self._path.stem}.{self._day}.{number:04d}{self._path.suffix}")

    def _rotated(self) -> list[tuple[str, int, Path]]:
        """Return day, number and path of the rotated files, oldest first."""
        found = ((self._rotated_name.fullmatch(path.name), path) for path in self._path.parent.iterdir())
        return sorted((name[1], int(name[2]), path) for name, path in found if name is not None)

    def _start_cleanup(self) -> None:
        """Compress and remove rotated files in a thread, so that neither blocks ``write``."""
        if self._cleanup_thread is not None and self._cleanup_thread.is_alive():
            self._cleanup_pending = True  # for the next rotation, or ``close``
            return
        self._cleanup_pending = False
        self._cleanup_thread = threading.Thread(target=self._clean_up, name=f"clean up {self.name}", daemon=True)
        self._cleanup_thread.start()

    def _clean_up(self) -> None:
        try:
            if self._settings.keep is not None:
                for _, _, path in self._rotated()[: -self._settings.keep]:
                    path.unlink()
            if self._settings.compress == "gzip":
                for _, _, path in self._rotated():
                    if path.suffix != ".gz":
                        _compress(path)
        except OSError as error:
            log.error("rotated files cannot be cleaned up", sink=self.name, reason=describe_error(error))


def _compress(path: Path) -> None:
    whole = path.with_name(f"{path.name}.gz")
    part = whole.with_name(f"{whole.name}.part")
    with path.open("rb") as lines, part.open("wb") as raw:
        with gzip.GzipFile(path.name, "wb", fileobj=raw) as compressed:
            shutil.copyfileobj(lines, compressed, THRESHOLDS.compress_chunk_bytes)
        raw.flush()
        os.fsync(raw.fileno())
    part.rename(whole)
    path.unlink()
