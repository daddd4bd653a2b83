"""A test that leaves a process, a ZeroMQ context or shared memory behind fails. A real RTSP camera for tests.

With ``-n 2`` two halves run beside each other: most tests wait, for cameras, clocks and processes.
"""

import contextlib
import multiprocessing
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from rtsp_camera.handle import Camera, missing_for_cameras
from xdist.scheduler import LoadScopeScheduling

SHARED_MEMORY = Path("/dev/shm")
THREADS = Path("/proc/self/task")
OTHER_HALF = {"detection", "recognition", "runtime", "scenarios", "sinks", "sources", "stages", "tracking", "training"}
"""Folders of tests that take about as long as all the others."""


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling:
    return _Halves(config, log)


class _Halves(LoadScopeScheduling):
    """One process for each half, so that tests of one folder, which are most in each other's way, never meet."""

    def _split_scope(self, nodeid: str) -> str:
        return "other" if Path(nodeid.split("::")[0]).parts[1] in OTHER_HALF else "one"


@pytest.fixture(autouse=True)
def leaves_nothing_behind() -> Iterator[None]:
    before = _held()
    yield
    left = _held() - before
    left -= _of_others(left) if left else set()
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


def _of_others(left: set[str]) -> set[str]:
    """What programs have mapped, or had, which these tests did not start: the machine is not theirs alone."""
    ours = {str(process.pid) for process in (psutil.Process(), *psutil.Process().children(recursive=True))}
    nodes = set()  # by inode, for glibc maps semaphores under a name that it then removes
    for maps in Path("/proc").glob("[0-9]*/maps"):
        with contextlib.suppress(OSError):
            lines = () if maps.parent.name in ours else maps.read_text().splitlines()
            nodes |= {line.split()[4] for line in lines if f" {SHARED_MEMORY}/" in line}
    files = {file for file in left if Path(file).parent == SHARED_MEMORY}
    return {file for file in files if (node := _node(file)) is None or node in nodes}


def _node(file: str) -> str | None:
    """Its inode; None when it is not there any more."""
    try:
        return str(Path(file).stat().st_ino)
    except FileNotFoundError:
        return None
