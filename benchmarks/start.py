"""Measure the start of ``stream-ocr read``: from the shell to the first frame, detection and event of a short clip.

    python benchmarks/start.py [--runs 9] [--seconds 5] [--clip slides] [--set models=builtin] [--tree FOLDER]
        [--out benchmarks/results/start.json]

Watches the program from outside: the heartbeats of its workers lie in shared memory, events come through a pipe. Prints
medians over the runs, in seconds since the program was started. ``--tree``, repeatable, takes the package from other
checkouts, whose runs alternate. Needs the extra ``dev`` (psutil).
"""

import argparse
import json
import os
import selectors
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from statistics import median

import psutil

from stream_ocr.evaluation.bench.clips import ClipOptions, find_clips
from stream_ocr.evaluation.bench.machine import machine_info
from stream_ocr.runtime.heartbeat import Heartbeat

POLL_S = 0.005
CPU_POLL_S = 0.03
TREE = Path(__file__).parents[1]


class Watcher:
    """Times at which the workers of one program did something first.

    times_s: seconds since the start of the program, by name. cpu_s: CPU seconds by process.
    """

    def __init__(self, pid: int) -> None:
        self.times_s: dict[str, float] = {}
        self.cpu_s: dict[str, float] = {}
        self._program = psutil.Process(pid)
        self._heartbeats: dict[int, Heartbeat] = {}  # by descriptor in the program
        self._names: dict[int, str] = {}
        self._started_s, self._cpu_at_s = time.monotonic(), 0.0

    def note(self, name: str) -> None:
        """Record that something happened now, unless it has happened before."""
        self.times_s.setdefault(name, round(time.monotonic() - self._started_s, 4))

    def look(self) -> None:
        """Look at all heartbeats, and sometimes at CPU seconds."""
        with suppress(psutil.NoSuchProcess, FileNotFoundError):
            self._find_heartbeats()
            for heartbeat in self._heartbeats.values():
                self._look_at(heartbeat)
            if time.monotonic() - self._cpu_at_s >= CPU_POLL_S:
                self._cpu_at_s = time.monotonic()
                self._read_cpu()

    def close(self) -> None:
        """Release all mappings."""
        for heartbeat in self._heartbeats.values():
            heartbeat.close()

    def _find_heartbeats(self) -> None:
        folder = Path("/proc", str(self._program.pid), "fd")
        for entry in folder.iterdir():
            number = int(entry.name)
            with suppress(OSError):
                if number not in self._heartbeats and "stream-ocr-heartbeat" in str(entry.readlink()):
                    self._heartbeats[number] = Heartbeat(os.open(entry, os.O_RDWR))

    def _look_at(self, heartbeat: Heartbeat) -> None:
        if not heartbeat.pid:
            return
        with suppress(psutil.NoSuchProcess, IndexError):  # it has ended
            name = _name(psutil.Process(heartbeat.pid))
            self.note(f"{name} starts")
            if heartbeat.state != "starting":
                self.note(f"{name} is ready")
            # Progress counts what is received and what is sent.
            if heartbeat.progress >= (1 if name == "decode" else 2):
                self.note(f"{name} sends")

    def _read_cpu(self) -> None:
        for process in (self._program, *self._program.children(recursive=True)):
            with suppress(psutil.NoSuchProcess, IndexError):
                used = process.cpu_times()
                self.cpu_s[_name(process)] = round(used.user + used.system, 2)


def _name(process: psutil.Process) -> str:
    title = process.cmdline()[0]
    return title.removeprefix("stream-ocr: ").partition("/")[0] if title.startswith("stream-ocr: ") else "program"


def measure(clip: Path, tree: Path, overrides: list[str]) -> dict[str, dict[str, float]]:
    """Run the program once; return times in seconds since its start, and CPU seconds by process."""
    settings = [argument for override in overrides for argument in ("--set", override)]
    command = [sys.executable, "-m", "stream_ocr.cli", "read", str(clip), "-o", "-", *settings]
    environment = {**os.environ, "PYTHONPATH": str(tree)}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment, cwd=tree
    ) as program:
        watcher = Watcher(program.pid)
        assert program.stdout is not None
        with selectors.DefaultSelector() as selector:
            selector.register(program.stdout, selectors.EVENT_READ)
            while True:
                watcher.look()
                if selector.select(POLL_S):
                    if not os.read(program.stdout.fileno(), 65536):
                        break
                    watcher.note("first event")
        _, status, used = os.wait4(program.pid, 0)
        program.returncode = os.waitstatus_to_exitcode(status)
        watcher.note("end")
        watcher.close()
    if program.returncode:
        raise SystemExit(f"{' '.join(command)} ended with code {program.returncode}.")
    watcher.cpu_s["total"] = round(used.ru_utime + used.ru_stime, 2)
    return {"times_s": watcher.times_s, "cpu_s": watcher.cpu_s}


def medians(runs: list[dict[str, dict[str, float]]]) -> dict[str, dict[str, float]]:
    """Return the median of each figure over all runs that have it, in the order of the figures."""
    return {kind: dict(sorted(_medians([run[kind] for run in runs]), key=lambda item: item[1])) for kind in runs[0]}


def _medians(runs: list[dict[str, float]]) -> Iterator[tuple[str, float]]:
    for name in {name: None for run in runs for name in run}:
        yield name, round(median(run[name] for run in runs if name in run), 3)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=9)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--clip", action="append")
    parser.add_argument("--folder", type=Path, default=Path("bench"))
    parser.add_argument("--set", action="append")
    parser.add_argument("--tree", action="append", type=Path)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    trees: list[Path] = arguments.tree or [TREE]
    overrides: list[str] = arguments.set or ["models=builtin"]
    arguments.folder.mkdir(parents=True, exist_ok=True)
    options = ClipOptions(arguments.folder.absolute(), duration_s=arguments.seconds)
    clips = list(find_clips(arguments.clip or ["slides"], options))
    results: dict[str, dict[str, object]] = {}
    for clip in clips:
        runs: dict[Path, list[dict[str, dict[str, float]]]] = {tree: [] for tree in trees}
        for _ in range(arguments.runs):
            for tree in trees:
                runs[tree].append(measure(clip.path, tree.absolute(), overrides))
        results[clip.name] = {tree.absolute().name: medians(of) for tree, of in runs.items()}
        if len(trees) == 1:
            (results[clip.name],) = results[clip.name].values()
    report = {
        "runs": arguments.runs,
        "clip_s": arguments.seconds,
        "settings": overrides,
        "machine": machine_info(),
        "clips": results,
    }
    text = json.dumps(report, indent=1)
    print(text)
    if arguments.out:
        arguments.out.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
