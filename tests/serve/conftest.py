"""Fixtures: ``stream-ocr serve`` as a process, and files to send to it."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import psutil
import pytest
from serve.served import BUILTIN, Served, events_of

from stream_ocr.config.loading import ENV_PREFIX
from stream_ocr.synthetic.scene import Scene, Text, clock, draw_frames, render

ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith(ENV_PREFIX)}
SCENE = Scene(
    (
        Text("GATE 14", 0.2, 2.6, (60, 40)),
        Text("Good morning", 0.6, 2.0, (160, 190)),
        Text("The train is late", 2.0, 2.8, (160, 190)),
    ),
    3.0,
    (480, 270),
)
LONG_SCENE = Scene(
    (Text("GATE 14", 0.0, 12.0, (60, 40)), Text(clock("12:34:56"), 0.0, 12.0, (60, 180))), 12.0, (480, 270)
)


@pytest.fixture(autouse=True, scope="module")
def check_leaks() -> Iterator[None]:
    """Check for leftover processes once per module: a server lives as long, and its readers come and go."""
    yield
    left = [child for child in psutil.Process().children(recursive=True) if child.status() != psutil.STATUS_ZOMBIE]
    left = psutil.wait_procs([child for child in left if "multiprocessing" not in " ".join(child.cmdline())], 5)[1]
    assert not left, f"left behind: {left}"


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with clip.mp4 (3 s), long.mp4 (12 s) and photo.png, a frame of the clip."""
    folder = tmp_path_factory.mktemp("files")
    render(SCENE, folder / "clip.mp4")
    render(LONG_SCENE, folder / "long.mp4")
    rgb_HW3 = next(picture for time_s, picture in draw_frames(SCENE) if time_s >= 1)
    cv2.imwrite(str(folder / "photo.png"), rgb_HW3[..., ::-1])
    return folder


@pytest.fixture(scope="session")
def run_cli() -> Callable[..., str]:
    """Return a function that runs ``stream-ocr ARGUMENTS`` with the same models and returns its standard output."""

    def run(*arguments: str | Path) -> str:
        command = [sys.executable, "-m", "stream_ocr.cli", *map(str, arguments)]
        options = [part for setting in BUILTIN for part in ("--set", setting)]
        done = subprocess.run([*command, *options], capture_output=True, text=True, env=ENVIRONMENT, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


@pytest.fixture(scope="session")
def expected(files: Path, run_cli: Callable[..., str]) -> list[dict[str, Any]]:
    """Return the events of clip.mp4 as the command reads them."""
    run_cli("read", files / "clip.mp4", "-o", files / "expected.jsonl")
    return events_of((files / "expected.jsonl").read_text())


@pytest.fixture(scope="module")
def start_module(check_leaks: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Served]]:
    yield from _starter(tmp_path_factory)


@pytest.fixture
def start(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Served]]:
    """Return a function that starts a server with ``name=value`` settings of ``serve``."""
    yield from _starter(tmp_path_factory)


@pytest.fixture(scope="module")
def server(start_module: Callable[..., Served]) -> Served:
    """Return a server with default settings, but for the small models."""
    return start_module()


def _starter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Served]]:
    started: list[subprocess.Popen[bytes]] = []

    def start(*settings: str) -> Served:
        folder = tmp_path_factory.mktemp("served")
        log = folder / "log"
        uploads = folder / "uploads"
        uploads.mkdir()
        own = [*BUILTIN, "serve.port=0", f"serve.folder={uploads}", *(f"serve.{setting}" for setting in settings)]
        command = [sys.executable, "-m", "stream_ocr.cli", "serve", *(part for each in own for part in ("--set", each))]
        with log.open("wb") as stderr:
            process = subprocess.Popen(command, stderr=stderr, env=ENVIRONMENT)
        started.append(process)
        deadline = time.monotonic() + 60
        while "/read reads" not in log.read_text():
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.02)
        return Served(process, log, uploads)

    yield start
    for process in started:
        process.kill()
        process.wait()
