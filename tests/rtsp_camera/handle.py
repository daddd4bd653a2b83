"""Switches the RTSP camera on and off, and begins its faults; for tests and benchmarks."""

import json
import os
import signal
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

PROGRAM = Path(__file__).with_name("camera.py")
PYTHON = "/usr/bin/python3"  # which Debian's bindings of GStreamer belong to
PACKAGES = Path(__file__).with_name("packages").read_text().split()


class Camera:
    """A camera that runs. ``url`` is where; with its user and password, where it has them."""

    def __init__(self, clip: Path, **told: Any) -> None:
        """told: as camera.py describes it."""
        self._told = {"clip": str(clip), "port": 0, **told}
        self.restart()

    @property
    def url(self) -> str:
        user = f"{self._told['user']}:{self._told['password']}@" if self._told.get("user") else ""
        scheme = "rtsps" if self._told.get("certificate") else "rtsp"
        return f"{scheme}://{user}127.0.0.1:{self._told['port']}/live"

    def restart(self, **told: Any) -> None:
        """Switch it on again, on the same port, and perhaps with other features."""
        self._told |= told
        self.process = subprocess.Popen(
            [PYTHON, str(PROGRAM)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self._write(json.dumps(self._told))
        port = self._read()
        assert port, "the camera could not be switched on"
        self._told["port"] = int(port)

    def do(self, fault: str) -> None:
        """Begin a fault."""
        self._write(fault)
        assert self._read() == "done"

    def freeze(self) -> None:
        """Nothing is sent any more, and no connection is closed."""
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Go on."""
        self.process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """Switch it off."""
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
    """Why no camera can be switched on here, and what to do about it."""
    remedy = f"on Debian: apt-get install --no-install-recommends {' '.join(PACKAGES)}"
    if not os.access(PYTHON, os.X_OK):
        return f"there is no {PYTHON} for the RTSP camera of the tests; {remedy}"
    check = subprocess.run([PYTHON, str(PROGRAM), "--check"], capture_output=True, text=True, check=False)
    if check.returncode == 0:
        return None
    return f"the RTSP camera of the tests lacks {check.stderr.strip().splitlines()[-1]}; {remedy}"
