"""Editor of the areas of cameras for the dashboard: each piece of work in a process of its own, with limits.

The web process neither parses YAML nor writes the file.
"""

import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec

from stream_ocr.errors import SettingsConflictError, SettingsError, StreamOcrError
from stream_ocr.service import settings_file
from stream_ocr.service.limited_process import LimitedProcess, apply_limits
from stream_ocr.service.settings_process import needs_memory, too_much


class _Request(msgspec.Struct):
    """Work for the process. camera: None to describe the areas of all."""

    path: str
    overrides: list[str]
    camera: str | None = None
    areas: dict[str, Any] = {}
    version: str = ""


class _Outcome(msgspec.Struct):
    result: msgspec.Raw = msgspec.Raw(b"null")
    mistake: str | None = None
    is_conflict: bool = False


class AreaEditor:
    """Reads and changes areas in the settings file of a run. Its methods wait, at most ``settings_timeout_s``."""

    def __init__(self, path: Path, overrides: Sequence[str]) -> None:
        """overrides: "name=value" settings that take precedence over the file."""
        self._path, self._overrides = path, list(overrides)
        self._described: tuple[str | None, bytes] | None = None  # version of the file, and the answer

    def describe(self) -> bytes:
        """Return the areas of all cameras as JSON. Raises SettingsError."""
        version = settings_file.file_version(self._path)
        if self._described is None or self._described[0] != version:
            self._described = version, self._run(_Request(str(self._path), self._overrides))
        return self._described[1]

    def save(self, camera: str, areas: dict[str, Any], version: str) -> bytes:
        """Change the areas of a camera, as ``area_edits.save`` does, and return the new version as JSON."""
        return self._run(_Request(str(self._path), self._overrides, camera, areas, version))

    def _run(self, request: _Request) -> bytes:
        try:
            process = LimitedProcess(__name__, [], msgspec.json.encode(request))
        except OSError as error:
            raise SettingsError(f"No process can start to read {self._path}: {error.strerror}.") from error
        with closing(process):
            try:
                outcome = msgspec.json.decode(process.wait(), type=_Outcome)
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                raise too_much(self._path) from error
        if outcome.mistake is None:
            return bytes(outcome.result)
        raise (SettingsConflictError if outcome.is_conflict else SettingsError)(outcome.mistake)


def _main() -> None:
    """Do the work on standard input, and write the outcome to standard output."""
    from stream_ocr.service import area_edits  # imports PyYAML, which the web process does not need

    apply_limits()
    request = msgspec.json.decode(sys.stdin.buffer.read(), type=_Request)
    outcome = _Outcome()
    path = Path(request.path)
    try:
        if request.camera is None:
            result = area_edits.describe(path, request.overrides)
        else:
            result = area_edits.save(path, request.overrides, request.camera, request.areas, request.version)
        outcome.result = msgspec.Raw(msgspec.json.encode(result))
    except StreamOcrError as error:
        outcome = _Outcome(mistake=str(error), is_conflict=isinstance(error, SettingsConflictError))
    except MemoryError:
        outcome = _Outcome(mistake=needs_memory(request.path))
    sys.stdout.buffer.write(msgspec.json.encode(outcome))


if __name__ == "__main__":
    _main()
