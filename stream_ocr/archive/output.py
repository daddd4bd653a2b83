"""The output folder of an archive. A unit's output appears there complete, by one rename, or not at all.

    units/FOLDERS/FILE.ocr/        events.jsonl, unit.json, and subtitles or tables
    quarantine/FOLDERS/FILE.ocr/   failure.json, and the events up to the failure
    attempts/                      what is being written

Everything is one small file per unit, so that several machines can share the folder over a network file system.
"""

import json
import re
import shutil
import time
import uuid
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

from stream_ocr.archive.thresholds import THRESHOLDS
from stream_ocr.archive.unit import Unit
from stream_ocr.errors import SinkError
from stream_ocr.sinks.base import describe_error

EVENTS = "events.jsonl"
_UNIT, _FAILURE = "unit.json", "failure.json"
_SUFFIX = ".ocr"
_ESCAPED = re.compile(r"[%\x00-\x1f\x7f]|^\.|\.(?=ocr$)")


@dataclass(frozen=True, slots=True)
class Failure:
    """A file that could not be read. deaths: how many processes died of it."""

    key: str
    stream: str
    sentence: str
    failures: int = 0
    deaths: int = 0

    @property
    def is_final(self) -> bool:
        """Return True if the file is not tried again."""
        return self.failures >= THRESHOLDS.max_failures or self.deaths >= THRESHOLDS.max_deaths


class Output:
    """The output folder. formats: names of the files of each unit."""

    def __init__(self, folder: Path, formats: Collection[str] = (EVENTS,)) -> None:
        self.folder, self.formats = folder.absolute(), tuple(formats)

    def prepare(self) -> None:
        """Create the folder and remove what killed processes have left. Raise SinkError."""
        try:
            self._attempts.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise SinkError(f"{self.folder} cannot be created: {describe_error(error)}.") from error
        stale_s = time.time() - THRESHOLDS.stale_attempt_s
        for attempt in self._attempts.iterdir():
            with suppress(FileNotFoundError):  # another run has removed or published it
                if max(path.stat().st_mtime for path in (attempt, *attempt.iterdir())) < stale_s:
                    shutil.rmtree(attempt, ignore_errors=True)

    def is_done(self, unit: Unit) -> bool:
        """Return True if the unit has been published with all formats."""
        folder = self.unit_folder(unit.stream)
        return _read(folder / _UNIT).get("key") == unit.key and all((folder / name).exists() for name in self.formats)

    def new_attempt(self) -> Path:
        """Return a new folder for the output of a unit."""
        folder = self._attempts / uuid.uuid4().hex
        folder.mkdir(parents=True)
        return folder

    def publish(self, unit: Unit, attempt: Path, facts: Mapping[str, Any], *, force: bool = False) -> bool:
        """Move a complete attempt to its place; return False if another process has been faster.

        force: replace a finished output of the same key as well.
        """
        record = {"key": unit.key, "stream": unit.stream, **facts}
        (attempt / _UNIT).write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
        target = self.unit_folder(unit.stream)
        if force or not self.is_done(unit):
            self._remove(target)
        published = self._rename(attempt, target)
        self._remove(self._quarantine_folder(unit.stream))
        return published

    def record_failure(self, unit: Unit, sentence: str, *, died: bool = False, attempt: Path | None = None) -> Failure:
        """Count a failure of a unit and keep the events up to it."""
        last = self.failure(unit) or Failure(unit.key, unit.stream, "")
        failure = Failure(unit.key, unit.stream, sentence, last.failures + (not died), last.deaths + died)
        attempt = attempt or self.new_attempt()
        (attempt / _FAILURE).write_text(json.dumps(asdict(failure), indent=1) + "\n", encoding="utf-8")
        target = self._quarantine_folder(unit.stream)
        self._remove(target)
        self._rename(attempt, target)
        return failure

    def failure(self, unit: Unit) -> Failure | None:
        """Return the recorded failure of a unit, if any."""
        record = _read(self._quarantine_folder(unit.stream) / _FAILURE)
        return Failure(**record) if record.get("key") == unit.key else None

    def forget_failure(self, unit: Unit) -> None:
        """Try a unit again from the start."""
        self._remove(self._quarantine_folder(unit.stream))

    def unit_folder(self, stream: str) -> Path:
        """Return the folder of a unit, a different one for each stream name."""
        return self.folder.joinpath("units", *_parts(stream))

    def _quarantine_folder(self, stream: str) -> Path:
        return self.folder.joinpath("quarantine", *_parts(stream))

    @property
    def _attempts(self) -> Path:
        return self.folder / "attempts"

    def _rename(self, attempt: Path, target: Path) -> bool:
        """Move an attempt to a place that is free; remove it if the place is taken."""
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            attempt.rename(target)
        except OSError:
            if not target.is_dir():
                raise
            shutil.rmtree(attempt, ignore_errors=True)
            return False
        return True

    def _remove(self, folder: Path) -> None:
        """Remove a folder at once: readers see all of it or nothing."""
        bin_ = self._attempts / uuid.uuid4().hex
        try:
            folder.rename(bin_)
        except FileNotFoundError:
            return
        shutil.rmtree(bin_, ignore_errors=True)


def _parts(stream: str) -> Iterator[str]:
    """Yield the folders of a stream name; different names have different folders.

    Folders of units end in .ocr, others do not, so that no unit lies in the folder of another one.
    """
    *folders, name = stream.split("/")
    for folder in folders:
        yield _shortened(_ESCAPED.sub(_escape, folder) or "%")
    yield _shortened(re.sub(r"[%\x00-\x1f\x7f]|^\.", _escape, name) or "%") + _SUFFIX


def _escape(found: re.Match[str]) -> str:
    return f"%{ord(found[0]):02X}"


def _shortened(part: str) -> str:
    """Return a name that file systems allow; a long one with a digest in place of its end."""
    encoded = part.encode()
    if len(encoded) <= THRESHOLDS.max_name_bytes:
        return part
    kept = encoded[: THRESHOLDS.max_name_bytes].decode(errors="ignore")
    return f"{kept}%{blake2b(encoded, digest_size=8).hexdigest()}"


def _read(path: Path) -> dict[str, Any]:
    """Return the object in a small JSON file; empty if there is none."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}
