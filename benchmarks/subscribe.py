"""Load tests of store, socket and client: throughput, cost and robustness.

    python benchmarks/subscribe.py imports | throughput | search | late | curve | hostile | kills [--rounds 50]
    python benchmarks/subscribe.py all

Each prints one JSON object and exits with 1 if an event was lost, repeated or out of order. --keep also writes it to
benchmarks/results/subscribe-PART.json. If other programs use the machine, trust the CPU seconds.
"""

import argparse
import itertools
import json
import random
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psutil
from subscribe_bed import WORDS, event, journal
from subscribe_harm import hostile, kills

from stream_ocr.bus import curve_keys
from stream_ocr.client import subscribe
from stream_ocr.evaluation.bench.machine import load_average, machine_info
from stream_ocr.store.reader import Query, StoreReader
from stream_ocr.store.writer import StoreWriter

RESULTS = Path(__file__).parent / "results"
EXAMPLES = Path(__file__).parents[1] / "docs" / "examples"


def imports(_: argparse.Namespace) -> dict[str, Any]:
    """Measure time and memory of ``import stream_ocr.client`` in a new process."""
    report = "print(open('/proc/self/status').read().split('VmHWM:')[1].split()[0], time.process_time())"
    runs = []
    for _run in range(20):
        start = time.perf_counter()
        program = f"import stream_ocr.client, time; {report}"
        kib, cpu_s = subprocess.run([sys.executable, "-c", program], stdout=-1, check=True).stdout.split()
        runs.append((time.perf_counter() - start, float(cpu_s), int(kib) / 1024))
    wall, cpu, mib = zip(*runs, strict=True)
    return {
        "import_median_s": round(statistics.median(wall), 3),
        "import_best_s": round(min(wall), 3),
        "import_cpu_median_s": round(statistics.median(cpu), 3),
        "rss_mib": round(max(mib), 1),
    }


LISTEN = """
import sys, time
from stream_ocr.client import subscribe
endpoint, last = sys.argv[1], int(sys.argv[2])
with subscribe(endpoint, since="start") as subscription:
    print(flush=True)
    seqs = []
    while not seqs or seqs[-1] < last:
        event = subscription.receive(60)
        assert event is not None, f"nothing after {seqs[-1:]}"
        seqs.append(event.seq)
    print(time.time(), seqs == list(range(last + 1)), time.process_time(), flush=True)
"""


def throughput(_: argparse.Namespace) -> dict[str, Any]:
    """Measure events per second through commit (durability normal), bus and client, 200 events per commit."""
    count, group = 200_000, 200
    with tempfile.TemporaryDirectory() as folder, journal(Path(folder)) as (opened, endpoint):
        listener = subprocess.Popen([sys.executable, "-c", LISTEN, endpoint, str(count - 1)], stdout=-1, text=True)
        assert listener.stdout is not None
        listener.stdout.readline()
        time.sleep(1)
        groups = [[event(seq) for seq in range(n, n + group)] for n in range(0, count, group)]
        slowest, start, cpu = 0.0, time.time(), time.process_time()
        for events in groups:
            began = time.perf_counter()
            opened.commit(events)
            slowest = max(slowest, time.perf_counter() - began)
        committed, cpu = time.time() - start, time.process_time() - cpu
        received_at, in_order, client_cpu = listener.stdout.readline().split()
        listener.wait()
        bus = psutil.Process(opened.bus_pid).cpu_times()
    return {
        "events": count,
        "committed_and_handed_to_bus_per_s": round(count / committed),
        "received_by_client_per_s": round(count / (float(received_at) - start)),
        "publisher_cpu_s": round(cpu, 1),
        "publisher_per_s_of_its_cpu": round(count / cpu),
        "bus_cpu_s": round(bus.user + bus.system, 1),
        "client_cpu_s": round(float(client_cpu), 1),
        "slowest_commit_ms": round(slowest * 1000, 1),
        "each_once_in_order": in_order == "True",
    }


def search(_: argparse.Namespace) -> dict[str, Any]:
    """Measure the first result of a search in a million events, with a new connection each, also during writes."""
    count, group = 1_000_000, 1000
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "events.db"
        store = StoreWriter(path)
        store.open()
        for start in range(0, count, group):
            store.append([event(seq) for seq in range(start, start + group)])
        figures = {"events": count, "store_mb": round(path.stat().st_size / 1e6)}
        for name, texts in {
            "words": random.Random(1).sample(WORDS, 300),
            "three_letters": [word for word in WORDS if len(word) == 3][:300],
            "not_there": [f"{word}QXJ" for word in WORDS[:300]],
        }.items():
            figures |= {
                f"{name}_{k}": v for k, v in query_times(path, [Query(text, limit=20) for text in texts]).items()
            }
        fuzzy = [Query(word, fuzzy=True, limit=20) for word in WORDS if len(word) >= 8][:50]
        figures |= {f"fuzzy_{k}": v for k, v in query_times(path, fuzzy).items()}
        stop = threading.Event()

        def write() -> None:
            for start in itertools.takewhile(lambda _: not stop.is_set(), itertools.count(count, 20)):
                store.append([event(seq) for seq in range(start, start + 20)])
                time.sleep(0.01)

        writer = threading.Thread(target=write)
        writer.start()
        meanwhile = query_times(path, [Query(text, limit=20) for text in random.Random(2).sample(WORDS, 300)])
        stop.set()
        writer.join()
        store.close()
    return figures | {f"while_writing_{k}": v for k, v in meanwhile.items()}


def query_times(path: Path, queries: Sequence[Query]) -> dict[str, float]:
    times, cpu = [], []
    for query in queries:
        start, before = time.perf_counter(), time.thread_time()
        with StoreReader(path) as reader:
            next(reader.search(query), None)
        times.append((time.perf_counter() - start) * 1000)
        cpu.append((time.thread_time() - before) * 1000)
    return {
        "first_median_ms": round(statistics.median(times), 2),
        "first_worst_ms": round(max(times), 1),
        "first_worst_cpu_ms": round(max(cpu), 1),
    }


def late(_: argparse.Namespace) -> dict[str, Any]:
    """Join at random moments: a client must know all visible texts within a second, and receive nothing twice."""
    sync_s, wrong = [], 0
    with tempfile.TemporaryDirectory() as folder, journal(Path(folder)) as (opened, endpoint):
        stop = threading.Event()

        def publish_events() -> None:
            visible: list[int] = []
            for track in itertools.takewhile(lambda _: not stop.is_set(), itertools.count(1)):
                opened.commit([event(opened.next_seq("gate"), f"TEXT {track}", track=track)])
                visible.append(track)
                if len(visible) > 20:
                    ended = visible.pop(random.randrange(20))
                    opened.commit([event(opened.next_seq("gate"), f"TEXT {ended}", track=ended, kind="ended")])
                time.sleep(0.005)

        publisher = threading.Thread(target=publish_events)
        publisher.start()
        for _join in range(30):
            time.sleep(random.random() * 0.3)
            start = time.perf_counter()
            with subscribe(endpoint, since="snapshot") as subscription:
                while not subscription.synced:
                    subscription.wait(0.01)
                sync_s.append(time.perf_counter() - start)
                received = [subscription.receive(5) for _ in range(120)]
            wrong += not is_consistent(received, Path(folder) / "events.db")
        stop.set()
        publisher.join()
    return {
        "joins": 30,
        "sync_median_s": round(statistics.median(sync_s), 3),
        "sync_worst_s": round(max(sync_s), 3),
        "wrong": wrong,
    }


def is_consistent(received: Sequence[Any], store: Path) -> bool:
    """Return True if a client got the texts visible when it joined, then each event once, in order."""
    seqs = [one.seq for one in received if one is not None]
    with StoreReader(store) as reader:
        events = list(reader.events())
    for joined_at in range(max(seqs) - len(seqs), max(seqs) + 1):
        visible = {one.track: one.seq for one in events[: joined_at + 1]}
        visible = {t: s for t, s in visible.items() if events[s].kind != "ended"}
        expected = [visible[track] for track in sorted(visible)]
        rest = seqs[len(expected) :]
        if seqs[: len(expected)] == expected and rest == list(range(joined_at + 1, joined_at + 1 + len(rest))):
            return len(seqs) == len(received)
    return False


def curve(_: argparse.Namespace) -> dict[str, Any]:
    """Run the examples for Node.js and Python through CURVE, and clients without a key or with an unknown one."""
    count = 5000
    programs = {"node": ["node", "subscribe.mjs"], "python": [sys.executable, "subscribe.py"]}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "keys"
        for pair in ("server", "stranger", *programs):
            curve_keys.create_keys(folder, pair)
        (folder / "clients" / "stranger.key").unlink()
        server = folder / "server.key"
        with journal(Path(name), keys=folder) as (opened, endpoint):
            sent = [event(seq, f"GATE {seq} é\n") for seq in range(count)]
            for start in range(0, count, 100):
                opened.commit(sent[start : start + 100])
            received = {}
            for client, program in programs.items():
                arguments = map(str, (endpoint, count, folder / f"{client}.key_secret", server))
                ran = subprocess.run([*program, *arguments], stdout=-1, cwd=EXAMPLES, check=True, timeout=120)
                received[client] = [json.loads(line) for line in ran.stdout.splitlines()]
            silent = {}
            for client, keys in {
                "without_a_key": {},
                "with_an_unknown_key": {"key": folder / "stranger.key_secret", "server_key": server},
            }.items():
                with subscribe(endpoint, since="start", **keys) as subscription:
                    silent[client] = subscription.receive(5) is None and not subscription.connected
    expected = [json.loads(one.to_json()) for one in sent]
    return {
        "events": count,
        **{f"{client}_got_all": events == expected for client, events in received.items()},
        **{f"{client}_got_nothing": nothing for client, nothing in silent.items()},
    }


def is_lossless(results: Any) -> bool:
    """Return True if no result says that an event was lost, repeated or out of order."""
    if isinstance(results, dict):
        complete = results.get("clients_complete") == results.get("clients") and not results.get("wrong")
        return complete and all(is_lossless(value) for value in results.values())
    return results is not False


def main() -> None:
    parts = {run.__name__: run for run in (imports, throughput, search, late, curve, hostile, kills)}
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=[*parts, "all"])
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--keep", action="store_true")
    arguments = parser.parse_args()
    lossless = True
    for name in parts if arguments.part == "all" else [arguments.part]:
        machine = machine_info()
        figures = {name: parts[name](arguments), "machine": machine, "load_at_end": load_average()}
        lossless = lossless and is_lossless(figures)
        text = json.dumps(figures, indent=1)
        print(text)
        if arguments.keep:
            (RESULTS / f"subscribe-{name}.json").write_text(text + "\n")
    sys.exit(0 if lossless else 1)


if __name__ == "__main__":
    main()
