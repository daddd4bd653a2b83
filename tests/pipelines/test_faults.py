"""Processes are killed while a file is read: events are kept, the cause is reported, nothing is left behind."""

import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import psutil
import pytest

from stream_ocr.events import TextEvent

WORKERS = ("decode", "detect", "track", "recognize", "publish")
FORK_SERVER = "forks"  # the parent process of the workers
STARTED_WITHIN_S = 80.0  # for a busy machine


class Reading(NamedTuple):
    """A program that reads a file, and its worker processes by name."""

    program: "subprocess.Popen[str]"
    workers: Mapping[str, psutil.Process]
    log: Path
    stderr: Path

    def end(self, within_s: float) -> tuple[int, str]:
        """Wait for the exit; return the exit code and standard error."""
        self.program.communicate(timeout=within_s)
        return self.program.returncode, self.stderr.read_text()

    def alive(self) -> list[str]:
        return [name for name, worker in self.workers.items() if worker.is_running() and worker.status() != "zombie"]

    def events(self) -> list[TextEvent]:
        """Return all written events; every line must be an event."""
        lines = self.log.read_bytes()
        assert lines.endswith(b"\n")
        return [TextEvent.from_json(line) for line in lines.splitlines()]


def wait_until(condition: Callable[[], object], within_s: float) -> bool:
    """Return True if a condition holds within some seconds."""
    deadline = time.monotonic() + within_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def workers_of(parent: int) -> dict[str, psutil.Process]:
    """Return the descendants of a process by their title ``stream-ocr: NAME``, without the stream of decoders."""
    found = {}
    for process in psutil.Process(parent).children(recursive=True):
        title = " ".join(process.cmdline())
        if title.startswith("stream-ocr: "):
            found[title.removeprefix("stream-ocr: ").split("/")[0].strip()] = process
    return found


@pytest.fixture
def reading(start, long_clip, tmp_path) -> Reading:
    """Start reading a long file and wait for some events."""
    log = tmp_path / "run" / "events.jsonl"
    program = start("read", long_clip, "-o", log.name, "--set", "models=builtin", "--set", "device=cpu")
    assert wait_until(lambda: log.exists() and log.read_bytes().count(b"\n") >= 3, STARTED_WITHIN_S)
    workers = workers_of(program.pid)
    assert set(workers) == {*WORKERS, FORK_SERVER}
    return Reading(program, workers, log, tmp_path / "stderr")


def assert_kept(events: Sequence[TextEvent]) -> None:
    assert len(events) >= 3
    assert [event.seq for event in events] == list(range(len(events)))
    assert events[0].kind == "appeared"


def assert_nothing_left(reading: Reading) -> None:
    """Assert that only the events and the empty folder for temporary files exist."""
    assert reading.alive() == []
    assert {path.name for path in reading.log.parent.rglob("*")} == {"events.jsonl", "temp"}


def unexpected_lines(stderr: str) -> list[str]:
    """Return the lines of standard error other than model names and progress."""
    usual = ("detector: ", "recogniser: ")
    return [line for line in stderr.splitlines() if not line.startswith(usual) and "× real time" not in line]


@pytest.mark.parametrize("name", WORKERS)
def test_killed_worker_ends_the_run_with_one_sentence(reading, name) -> None:
    reading.workers[name].kill()
    code, stderr = reading.end(within_s=20)
    assert code == 1
    named = "decode/long.mp4" if name == "decode" else name
    assert unexpected_lines(stderr) == [f"The {named} worker was killed by signal 9; what was read so far is kept."]
    assert_kept(reading.events())
    assert_nothing_left(reading)


def test_killed_fork_server_ends_the_workers_and_the_run(reading) -> None:
    reading.workers[FORK_SERVER].kill()
    code, stderr = reading.end(within_s=20)
    assert code == 1
    (sentence,) = unexpected_lines(stderr)
    assert re.fullmatch(r"The \S+ worker was killed by signal 9; what was read so far is kept\.", sentence)
    assert_kept(reading.events())
    assert_nothing_left(reading)


def test_workers_end_when_the_program_is_killed(reading) -> None:
    reading.workers["detect"].suspend()  # a suspended worker cannot react
    reading.program.kill()
    assert wait_until(lambda: reading.alive() == [], 2.0), reading.alive()
    assert_kept(reading.events())
    assert_nothing_left(reading)
    assert unexpected_lines(reading.stderr.read_text()) == []


@pytest.mark.parametrize(
    ("processes", "after_s"), [(1, 0.0), (1, 0.1), (1, 0.25), (1, 0.4), (2, 0.0), (1 + len(WORKERS), 0.0)]
)
def test_ctrl_c_during_start_exits_without_messages(start, long_clip, tmp_path, processes, after_s) -> None:
    program = start("read", long_clip, "-o", "events.jsonl", "--set", "models=builtin", "--set", "device=cpu")
    children = psutil.Process(program.pid).children
    assert wait_until(lambda: len(children(recursive=True)) >= processes, STARTED_WITHIN_S)
    time.sleep(after_s)
    os.killpg(program.pid, signal.SIGINT)
    program.communicate(timeout=60)
    assert program.returncode == 130
    assert unexpected_lines((tmp_path / "stderr").read_text()) == []


def test_ctrl_c_keeps_events_and_closes_texts(reading) -> None:
    os.killpg(reading.program.pid, signal.SIGINT)  # as a terminal does
    code, stderr = reading.end(within_s=20)
    assert code == 130
    assert unexpected_lines(stderr) == []
    assert "long.mp4: " in stderr.splitlines()[-1], "the summary is printed"
    events = reading.events()
    assert_kept(events)
    last = {event.track: event for event in events}
    assert {event.kind for event in last.values()} == {"ended"}, "texts that were visible end where reading stopped"
    assert max(event.end for event in last.values()) < 79
    assert_nothing_left(reading)
