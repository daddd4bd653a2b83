"""Shared fixtures: a check that tests leave no process, ZeroMQ context or shared memory behind, and an RTSP camera.

With ``-n 3`` three parts of the tests run in parallel: most tests wait for cameras, clocks and processes.
"""

import contextlib
import multiprocessing
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from rtsp_camera.handle import Camera, missing_for_cameras
from xdist.scheduler import LoadScopeScheduling

SHARED_MEMORY = Path("/dev/shm")
THREADS = Path("/proc/self/task")
PARTS = ({"archive", "fleet", "serve", "viz"}, {"bus", "cli", "pipelines", "sinks"})
"""Folders of tests of two parts; the others are the third. Each takes 600 to 630 s (``--durations=0``)."""


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling:
    return _Parts(config, log)


class _Parts(LoadScopeScheduling):
    """Runs each part in one process: tests of one folder disturb each other most and never run in parallel."""

    def _split_scope(self, nodeid: str) -> str:
        folder = Path(nodeid.split("::")[0]).parts[1]
        return str(next((number for number, part in enumerate(PARTS) if folder in part), len(PARTS)))


@pytest.fixture(autouse=True)
def check_leaks() -> Iterator[None]:
    before = _resources()
    yield
    leaked = _resources() - before
    leaked -= _foreign(leaked) if leaked else set()
    assert not leaked, f"leaked: {', '.join(sorted(leaked))}"


@pytest.fixture
def camera() -> Iterator[Callable[..., Camera]]:
    """Start RTSP cameras: ``camera(clip, **options)``."""
    if missing := missing_for_cameras():
        pytest.skip(missing)
    cameras: list[Camera] = []

    def start(clip: Path, **options: Any) -> Camera:
        cameras.append(Camera(clip, **options))
        return cameras[-1]

    yield start
    for camera in cameras:
        camera.kill()


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    """Return a self-signed certificate for 127.0.0.1 and its key."""
    return self_signed(tmp_path, "cert")


@pytest.fixture
def another_certificate(tmp_path: Path) -> Path:
    """Return another such certificate."""
    return self_signed(tmp_path, "another")[0]


def self_signed(folder: Path, name: str) -> tuple[Path, Path]:
    if shutil.which("openssl") is None:
        pytest.skip("needs openssl: apt-get install openssl")
    pem, key = folder / f"{name}.pem", folder / f"{name}.key"
    made = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    named = ["-subj", "/CN=test", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "2"]
    subprocess.run([*made, *named, "-out", str(pem), "-keyout", str(key)], check=True, capture_output=True)
    return pem, key


@pytest.fixture
def endpoint() -> str:
    """Return an endpoint whose port and the next port are free."""
    while True:
        with socket.socket() as one, socket.socket() as other:
            one.bind(("127.0.0.1", 0))
            port = one.getsockname()[1]
            try:
                other.bind(("127.0.0.1", port + 1))
            except (OSError, OverflowError):
                continue
        return f"tcp://127.0.0.1:{port}"


def _resources() -> set[str]:
    return {*_children(), *_contexts(), *_memory()}


def _children() -> Iterator[str]:
    multiprocessing.active_children()  # reaps those that have ended
    for child in psutil.Process().children(recursive=True):
        try:
            command = " ".join(child.cmdline()) or child.name()
        except psutil.NoSuchProcess:
            continue
        if "multiprocessing.resource_tracker" not in command:  # lives as long as the interpreter
            yield f"process {child.pid} ({command})"


def _contexts() -> Iterator[str]:
    """Yield open ZeroMQ contexts, by their background threads."""
    for thread in THREADS.glob("*/comm"):
        try:
            if thread.read_text().startswith("ZMQbg"):
                yield f"ZeroMQ context with thread {thread.parent.name}"
        except (FileNotFoundError, ProcessLookupError):
            continue


def _memory() -> Iterator[str]:
    return (f"{file}" for file in SHARED_MEMORY.glob("*"))


def _foreign(leaked: set[str]) -> set[str]:
    """Return shared memory that is or was mapped by other programs on this machine."""
    ours = {str(process.pid) for process in (psutil.Process(), *psutil.Process().children(recursive=True))}
    nodes = set()  # by inode: glibc maps semaphores under a name that it then removes
    for maps in Path("/proc").glob("[0-9]*/maps"):
        with contextlib.suppress(OSError):
            lines = () if maps.parent.name in ours else maps.read_text().splitlines()
            nodes |= {line.split()[4] for line in lines if f" {SHARED_MEMORY}/" in line}
    files = {file for file in leaked if Path(file).parent == SHARED_MEMORY}
    return {file for file in files if (node := _node(file)) is None or node in nodes}


def _node(file: str) -> str | None:
    """Return the inode of a file; None if it no longer exists."""
    try:
        return str(Path(file).stat().st_ino)
    except FileNotFoundError:
        return None
