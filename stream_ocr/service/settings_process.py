"""Reading of the settings file of a run in a process of its own, with limits of time and memory.

Whatever the file contains, and whatever it refers to (a pipe as ``url_file``, a pattern that takes gigabytes to
compile), the run goes on with the settings that it has.
"""

import os
import resource
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
from pydantic import ValidationError

from stream_ocr.config.settings import Settings
from stream_ocr.errors import SettingsError, StreamOcrError
from stream_ocr.printable import escape_unprintable
from stream_ocr.service.thresholds import THRESHOLDS


class _Outcome(msgspec.Struct):
    settings: dict[str, Any] | None = None
    mistake: str | None = None


class SettingsProcess:
    """Reads a settings file once. Close it in any case."""

    def __init__(self, path: Path, overrides: Sequence[str]) -> None:
        """Start the process. overrides: "name=value" settings that take precedence over the file. Raises OSError."""
        self._path = path
        self._output = os.memfd_create("settings", os.MFD_CLOEXEC)
        try:
            self._popen = subprocess.Popen(
                # -P and PYTHONPATH: the same modules as in this process, and none in the current folder.
                [sys.executable, "-P", "-m", __name__, str(path), *overrides],
                stdin=subprocess.DEVNULL,
                stdout=self._output,
                stderr=subprocess.DEVNULL,
                process_group=0,  # Ctrl-C goes to the program only
                env={**os.environ, "PYTHONPATH": os.pathsep.join(entry or str(Path.cwd()) for entry in sys.path)},
            )
        except BaseException:
            os.close(self._output)
            raise

    def close(self) -> None:
        """End the process if it still runs."""
        self._popen.kill()
        self._popen.wait()
        os.close(self._output)

    def poll(self) -> Settings | None:
        """Return the settings once they are read. Raises SettingsError if they are wrong or took too much to read."""
        if self._popen.poll() is None:
            return None
        try:
            outcome = msgspec.json.decode(os.pread(self._output, THRESHOLDS.max_settings_bytes, 0), type=_Outcome)
            if outcome.settings is not None:
                return Settings.model_validate(outcome.settings)
        except (msgspec.DecodeError, UnicodeDecodeError, ValidationError) as error:
            raise SettingsError(
                f"{self._path} cannot be read within {THRESHOLDS.settings_timeout_s} seconds; make it simpler, and name"
                " no pipes in it."
            ) from error
        raise SettingsError(outcome.mistake or f"{self._path} cannot be read.")


def _main(path: str, overrides: list[str]) -> None:
    """Read the file, and write the outcome to standard output as JSON."""
    signal.alarm(THRESHOLDS.settings_timeout_s)  # ends this process even if it is blocked and nobody waits for it
    resource.setrlimit(resource.RLIMIT_AS, (THRESHOLDS.settings_memory_bytes,) * 2)
    outcome = _Outcome()
    try:
        settings = Settings.load(Path(path), overrides)
        settings.check_files()
        outcome.settings = settings.for_workers()
    except StreamOcrError as error:
        outcome.mistake = str(error)
    except MemoryError:
        limit = f"{THRESHOLDS.settings_memory_bytes >> 20} MiB"
        outcome.mistake = f"{escape_unprintable(path)} needs more than {limit} of memory to read; make it simpler."
    sys.stdout.buffer.write(msgspec.json.encode(outcome))


if __name__ == "__main__":
    _main(sys.argv[1], sys.argv[2:])
