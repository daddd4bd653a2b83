"""A short-lived process for work on a settings file, with limits of time and memory."""

import os
import resource
import signal
import subprocess
from collections.abc import Sequence
from contextlib import ExitStack

from stream_ocr.runtime.python_process import module_command, module_environment
from stream_ocr.service.thresholds import THRESHOLDS


class LimitedProcess:
    """Runs ``python -m MODULE ARGUMENTS``; the module calls ``apply_limits`` first. Close it in any case."""

    def __init__(self, module: str, arguments: Sequence[str], data: bytes = b"") -> None:
        """Start the process. data: its standard input. Raises OSError."""
        with ExitStack() as opened:
            self._output = os.memfd_create("settings", os.MFD_CLOEXEC)
            opened.callback(os.close, self._output)
            with os.fdopen(os.memfd_create("input", os.MFD_CLOEXEC), "w+b") as given:
                given.write(data)
                given.seek(0)
                self._popen = subprocess.Popen(
                    module_command(module, *arguments),
                    stdin=given,
                    stdout=self._output,
                    stderr=subprocess.DEVNULL,
                    process_group=0,  # Ctrl-C goes to the program only
                    env=module_environment(),
                )
            opened.pop_all()

    def close(self) -> None:
        """End the process if it still runs."""
        self._popen.kill()
        self._popen.wait()
        os.close(self._output)

    def poll(self) -> bytes | None:
        """Return what it has written, once it has ended."""
        return None if self._popen.poll() is None else self._read()

    def wait(self) -> bytes:
        """Return what it has written, once it has ended."""
        self._popen.wait()
        return self._read()

    def _read(self) -> bytes:
        return os.pread(self._output, THRESHOLDS.max_settings_bytes, 0)


def apply_limits() -> None:
    """Limit time and memory of this process."""
    signal.alarm(THRESHOLDS.settings_timeout_s)  # ends this process even if it is blocked and nobody waits for it
    resource.setrlimit(resource.RLIMIT_AS, (THRESHOLDS.settings_memory_bytes,) * 2)
