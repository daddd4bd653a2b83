"""Clips that are rendered once, and fixtures that run the program as a user does."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import psutil
import pytest

from stream_ocr import Pipeline
from stream_ocr.api import Summary
from stream_ocr.config.loading import PREFIX
from stream_ocr.config.settings import Settings
from stream_ocr.events import TextEvent
from stream_ocr.synthetic.scene import Scene, Text, clock, linear_path, render, truth

BUILTIN = ("models=builtin", "device=cpu", "threads=1")

SCENE = Scene(
    texts=(
        Text("Good morning", 0.6, 1.8, (320, 310), "middle", height=28),
        Text("The train is late", 1.8, 3.2, (320, 310), "middle", height=28),  # replaces the previous one
        Text(clock("12:34:56"), 0.0, 4.0, (470, 24), height=28, outline=None, panel=(20, 20, 28)),
        Text(
            "PLATFORM",
            0.8,
            3.6,
            linear_path(0.8, (40, 170), 3.6, (420, 120)),
            height=30,
            colour=(250, 225, 60),
            outline=None,
            panel=(28, 52, 110),
        ),
    ),
    duration_s=4.0,
    size=(640, 360),
)


@dataclass(frozen=True)
class Clip:
    """A video file and its ground truth."""

    path: Path
    truth: dict[str, Any]


@dataclass(frozen=True)
class Run:
    """Events, summary and process ids of a run."""

    events: list[TextEvent]
    summary: Summary
    pids: dict[str, int]


Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture(scope="session")
def builtin() -> Settings:
    """Return settings with the built-in models."""
    return Settings.load(overrides=BUILTIN)


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Clip:
    """Render four seconds with a subtitle that changes, a clock and a moving sign."""
    path = tmp_path_factory.mktemp("clips") / "clip.mp4"
    render(SCENE, path)
    return Clip(path, truth(SCENE, path.name))


@pytest.fixture(scope="session")
def long_clip(clip: Clip) -> Path:
    """Repeat the clip twenty times: longer than any test that interrupts the reading needs."""
    path = clip.path.with_name("long.mp4")
    repeat(clip.path, path, times=20)
    return path


@pytest.fixture(scope="session")
def by_processes(clip: Clip, builtin: Settings) -> Run:
    """Read the clip with five processes."""
    return read_by_processes(clip.path, builtin)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start ``stream-ocr ARGUMENTS`` in a new folder that contains only an empty folder ``temp``.

    Standard error is written to the file ``stderr`` beside that folder.
    """
    (tmp_path / "run" / "temp").mkdir(parents=True)
    environment = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    environment |= {"TMPDIR": str(tmp_path / "run" / "temp"), "OMP_NUM_THREADS": "1"}
    started: list[subprocess.Popen[str]] = []

    def start(*arguments: str | Path, before: Sequence[str] = ()) -> subprocess.Popen[str]:
        with (tmp_path / "stderr").open("w") as stderr:
            process = subprocess.Popen(
                [*before, sys.executable, "-m", "stream_ocr.cli", *map(str, arguments)],
                stdout=subprocess.PIPE,
                stderr=stderr,
                text=True,
                env=environment,
                cwd=tmp_path / "run",
                start_new_session=True,  # as in a shell: Ctrl-C goes to the whole group
            )
        started.append(process)
        return process

    yield start
    for process in started:
        for child in psutil.Process(process.pid).children(recursive=True) if process.poll() is None else ():
            child.kill()
        process.kill()
        process.communicate()


@pytest.fixture
def read(start: Start, tmp_path: Path) -> Callable[..., tuple[int, str, str]]:
    """Run ``stream-ocr read ARGUMENTS`` with the built-in models; return (exit code, stdout, stderr)."""

    def read(*arguments: str | Path, before: Sequence[str] = ()) -> tuple[int, str, str]:
        settings = [part for setting in BUILTIN for part in ("--set", setting)]
        process = start("read", *arguments, *settings, before=before)
        out, _ = process.communicate(timeout=100)
        return process.returncode, out, (tmp_path / "stderr").read_text()

    return read


def read_by_processes(path: Path, settings: Settings) -> Run:
    """Read a file with a process per stage."""
    with Pipeline([path], settings) as pipeline:
        pids = dict(pipeline.pids)
        events = list(pipeline.events())
        return Run(events, pipeline.summary(), pids)


def repeat(source: Path, target: Path, times: int) -> None:
    """Write a file that repeats another one. Packets are copied, not encoded again."""
    with av.open(str(source)) as reader, av.open(str(target), "w") as writer:
        video = reader.streams.video[0]
        stream = writer.add_stream_from_template(video)
        packets = [packet for packet in reader.demux(video) if packet.size]
        length = max(packet.pts + packet.duration for packet in packets)
        stamps = [(packet.pts, packet.dts) for packet in packets]
        for round_ in range(times):
            for packet, (pts, dts) in zip(packets, stamps, strict=True):
                packet.pts, packet.dts, packet.stream = pts + round_ * length, dts + round_ * length, stream
                writer.mux(packet)
