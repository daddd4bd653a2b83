"""Attack the sockets of a real run, and measure what an honest subscriber and the processes of the run notice.

    python benchmarks/attack_sockets.py [--seconds 20] [--out benchmarks/results/attack-sockets.json]

Each attack has a run of its own with one camera, a dashboard and a bus. Growth is the most resident memory of a process
during the attack above the most before it. Latency is from the emission of an event to its receipt. Fails if a run
ends, an event is lost, a process grows by more than 100 MiB, or the slowest event takes 0.5 s longer than before.
"""

import argparse
import json
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
import socket_attacks
import yaml
from socket_attacks import ATTACKS, endpoint

from stream_ocr.bus import curve_keys
from stream_ocr.bus.journal import open_journal
from stream_ocr.client import subscribe
from stream_ocr.config.settings import Settings
from stream_ocr.evaluation.bench.machine import load_average, machine_info
from stream_ocr.synthetic.scene import Scene, Text, render
from stream_ocr.testing import published_event

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from rtsp_camera.camera_run import Run

MIB = 2**20
MAX_GROWTH_MIB = 100
MAX_ADDED_LATENCY_S = 0.5
TEXT_INTERVAL_S = 1.0
START_S = 120.0  # on a busy machine


class Subscriber:
    """An honest subscriber in a thread; latencies_s: of all events so far."""

    def __init__(self, port: int, keys: dict[str, Path]) -> None:
        self.latencies_s: list[float] = []
        self.seqs: list[int] = []
        self._done = threading.Event()
        self._subscription = subscribe(endpoint(port), since="start", **keys)
        self._thread = threading.Thread(target=self._receive)
        self._thread.start()

    def close(self) -> None:
        self._done.set()
        self._thread.join()
        self._subscription.close()

    def _receive(self) -> None:
        while not self._done.is_set():
            event = self._subscription.receive(0.2)
            if event is not None and event.stream == "gate" and event.emitted_utc is not None:
                self.latencies_s.append(time.time() - event.emitted_utc.timestamp())
                self.seqs.append(event.seq)


class Memory:
    """Watches the resident memory of a run in a thread."""

    def __init__(self, run: Run) -> None:
        self._run, self._most = run, defaultdict[str, int](int)
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()

    def close(self) -> None:
        self._done.set()
        self._thread.join()

    def take(self) -> dict[str, int]:
        """Return the most bytes of each process since the last call."""
        most, self._most = self._most, defaultdict(int)
        return most

    def _watch(self) -> None:
        while not self._done.wait(0.1):
            supervisor = psutil.Process(self._run.program.pid)
            most = self._most
            for name, process in {"supervisor": supervisor, **self._run.workers()}.items():
                with suppress(psutil.NoSuchProcess):
                    most[name] = max(most[name], process.memory_info().rss)


@contextmanager
def started(folder: Path, clip: Path, port: int, *, with_keys: bool) -> Iterator[tuple[Run, dict[str, Path]]]:
    """Start a run that listens at four ports from ``port``: bus, requests, status, page. Yield it and a key."""
    program_folder = folder / "run"
    program_folder.mkdir()
    store, keys = program_folder / "events.db", folder / "keys"
    with open_journal(Settings.load(None, [f"store.path={store}"])) as journal:
        journal.commit(
            [published_event(n, f"TEXT {n} " + "x" * 200, stream="archive", durable=True) for n in range(2000)]
        )
    bus: dict[str, Any] = {"events": endpoint(port)}
    if with_keys:
        for name in ("server", "reader"):
            curve_keys.create_keys(keys, name)
        bus["keys"] = str(keys)
    settings = {
        "models": "builtin",
        "device": "cpu",
        "threads": 1,
        "sources": {"gate": {"path": str(clip)}},
        "socket": bus,
        "store": {"path": str(store)},
        "service": {"listen": f"127.0.0.1:{port + 2}"},
        "dashboard": {"port": port + 3},
        "sinks": [{"type": "jsonl", "path": str(program_folder / "events.jsonl")}],
    }
    (program_folder / "live.yaml").write_text(yaml.safe_dump(settings))
    with (folder / "stderr").open("w") as stderr:
        command = [sys.executable, "-m", "stream_ocr.cli", "run", "live.yaml", "--plain", "--dashboard"]
        program = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=stderr, cwd=program_folder, text=True)
    try:
        yield (
            Run(program, program_folder, port + 2),
            {"key": keys / "reader.key_secret", "server_key": keys / "server.key"} if with_keys else {},
        )
    finally:
        program.terminate()
        program.wait(60)


def measure(name: str, folder: Path, clip: Path, seconds: float) -> dict[str, Any]:
    """Measure an attack: as long without it, then with it."""
    row, _, offset, with_keys = ATTACKS[name]
    port = random.randrange(20_000, 30_000, 10)
    with started(folder, clip, port, with_keys=with_keys) as (run, keys):
        wait_until(lambda: len(run.events("gate")) > 3, run)
        subscriber, memory = Subscriber(port, keys), Memory(run)
        try:
            wait_until(lambda: len(subscriber.seqs) > 3, run)
            time.sleep(seconds / 2)
            memory.take()
            before = len(subscriber.seqs)
            time.sleep(seconds)
            calm, under = memory.take(), len(subscriber.seqs)
            with attacking(name, port + offset, folder / "connections") as connections:
                wait_until(connections, run)
                time.sleep(seconds)
                joined_s = time_to_join(port, keys)
            attacked, end = memory.take(), len(subscriber.seqs)
            wait_until(lambda: len(subscriber.seqs) > end + 1, run)
        finally:
            memory.close()
            subscriber.close()
        written = [event["seq"] for event in run.events("gate")]
    latency_s = [subscriber.latencies_s[before:under], subscriber.latencies_s[under:end]]
    growth = {name: round((attacked[name] - calm[name]) / MIB, 1) for name in sorted(calm.keys() & attacked.keys())}
    return {
        "row": row,
        "connections": connections(),
        "growth_mib": growth,
        "events": [len(values) for values in latency_s],
        "median_latency_s": [round(sorted(values)[len(values) // 2], 3) for values in latency_s],
        "longest_latency_s": [round(max(values), 3) for values in latency_s],
        "new_subscriber_joins_s": round(joined_s, 2),
        "restarts": run_restarts(folder),
        "events_lost": len(set(range(subscriber.seqs[0], subscriber.seqs[-1] + 1)) - set(subscriber.seqs)),
        "doubled": len(subscriber.seqs) - len(set(subscriber.seqs)),
        "exit_code": run.program.returncode,
        "seq_without_gaps": written == list(range(len(written))),
    }


@contextmanager
def attacking(name: str, port: int, log: Path) -> Iterator[Callable[[], int]]:
    """Attack from another process; yield a function that returns the number of connections that it has made."""
    with log.open("wb") as file:
        attack = subprocess.Popen([sys.executable, socket_attacks.__file__, name, str(port)], stdout=file)
    try:
        yield lambda: log.stat().st_size
    finally:
        attack.kill()
        attack.wait()


def wait_until(condition: Callable[[], object], run: Run) -> None:
    deadline_s = time.monotonic() + START_S
    while not condition():
        if run.program.poll() is not None or time.monotonic() > deadline_s:
            raise SystemExit(f"The run did not start or ended: {run.stderr()[-2000:]}")
        time.sleep(0.1)


def time_to_join(port: int, keys: dict[str, Path]) -> float:
    """Return the seconds until a new subscriber has everything."""
    started_s = time.monotonic()
    with subscribe(endpoint(port), since="start", **keys) as subscription:
        while not subscription.synced and time.monotonic() - started_s < START_S:
            subscription.wait(0.05)
        return time.monotonic() - started_s


def run_restarts(folder: Path) -> int:
    """Return how many workers were restarted."""
    return (folder / "stderr").read_text().count("restart_in_s")


def is_within_limits(result: dict[str, Any]) -> bool:
    added_s = result["longest_latency_s"][1] - result["longest_latency_s"][0]
    return (
        max(result["growth_mib"].values()) <= MAX_GROWTH_MIB
        and added_s <= MAX_ADDED_LATENCY_S
        and result["events_lost"] == result["doubled"] == result["exit_code"] == 0
        and result["seq_without_gaps"]
    )


def main() -> None:
    """Make all attacks and print the report."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=20.0, help="length of each measurement")
    parser.add_argument("--out", type=Path, help="file of the report")
    options = parser.parse_args()
    report: dict[str, Any] = {"machine": machine_info(), "limits": [MAX_GROWTH_MIB, MAX_ADDED_LATENCY_S], "attacks": {}}
    with tempfile.TemporaryDirectory() as root:
        clip = Path(root, "gate.mp4")
        texts = [
            Text(f"GATE {n}", n * TEXT_INTERVAL_S, (n + 0.8) * TEXT_INTERVAL_S, (60, 60 + n % 2 * 160), height=44)
            for n in range(round(600 / TEXT_INTERVAL_S))
        ]
        render(Scene(tuple(texts), 600.0, (640, 360), fps=10, background="static"), clip)
        for number, name in enumerate(ATTACKS):
            folder = Path(root, str(number))
            folder.mkdir()
            result = measure(name, folder, clip, options.seconds)
            report["attacks"][name] = {**result, "within_limits": is_within_limits(result)}
            print(name, json.dumps(report["attacks"][name]), flush=True)
    report["machine"]["load_at_end"] = load_average()
    if options.out:
        options.out.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    if not all(result["within_limits"] for result in report["attacks"].values()):
        raise SystemExit("An attack was noticed.")


if __name__ == "__main__":
    main()
