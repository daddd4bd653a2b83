"""Store, socket and client under load: what they carry, what they cost, and what they stand.

    python benchmarks/subscribe.py imports | throughput | search | late | hostile | kills [--rounds 50]
    python benchmarks/subscribe.py all      # writes benchmarks/results/subscribe.json

Each prints one JSON object, and ends with 1 where an event was lost, repeated or out of order.
"""

import argparse
import itertools
import json
import os
import random
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil

from stream_ocr.bus.protocol import requests_endpoint
from stream_ocr.bus.publisher import Publisher, Spec
from stream_ocr.client import subscribe
from stream_ocr.events import TextEvent
from stream_ocr.journal import StoredJournal
from stream_ocr.store.reader import Query, StoreReader
from stream_ocr.store.writer import StoreWriter

RESULTS = Path(__file__).parent / "results" / "subscribe.json"
SQUARE = ((10.0, 10.0), (110.0, 10.0), (110.0, 30.0), (10.0, 30.0))
WORDS = ["".join(random.Random(n).choices("ABCDEFGHIKLMNOPRSTUVWZ", k=3 + n % 8)) for n in range(20_000)]


def event(seq: int, text: str = "", *, stream: str = "gate", kind: Any = "appeared", track: int = 0) -> TextEvent:
    text = text or " ".join(random.choices(WORDS, k=3))
    return TextEvent(
        id=f"{seq:016x}",
        seq=seq,
        kind=kind,
        stream=stream,
        track=track or seq % 50,
        text=text,
        confidence=0.97,
        characters=(0.97,) * len(text),
        start=seq / 25,
        polygon=SQUARE,
        size=(1280, 720),
        emitted_utc=datetime.now(UTC),
        durable=True,
    )


@contextmanager
def journal(folder: Path, publisher: Callable[[Spec], Publisher] = Publisher, port: int = 0) -> Iterator[Any]:
    endpoint = f"tcp://127.0.0.1:{port or free_port()}"
    spec = Spec(
        store=str(folder / "events.db"),
        events=endpoint,
        requests=requests_endpoint(endpoint),
        keys=None,
        form="json",
        max_peers=200,
        backlog=10_000,
        feed=-1,
    )
    with StoredJournal(StoreWriter(folder / "events.db"), publisher(spec)) as opened:
        yield opened, endpoint


def free_port() -> int:
    while True:
        with socket.socket() as one, socket.socket() as other:
            one.bind(("127.0.0.1", 0))
            with suppress(OSError):
                other.bind(("127.0.0.1", one.getsockname()[1] + 1))
                return int(one.getsockname()[1])


def imports(_: argparse.Namespace) -> dict[str, Any]:
    """How long ``import stream_ocr.client`` takes in a new process, and how large that is."""
    tell = "print(open('/proc/self/status').read().split('VmHWM:')[1].split()[0])"
    runs = []
    for _run in range(10):
        start = time.perf_counter()
        ran = subprocess.run([sys.executable, "-c", f"import stream_ocr.client; {tell}"], stdout=-1, check=True)
        runs.append((time.perf_counter() - start, int(ran.stdout) / 1024))
    return {
        "import_median_s": round(statistics.median(s for s, _ in runs), 3),
        "import_worst_s": round(max(s for s, _ in runs), 3),
        "rss_mib": round(max(mib for _, mib in runs), 1),
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
    print(time.time(), seqs == list(range(last + 1)), flush=True)
"""


def throughput(_: argparse.Namespace) -> dict[str, Any]:
    """Events a second through commit (durability normal), bus and a client of ours, 200 a commit."""
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
        heard_at, whole = listener.stdout.readline().split()
        listener.wait()
        bus = psutil.Process(opened.bus_pid).cpu_times()
    return {
        "events": count,
        "committed_and_handed_to_bus_per_s": round(count / committed),
        "received_by_client_per_s": round(count / (float(heard_at) - start)),
        "publisher_cpu_s": round(cpu, 1),
        "bus_cpu_s": round(bus.user + bus.system, 1),
        "slowest_commit_ms": round(slowest * 1000, 1),
        "each_once_in_order": whole == "True",
    }


def search(_: argparse.Namespace) -> dict[str, Any]:
    """First answer over a million events, each time with a new connection; while more are written, too."""
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
            figures |= {f"{name}_{k}": v for k, v in answers(path, [Query(text, limit=20) for text in texts]).items()}
        fuzzy = [Query(word, fuzzy=True, limit=20) for word in WORDS if len(word) >= 8][:50]
        figures |= {f"fuzzy_{k}": v for k, v in answers(path, fuzzy).items()}
        stop = threading.Event()

        def write() -> None:
            for start in itertools.takewhile(lambda _: not stop.is_set(), itertools.count(count, 20)):
                store.append([event(seq) for seq in range(start, start + 20)])
                time.sleep(0.01)

        writing = threading.Thread(target=write)
        writing.start()
        meanwhile = answers(path, [Query(text, limit=20) for text in random.Random(2).sample(WORDS, 300)])
        stop.set()
        writing.join()
        store.close()
    return figures | {f"while_writing_{k}": v for k, v in meanwhile.items()}


def answers(path: Path, queries: Sequence[Query]) -> dict[str, float]:
    times = []
    for query in queries:
        start = time.perf_counter()
        with StoreReader(path) as reader:
            next(reader.search(query), None)
        times.append((time.perf_counter() - start) * 1000)
    return {"first_median_ms": round(statistics.median(times), 2), "first_worst_ms": round(max(times), 1)}


def late(_: argparse.Namespace) -> dict[str, Any]:
    """Clients that join at any moment: what is in sight must be known within a second, and nothing comes twice."""
    known_after, wrong = [], 0
    with tempfile.TemporaryDirectory() as folder, journal(Path(folder)) as (opened, endpoint):
        stop = threading.Event()

        def play() -> None:
            visible: list[int] = []
            for track in itertools.takewhile(lambda _: not stop.is_set(), itertools.count(1)):
                opened.commit([event(opened.number("gate"), f"TEXT {track}", track=track)])
                visible.append(track)
                if len(visible) > 20:
                    gone = visible.pop(random.randrange(20))
                    opened.commit([event(opened.number("gate"), f"TEXT {gone}", track=gone, kind="ended")])
                time.sleep(0.005)

        playing = threading.Thread(target=play)
        playing.start()
        for _join in range(30):
            time.sleep(random.random() * 0.3)
            start = time.perf_counter()
            with subscribe(endpoint, since="snapshot") as subscription:
                while not subscription.joined:
                    subscription.wait(0.01)
                known_after.append(time.perf_counter() - start)
                got = [subscription.receive(5) for _ in range(120)]
            wrong += not follows(got, Path(folder) / "events.db")
        stop.set()
        playing.join()
    return {
        "joins": 30,
        "in_sight_known_median_s": round(statistics.median(known_after), 3),
        "in_sight_known_worst_s": round(max(known_after), 3),
        "wrong": wrong,
    }


def follows(got: Sequence[Any], store: Path) -> bool:
    """Whether a client had what was in sight when it joined, and then each event once, in order."""
    seqs = [one.seq for one in got if one is not None]
    with StoreReader(store) as reader:
        events = list(reader.events())
    for joined_at in range(max(seqs) - len(seqs), max(seqs) + 1):
        visible = {one.track: one.seq for one in events[: joined_at + 1]}
        visible = {t: s for t, s in visible.items() if events[s].kind != "ended"}
        expected = [visible[track] for track in sorted(visible)]
        rest = seqs[len(expected) :]
        if seqs[: len(expected)] == expected and rest == list(range(joined_at + 1, joined_at + 1 + len(rest))):
            return len(seqs) == len(got)
    return False


HEAR = """
import sys, time
from stream_ocr.client import subscribe
late, seqs = [], []
with subscribe(sys.argv[1]) as subscription:
    while not subscription.joined:
        subscription.wait(0.05)
    print(flush=True)
    while True:
        event = subscription.receive(30)
        if event is None or event.text == "THE END":
            break
        late.append(time.time() - event.emitted_utc.timestamp())
        seqs.append(event.seq)
late.sort()
whole = seqs == list(range(seqs[0], seqs[0] + len(seqs)))
print(late[len(late) // 2], late[int(len(late) * 0.99)], late[-1], len(seqs), whole, flush=True)
"""
HANDSHAKE = """
import os, socket, struct, sys

port = int(sys.argv[1])


def greeted():
    raw = socket.create_connection(("127.0.0.1", port))
    raw.sendall(b"\\xff" + bytes(8) + b"\\x7f\\x03\\x00" + b"NULL".ljust(20, b"\\0") + bytes(32))
    raw.recv(64, socket.MSG_WAITALL)
    ready = b"\\x05READY\\x0bSocket-Type" + struct.pack(">I", 3) + b"SUB"
    raw.sendall(b"\\x04" + bytes([len(ready)]) + ready)
    raw.recv(raw.recv(2, socket.MSG_WAITALL)[1], socket.MSG_WAITALL)
    return raw
"""
FLOOD = (
    HANDSHAKE
    + """
while True:
    try:
        with greeted() as raw:
            for n in range(10**9):
                topic = b"\\x01topic %d " % n + bytes(200)
                raw.sendall(b"\\x00" + bytes([len(topic)]) + topic)
    except (OSError, IndexError):
        pass
"""
)
NOISE = (
    HANDSHAKE
    + """
while True:
    for head in (b"\\x02" + struct.pack(">Q", 2**30), b"", None):
        try:
            with socket.create_connection(("127.0.0.1", port)) if head is None else greeted() as raw:
                raw.sendall(head or b"")
                for _ in range(1024):  # a GiB
                    raw.sendall(os.urandom(2**20))
        except (OSError, IndexError):
            pass
"""
)


def hostile(_: argparse.Namespace) -> dict[str, Any]:
    """Ten clients, three of which mean harm or are stopped, next to one alone: latency and memory."""
    with tempfile.TemporaryDirectory() as folder, journal(Path(folder)) as (opened, endpoint):
        port = endpoint.rpartition(":")[2]
        processes = [psutil.Process(), psutil.Process(opened.bus_pid)]
        alone = heard(opened, endpoint, processes, others=0)
        stopped = subprocess.Popen([sys.executable, "-c", HEAR, endpoint], stdout=-1)
        assert stopped.stdout is not None
        stopped.stdout.readline()
        stopped.send_signal(signal.SIGSTOP)
        harmful = [subprocess.Popen(["nice", sys.executable, "-c", program, port]) for program in (FLOOD, NOISE)]
        crowded = heard(opened, endpoint, processes, others=6)
        for process in (stopped, *harmful):
            process.kill()
            process.wait()
        stopped.stdout.close()
    grown = {f"{name}_rss_grown_mib": round(crowded[name] - alone[name], 1) for name in ("publisher", "bus")}
    return {"alone": alone, "with_nine_others": crowded, **grown}


def heard(opened: Any, endpoint: str, processes: Sequence[psutil.Process], others: int) -> dict[str, Any]:
    """100 events a second for 20 s; what a client sees of it."""
    clients = [
        subprocess.Popen([sys.executable, "-c", HEAR, endpoint], stdout=-1, text=True) for _ in range(1 + others)
    ]
    for client in clients:
        assert client.stdout is not None
        client.stdout.readline()
    commits, rss = [], [0.0, 0.0]
    for n in range(2000):
        due = time.perf_counter() + 0.01
        made = [event(opened.number("gate"), "THE END" if n == 1999 else "")]
        began = time.perf_counter()
        opened.commit(made)
        commits.append((time.perf_counter() - began) * 1000)
        if n % 20 == 0:
            rss = [max(most, process.memory_info().rss / 2**20) for most, process in zip(rss, processes, strict=True)]
        time.sleep(max(0.0, due - time.perf_counter()))
    told = [client.stdout.read().split() for client in clients if client.stdout]
    for client in clients:
        client.wait()
    commits.sort()
    return {
        "commit_median_ms": round(commits[1000], 2),
        "commit_99_ms": round(commits[1980], 2),
        "event_median_ms": round(float(told[0][0]) * 1000, 1),
        "event_99_ms": round(float(told[0][1]) * 1000, 1),
        "clients_whole": sum(words[4] == "True" for words in told),
        "clients": len(told),
        "publisher": round(rss[0], 1),
        "bus": round(rss[1], 1),
    }


class Deadly(Publisher):
    """Now and then its process is killed between commit and publish."""

    def publish(self, lines: Sequence[bytes]) -> None:
        if random.random() < 0.005:
            os.kill(os.getpid(), signal.SIGKILL)
        super().publish(lines)


def write(folder: Path, port: int) -> None:
    """Publish until killed, here or from outside; the last time until standard input ends."""
    with journal(folder, Deadly if os.environ.get("DEADLY") else Publisher, port) as (opened, _):
        print(flush=True)
        for _ in range(300):
            opened.commit([event(opened.number("gate")) for _ in range(random.randint(1, 9))])
            time.sleep(0.002)


def kills(arguments: argparse.Namespace) -> dict[str, Any]:
    """The publisher is killed again and again; clients with a cursor must have each committed event exactly once."""
    killed = {"between commit and publish": 0, "at random": 0}
    with tempfile.TemporaryDirectory() as name:
        folder, port = Path(name), free_port()
        endpoint = f"tcp://127.0.0.1:{port}"
        steady: list[int] = []
        restarted: list[int] = []
        again = {"since": "start", "cursor": folder / "cursor"}
        with subscribe(endpoint, since="start") as subscription:
            for round_ in range(arguments.rounds + 1):
                last = round_ == arguments.rounds
                program = [sys.executable, __file__, "write", "--folder", str(folder), "--port", str(port)]
                environment = os.environ | ({} if last else {"DEADLY": "1"})
                publisher = subprocess.Popen(program, stdin=-3, stdout=-1, env=environment)
                assert publisher.stdout is not None
                publisher.stdout.readline()
                with subscribe(endpoint, **again) as other:
                    ends = time.monotonic() + (60 if last else random.random() * 0.6)
                    while publisher.poll() is None and time.monotonic() < ends:
                        take(subscription, steady)
                        take(other, restarted)
                    if publisher.poll() is None:
                        killed["at random"] += 1
                    elif not last:
                        killed["between commit and publish"] += 1
                    publisher.kill()
                    publisher.wait()
                    publisher.stdout.close()
            with StoreReader(folder / "events.db") as store:
                committed = [one.seq for one in store.events()]
            with journal(folder, port=port), subscribe(endpoint, **again) as other:
                ends = time.monotonic() + 20
                while (len(steady), len(restarted)) != (len(committed),) * 2 and time.monotonic() < ends:
                    take(subscription, steady)
                    take(other, restarted)
                for _ in range(10):
                    take(subscription, steady)
                    take(other, restarted)
    return {
        "kills": killed,
        "committed": len(committed),
        "seq_gap_free": committed == list(range(len(committed))),
        "client_that_stayed_had_each_once": steady == committed,
        "client_with_a_cursor_file_had_each_once": restarted == committed,
    }


def take(subscription: Any, seqs: list[int]) -> None:
    while (one := subscription.receive(0.02)) is not None:
        seqs.append(one.seq)


def fine(figures: Any) -> bool:
    """Whether nothing among the figures says that an event was lost, repeated or out of order."""
    if isinstance(figures, dict):
        whole = figures.get("clients_whole") == figures.get("clients") and not figures.get("wrong")
        return whole and all(fine(value) for value in figures.values())
    return figures is not False


def main() -> None:
    parts = {run.__name__: run for run in (imports, throughput, search, late, hostile, kills)}
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=[*parts, "all", "write"])
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--port", type=int)
    arguments = parser.parse_args()
    if arguments.part == "write":
        write(arguments.folder, arguments.port)
        return
    chosen = parts if arguments.part == "all" else {arguments.part: parts[arguments.part]}
    figures = {name: run(arguments) for name, run in chosen.items()}
    print(json.dumps(figures, indent=1))
    if arguments.part == "all":
        RESULTS.write_text(json.dumps(figures, indent=1) + "\n")
    sys.exit(0 if fine(figures) else 1)


if __name__ == "__main__":
    main()
