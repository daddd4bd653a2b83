"""A test that leaves a process, a ZeroMQ context or shared memory behind fails. A real RTSP camera for tests."""

import multiprocessing
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from rtsp_camera.handle import Camera, missing_for_cameras

SHARED_MEMORY = Path("/dev/shm")
THREADS = Path("/proc/self/task")


@pytest.fixture(autouse=True)
def leaves_nothing_behind() -> Iterator[None]:
    before = _held()
    yield
    left = _held() - before
    assert not left, f"left behind: {', '.join(sorted(left))}"


@pytest.fixture
def camera() -> Iterator[Callable[..., Camera]]:
    """Switches cameras on: ``camera(clip, **told)``."""
    if missing := missing_for_cameras():
        pytest.skip(missing)
    cameras: list[Camera] = []

    def start(clip: Path, **told: Any) -> Camera:
        cameras.append(Camera(clip, **told))
        return cameras[-1]

    yield start
    for camera in cameras:
        camera.kill()


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
