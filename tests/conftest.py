"""A test that leaves a process, a ZeroMQ context or shared memory behind fails. A real RTSP camera for tests."""

import json
import multiprocessing
import os
import signal
import socket
import subprocess
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import psutil
import pytest

SHARED_MEMORY = Path("/dev/shm")
THREADS = Path("/proc/self/task")

CAMERA = Path(__file__).parent / "rtsp_camera" / "camera.py"
CAMERA_PYTHON = "/usr/bin/python3"  # which Debian's bindings of GStreamer belong to
CAMERA_PACKAGES = (Path(__file__).parent / "rtsp_camera" / "packages").read_text().split()


@pytest.fixture(autouse=True)
def leaves_nothing_behind() -> Iterator[None]:
    before = _held()
    yield
    left = _held() - before
    assert not left, f"left behind: {', '.join(sorted(left))}"


class Camera:
    """A camera that runs. ``url`` is where; with its user and password, where it has them."""

    def __init__(self, clip: Path, **told: Any) -> None:
        """told: as rtsp_camera/camera.py describes it."""
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
            [CAMERA_PYTHON, str(CAMERA)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
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


@pytest.fixture
def camera() -> Iterator[Callable[..., Camera]]:
    """Switches cameras on: ``camera(clip, **told)``."""
    if missing := _missing_for_cameras():
        pytest.skip(f"{missing}; on Debian: apt-get install --no-install-recommends {' '.join(CAMERA_PACKAGES)}")
    cameras: list[Camera] = []

    def start(clip: Path, **told: Any) -> Camera:
        cameras.append(Camera(clip, **told))
        return cameras[-1]

    yield start
    for camera in cameras:
        camera.kill()


@cache
def _missing_for_cameras() -> str | None:
    if not os.access(CAMERA_PYTHON, os.X_OK):
        return f"there is no {CAMERA_PYTHON} for the RTSP camera of the tests"
    check = subprocess.run([CAMERA_PYTHON, str(CAMERA), "--check"], capture_output=True, text=True, check=False)
    return f"the RTSP camera of the tests lacks {check.stderr.strip().splitlines()[-1]}" if check.returncode else None


@pytest.fixture
def endpoint() -> str:
    """One whose port, and the next one, are free."""
    while True:
        with socket.socket() as one, socket.socket() as other:
            one.bind(("127.0.0.1", 0))
            port = one.getsockname()[1]
            try:
                other.bind(("127.0.0.1", port + 1))
            except (OSError, OverflowError):
                continue
        return f"tcp://127.0.0.1:{port}"


def _held() -> set[str]:
    return {*_children(), *_contexts(), *_memory()}


def _children() -> Iterator[str]:
    multiprocessing.active_children()  # gathers those that have ended
    for child in psutil.Process().children(recursive=True):
        try:
            command = " ".join(child.cmdline()) or child.name()
        except psutil.NoSuchProcess:
            continue
        if "multiprocessing.resource_tracker" not in command:  # stays as long as the interpreter
            yield f"process {child.pid} ({command})"


def _contexts() -> Iterator[str]:
    """An open context has threads in the background."""
    for thread in THREADS.glob("*/comm"):
        try:
            if thread.read_text().startswith("ZMQbg"):
                yield f"ZeroMQ context with thread {thread.parent.name}"
        except (FileNotFoundError, ProcessLookupError):
            continue


def _memory() -> Iterator[str]:
    return (f"{file}" for file in SHARED_MEMORY.glob("*"))
