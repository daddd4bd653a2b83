"""Reading of the settings file of a run in a process of its own, with limits of time and memory.

Whatever the file contains, and whatever it refers to (a pipe as ``url_file``, a pattern that takes gigabytes to
compile), the run goes on with the settings that it has.
"""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
from pydantic import ValidationError

from stream_ocr.config.settings import Settings
from stream_ocr.errors import SettingsError, StreamOcrError
from stream_ocr.printable import escape_unprintable
from stream_ocr.service.limited_process import LimitedProcess, apply_limits
from stream_ocr.service.thresholds import THRESHOLDS


class _Outcome(msgspec.Struct):
    settings: dict[str, Any] | None = None
    mistake: str | None = None


class SettingsProcess:
    """Reads a settings file once. Close it in any case."""

    def __init__(self, path: Path, overrides: Sequence[str]) -> None:
        """Start the process. overrides: "name=value" settings that take precedence over the file. Raises OSError."""
        self._path = path
        self._process = LimitedProcess(__name__, [str(path), *overrides])

    def close(self) -> None:
        """End the process if it still runs."""
        self._process.close()

    def poll(self) -> Settings | None:
        """Return the settings once they are read. Raises SettingsError if they are wrong or took too much to read."""
        if (output := self._process.poll()) is None:
            return None
        try:
            outcome = msgspec.json.decode(output, type=_Outcome)
            if outcome.settings is not None:
                return Settings.model_validate(outcome.settings)
        except (msgspec.DecodeError, UnicodeDecodeError, ValidationError) as error:
            raise too_much(self._path) from error
        raise SettingsError(outcome.mistake or f"{self._path} cannot be read.")


def too_much(path: Path) -> SettingsError:
    """Return the error for a file that could not be read within the limits of time."""
    return SettingsError(
        f"{path} cannot be read within {THRESHOLDS.settings_timeout_s} seconds; make it simpler, and name"
        " no pipes in it."
    )


def needs_memory(path: str) -> str:
    """Return the sentence for a file that could not be read within the limits of memory."""
    limit = f"{THRESHOLDS.settings_memory_bytes >> 20} MiB"
    return f"{escape_unprintable(path)} needs more than {limit} of memory to read; make it simpler."


def _main(path: str, overrides: list[str]) -> None:
    """Read the file, and write the outcome to standard output as JSON."""
    apply_limits()
    outcome = _Outcome()
    try:
        settings = Settings.load(Path(path), overrides)
        settings.check_files()
        outcome.settings = settings.for_workers()
    except StreamOcrError as error:
        outcome.mistake = str(error)
    except MemoryError:
        outcome.mistake = needs_memory(path)
    sys.stdout.buffer.write(msgspec.json.encode(outcome))


if __name__ == "__main__":
    _main(sys.argv[1], sys.argv[2:])
