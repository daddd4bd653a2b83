"""Start, stop and disturb the RTSP camera, for tests and benchmarks."""

import json
import os
import signal
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

PROGRAM = Path(__file__).with_name("camera.py")
PYTHON = "/usr/bin/python3"  # has the GStreamer bindings of Debian
PACKAGES = Path(__file__).with_name("packages").read_text().split()


class Camera:
    """A running camera. ``url`` is its address, with user and password if it has them."""

    def __init__(self, clip: Path, **options: Any) -> None:
        """options: see camera.py."""
        self._options = {"clip": str(clip), "port": 0, **options}
        self.restart()

    @property
    def url(self) -> str:
        user = f"{self._options['user']}:{self._options['password']}@" if self._options.get("user") else ""
        scheme = "rtsps" if self._options.get("certificate") else "rtsp"
        host = self._options.get("host", "127.0.0.1")
        return f"{scheme}://{user}{f'[{host}]' if ':' in host else host}:{self._options['port']}/live"

    def restart(self, **options: Any) -> None:
        """Start the camera again on the same port, optionally with other options."""
        self._options |= options
        self.process = subprocess.Popen(
            [PYTHON, str(PROGRAM)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self._write(json.dumps(self._options))
        port = self._read()
        assert port, "the camera could not be started"
        self._options["port"] = int(port)

    def do(self, fault: str) -> None:
        """Start a fault."""
        self._write(fault)
        assert self._read() == "done"

    def freeze(self) -> None:
        """Suspend the camera: it sends nothing and closes no connection."""
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Resume the camera."""
        self.process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """Kill the camera."""
        self.process.kill()
        self.process.communicate()

    def _write(self, line: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def _read(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()


@cache
def missing_for_cameras() -> str | None:
    """Return why no camera can run on this machine and how to fix it; None if one can."""
    remedy = f"on Debian: apt-get install --no-install-recommends {' '.join(PACKAGES)}"
    if not os.access(PYTHON, os.X_OK):
        return f"the RTSP camera of the tests needs {PYTHON}; {remedy}"
    check = subprocess.run([PYTHON, str(PROGRAM), "--check"], capture_output=True, text=True, check=False)
    if check.returncode == 0:
        return None
    return f"the RTSP camera of the tests needs {check.stderr.strip().splitlines()[-1]}; {remedy}"
