"""Processes are killed while a file is read: what was read is kept, what went wrong is said, nothing is left."""

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
FORKS = "forks"  # the process that they are forks of
STARTED_WITHIN_S = 80.0  # on a machine that is busy with other things


class Reading(NamedTuple):
    """The program while it reads a file, and its processes by what they do."""

    program: "subprocess.Popen[str]"
    workers: Mapping[str, psutil.Process]
    log: Path
    said: Path

    def end(self, within_s: float) -> tuple[int, str]:
        """The exit code and what was said on standard error, once it has ended by itself."""
        self.program.communicate(timeout=within_s)
        return self.program.returncode, self.said.read_text()

    def alive(self) -> list[str]:
        return [name for name, worker in self.workers.items() if worker.is_running() and worker.status() != "zombie"]

    def events(self) -> list[TextEvent]:
        """All that was written; every line of it is an event."""
        lines = self.log.read_bytes()
        assert lines.endswith(b"\n")
        return [TextEvent.from_json(line) for line in lines.splitlines()]


def soon(truth: Callable[[], object], within_s: float) -> bool:
    """Whether something comes true in time."""
    deadline = time.monotonic() + within_s
    while not truth():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def titled(parent: int) -> dict[str, psutil.Process]:
    """The processes below one by their titles, ``stream-ocr: NAME``; of a decoder without the stream's name."""
    found = {}
    for process in psutil.Process(parent).children(recursive=True):
        title = " ".join(process.cmdline())
        if title.startswith("stream-ocr: "):
            found[title.removeprefix("stream-ocr: ").split("/")[0].strip()] = process
    return found


@pytest.fixture
def reading(start, long_clip, tmp_path) -> Reading:
    """The program in the midst of a long file, with some events written."""
    log = tmp_path / "run" / "events.jsonl"
    program = start("read", long_clip, "-o", log.name, "--set", "models=builtin", "--set", "device=cpu")
    assert soon(lambda: log.exists() and log.read_bytes().count(b"\n") >= 3, STARTED_WITHIN_S)
    workers = titled(program.pid)
    assert set(workers) == {*WORKERS, FORKS}
    return Reading(program, workers, log, tmp_path / "stderr")


def assert_kept(events: Sequence[TextEvent]) -> None:
    assert len(events) >= 3
    assert [event.seq for event in events] == list(range(len(events)))
    assert events[0].kind == "appeared"


def assert_nothing_left(reading: Reading) -> None:
    """Beside the events and an empty folder for temporary files. (/dev/shm is looked after for every test.)"""
    assert reading.alive() == []
    assert {path.name for path in reading.log.parent.rglob("*")} == {"events.jsonl", "temp"}


def unasked(said: str) -> list[str]:
    """What was said beside which models read and how far the reading is."""
    usual = ("detector: ", "recogniser: ")
    return [line for line in said.splitlines() if not line.startswith(usual) and "× real time" not in line]


@pytest.mark.parametrize("name", WORKERS)
def test_a_worker_that_is_killed_ends_the_run_with_one_sentence(reading, name) -> None:
    reading.workers[name].kill()
    code, said = reading.end(within_s=20)
    assert code == 1
    (sentence,) = unasked(said)
    named = "decode/long.mp4" if name == "decode" else name
    assert sentence == f"The {named} worker was killed by signal 9; what was read so far is kept."
    assert_kept(reading.events())
    assert_nothing_left(reading)


def test_the_fork_server_is_killed_and_takes_the_workers_along(reading) -> None:
    reading.workers[FORKS].kill()
    code, said = reading.end(within_s=20)
    assert code == 1
    (sentence,) = unasked(said)
    assert re.fullmatch(r"The \S+ worker was killed by signal 9; what was read so far is kept\.", sentence)
    assert_kept(reading.events())
    assert_nothing_left(reading)


def test_the_program_itself_is_killed(reading) -> None:
    reading.workers["detect"].suspend()  # also one that cannot react
    reading.program.kill()
    assert soon(lambda: reading.alive() == [], 2.0), reading.alive()
    assert_kept(reading.events())
    assert_nothing_left(reading)
    assert unasked(reading.said.read_text()) == []


@pytest.mark.parametrize(
    ("processes", "after_s"), [(1, 0.0), (1, 0.1), (1, 0.25), (1, 0.4), (2, 0.0), (1 + len(WORKERS), 0.0)]
)
def test_ctrl_c_while_the_program_imports_and_the_workers_start(start, long_clip, tmp_path, processes, after_s) -> None:
    program = start("read", long_clip, "-o", "events.jsonl", "--set", "models=builtin", "--set", "device=cpu")
    children = psutil.Process(program.pid).children
    assert soon(lambda: len(children(recursive=True)) >= processes, STARTED_WITHIN_S)
    time.sleep(after_s)
    os.killpg(program.pid, signal.SIGINT)
    program.communicate(timeout=60)
    assert program.returncode == 130
    assert unasked((tmp_path / "stderr").read_text()) == []


def test_ctrl_c_keeps_and_closes_what_was_read(reading) -> None:
    os.killpg(reading.program.pid, signal.SIGINT)  # as a terminal does it
    code, said = reading.end(within_s=20)
    assert code == 130
    assert unasked(said) == []
    assert "long.mp4: " in said.splitlines()[-1], "how far it came is told all the same"
    events = reading.events()
    assert_kept(events)
    last = {event.track: event for event in events}
    assert {event.kind for event in last.values()} == {"ended"}, "what was still there ends where reading stopped"
    assert max(event.end for event in last.values()) < 79
    assert_nothing_left(reading)
