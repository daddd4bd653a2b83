"""History check of store, bus and clients under faults, in the manner of Jepsen.

    python benchmarks/history.py --faults 200 [--seed 1] [--out FILE]

A publisher commits events to a store on a small disk, and three clients with cursors follow it; one of them is killed,
one is stopped, and one is left alone. Faults: kill -9 of publisher, bus and client; SIGSTOP of each; steps of the clock
by up to an hour; a full disk; damaged rows and pages. Afterwards ``history_check.py`` reads what each process logged:
all events that were acknowledged as durable are stored, numbers have no gaps, and each client received each stored
event once and in order. Needs root, to mount the disk, and a C compiler, for the clock; a fault that cannot be made is
left out and listed.
"""

import argparse
import json
import os
import random
import re
import shutil
import signal
import sqlite3
import struct
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psutil
from history_check import History, check, read_acknowledged, read_lives
from subscribe_bed import free_port

from stream_ocr.config.settings import Settings
from stream_ocr.evaluation.bench.machine import machine_info
from stream_ocr.logging_config import configure
from stream_ocr.store.reader import StoreReader

PROCESSES = Path(__file__).with_name("history_processes.py")
DISK_MB = 96
PAGE_BYTES = 4096  # of SQLite
ROW_BYTES = 24  # that are overwritten in a row
PAUSE_S = 0.3, 1.2  # between two faults
FULL_S = 0.5, 3.0
STOPPED_S = 0.2, 2.0
CATCH_UP_S = 60.0


class Bed:
    """Publisher and clients in processes of their own, which are started again when they are killed."""

    def __init__(self, folder: Path, rng: random.Random) -> None:
        self.folder, self.disk, self.rng = folder, folder / "disk", rng
        self.disk.mkdir(exist_ok=True)
        self.store = self.disk / "events.db"
        self.damaged: set[str] = set()
        self._port = free_port()
        self._clock = folder / "clock"
        self._clock.write_bytes(bytes(8))
        shim = _build_shim(folder)
        self.has_clock = shim is not None
        self._env = os.environ | {"CLOCK_SHIM": str(self._clock), "LD_PRELOAD": str(shim or "")}
        self.processes: dict[str, subprocess.Popen[str]] = {}

    def __enter__(self) -> Self:
        self.start("publisher")
        for name in ("steady", "stopped", "killed"):
            self.start(name)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for name in list(self.processes):
            self.kill(name)

    def start(self, name: str) -> None:
        log = str(self.folder / f"{name}.log")
        if name == "publisher":
            arguments = ["publisher", str(self.disk), str(self._port), log]
        else:
            arguments = ["client", str(self._port), log, str(self.folder / f"{name}.cursor")]
        with (self.folder / f"{name}.err").open("a") as errors:
            process = subprocess.Popen(
                [sys.executable, str(PROCESSES), *arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                env=self._env,
                text=True,
            )
        self.processes[name] = process
        if name == "publisher" and process.stdout is not None and not process.stdout.readline():
            raise RuntimeError(f"The publisher did not start: {(self.folder / 'publisher.err').read_text()[-2000:]}")

    def kill(self, name: str) -> None:
        process = self.processes.pop(name)
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with suppress(BrokenPipeError):
                    pipe.close()

    def bus(self) -> psutil.Process | None:
        """Return the process of the bus, a child of the publisher."""
        children = psutil.Process(self.processes["publisher"].pid).children()
        return children[0] if children else None

    def set_clock(self, offset_s: int) -> None:
        """Step the wall clock of all processes. The file is mapped by them, so it is written in place."""
        with self._clock.open("r+b") as file:
            file.write(struct.pack("q", offset_s))

    def stored(self) -> dict[int, str]:
        with StoreReader(self.store) as reader:
            return {event.seq: event.id for event in reader.events() if event.kind != "source.gap"}

    def history(self) -> History:
        return History(
            acknowledged=read_acknowledged(self._lines("publisher")),
            stored=self.stored(),
            damaged=self.damaged,
            clients={name: read_lives(self._lines(name)) for name in ("steady", "stopped", "killed")},
        )

    def last_received(self, name: str) -> int:
        lives = read_lives(self._lines(name))
        return max((seen.seq for life in lives for seen in life.events), default=-1)

    def _lines(self, name: str) -> list[str]:
        return (self.folder / f"{name}.log").read_text().splitlines()


def kill_publisher(bed: Bed) -> None:
    bed.kill("publisher")
    bed.start("publisher")


def kill_bus(bed: Bed) -> None:
    if (bus := bed.bus()) is not None:
        bus.kill()


def kill_client(bed: Bed) -> None:
    bed.kill("killed")
    bed.start("killed")


def stop_publisher(bed: Bed) -> None:
    _stop(bed, bed.processes["publisher"].pid)


def stop_bus(bed: Bed) -> None:
    if (bus := bed.bus()) is not None:
        _stop(bed, bus.pid)


def stop_client(bed: Bed) -> None:
    _stop(bed, bed.processes["stopped"].pid)


def _stop(bed: Bed, pid: int) -> None:
    os.kill(pid, signal.SIGSTOP)
    time.sleep(bed.rng.uniform(*STOPPED_S))
    os.kill(pid, signal.SIGCONT)


def step_clock(bed: Bed) -> None:
    bed.set_clock(bed.rng.choice([-3600, -60, -1, 0, 1, 60, 3600]))


def fill_disk(bed: Bed) -> None:
    """Fill the disk for a while; in half of the cases the publisher is killed meanwhile."""
    ballast = bed.disk / "ballast"
    with ballast.open("wb", buffering=0) as file:
        for size in (1 << 20, 1 << 12):
            with suppress(OSError):
                while True:
                    file.write(bytes(size))
    time.sleep(bed.rng.uniform(*FULL_S))
    if bed.rng.random() < 0.5:
        bed.kill("publisher")
        if bed.rng.random() < 0.5:
            bed.start("publisher")
            time.sleep(bed.rng.uniform(*FULL_S))
        ballast.unlink()
        if "publisher" not in bed.processes:
            bed.start("publisher")
    else:
        ballast.unlink()


def damage_row(bed: Bed) -> None:
    _damage(bed, whole_page=False)


def damage_page(bed: Bed) -> None:
    _damage(bed, whole_page=True)


def _damage(bed: Bed, *, whole_page: bool) -> None:
    """Overwrite an event in the file, or the page that contains it, while no publisher runs."""
    bed.kill("publisher")
    for damaged in bed.disk.glob("*.damaged-*"):  # of an earlier repair
        damaged.unlink()
    with closing(sqlite3.connect(bed.store)) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    content = bytearray(bed.store.read_bytes())
    found = list(re.finditer(rb'"id":"([0-9a-f]{16})"', content))
    if found:
        begin = bed.rng.choice(found).start()
        if whole_page:
            begin, end = begin // PAGE_BYTES * PAGE_BYTES, (begin // PAGE_BYTES + 1) * PAGE_BYTES
        else:
            end = begin + ROW_BYTES
        bed.damaged |= {match[1].decode() for match in found if begin <= match.start() < end}
        content[begin:end] = bed.rng.randbytes(end - begin)
        with bed.store.open("r+b") as file:
            file.write(content)
    bed.start("publisher")


FAULTS: dict[str, Callable[[Bed], None]] = {
    "kill -9 of the publisher": kill_publisher,
    "kill -9 of the bus": kill_bus,
    "kill -9 of a client": kill_client,
    "publisher stopped": stop_publisher,
    "bus stopped": stop_bus,
    "client stopped": stop_client,
    "clock stepped": step_clock,
    "disk full": fill_disk,
    "row damaged": damage_row,
    "page damaged": damage_page,
}


def run(count: int, seed: int) -> dict[str, Any]:
    rng = random.Random(seed)
    done: Counter[str] = Counter()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        has_disk = _mount(folder / "disk", stack)
        bed = stack.enter_context(Bed(folder, rng))
        faults = dict(FAULTS)
        if not bed.has_clock:
            del faults["clock stepped"]
        if not has_disk:
            del faults["disk full"]
        started_s = time.monotonic()
        for n in range(count):
            name = list(faults)[n % len(faults)] if n < len(faults) else rng.choice(list(faults))
            time.sleep(rng.uniform(*PAUSE_S))
            faults[name](bed)
            done[name] += 1
        took_s = time.monotonic() - started_s
        caught_up = _let_catch_up(bed)
        history = bed.history()
        violations = check(history)
        damaged = len(bed.damaged)
        if violations:
            shutil.copytree(folder, Path("build/history"), dirs_exist_ok=True, ignore=shutil.ignore_patterns("disk"))
    return {
        "faults": dict(done),
        "left_out": sorted(FAULTS.keys() - faults.keys()),
        "seed": seed,
        "seconds": round(took_s),
        "acknowledged": len(history.acknowledged),
        "acknowledged_not_durable": sum(not seen.durable for seen in history.acknowledged),
        "stored": len(history.stored),
        "damaged": damaged,
        "received": {name: sum(len(life.events) for life in lives) for name, lives in history.clients.items()},
        "clients_caught_up": caught_up,
        "violations": violations[:20],
        "violations_in_all": len(violations),
        "machine": machine_info(),
    }


def _let_catch_up(bed: Bed) -> bool:
    """Stop committing, and wait until each client has the last event."""
    time.sleep(3.0)
    bed.processes["publisher"].send_signal(signal.SIGTERM)
    time.sleep(1.0)
    last, ends_s = max(bed.stored()), time.monotonic() + CATCH_UP_S
    names = ["steady", "stopped", "killed"]
    while time.monotonic() < ends_s:
        names = [name for name in names if bed.last_received(name) < last]
        if not names:
            time.sleep(2.0)
            return True
        time.sleep(0.2)
    return False


def _build_shim(folder: Path) -> Path | None:
    """Return the library that steps the clock; None without a C compiler."""
    compiler = shutil.which("cc")
    if compiler is None:
        return None
    shim = folder / "clock_shim.so"
    source = Path(__file__).with_name("clock_shim.c")
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", str(shim), str(source), "-ldl"], check=True)
    return shim


def _mount(disk: Path, stack: ExitStack) -> bool:
    """Mount a small disk; return False if this system does not allow it."""
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m", "tmpfs", str(disk)]
    if os.geteuid() != 0 or subprocess.run(command, check=False, capture_output=True).returncode != 0:
        return False
    stack.callback(subprocess.run, ["umount", "-l", str(disk)], check=True)
    return True


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--faults", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, help="write the figures to this file")
    arguments = parser.parse_args()
    configure(Settings())  # lines of the log on standard error
    figures = run(arguments.faults, arguments.seed)
    text = json.dumps(figures, indent=1)
    print(text)
    if arguments.out:
        arguments.out.write_text(text + "\n", encoding="utf-8")
    return 1 if figures["violations_in_all"] or not figures["clients_caught_up"] else 0


if __name__ == "__main__":
    sys.exit(main())
