"""A test that leaves a process, a ZeroMQ context or shared memory behind fails. A real RTSP camera for tests.

With ``-n 2`` those that only compute run beside the others, and out of their way.
"""

import contextlib
import multiprocessing
import os
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
HERE = Path(__file__).parent
COMPUTING = {"detection", "recognition", "scenarios", "sources", "tracking", "training"}
"""Folders of tests that have no processes, sockets or clocks to wait for."""
_NICE = 5


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling:
    return _Apart(config, log)


class _Apart(LoadScopeScheduling):
    """One process runs the tests that compute, another those that wait."""

    def _split_scope(self, nodeid: str) -> str:
        return "computing" if _computes(nodeid) else "waiting"


def _computes(nodeid: str) -> bool:
    return Path(nodeid.split("::")[0]).parts[1] in COMPUTING


def pytest_runtest_setup(item: pytest.Item) -> None:
    if "PYTEST_XDIST_WORKER" in os.environ and _computes(item.nodeid):
        os.nice(max(0, _NICE - os.nice(0)))


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
    return {file for file in files if not Path(file).exists() or str(Path(file).stat().st_ino) in nodes}
