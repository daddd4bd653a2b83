"""Hostile clients, and kills of the publisher."""

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psutil
from subscribe_bed import event, free_port, journal

from stream_ocr.bus.publisher import Publisher
from stream_ocr.client import subscribe
from stream_ocr.store.reader import StoreReader

RECEIVE = """
import sys, time
from stream_ocr.client import subscribe
delays, seqs = [], []
with subscribe(sys.argv[1]) as subscription:
    while not subscription.synced:
        subscription.wait(0.05)
    print(flush=True)
    while True:
        event = subscription.receive(30)
        if event is None or event.text == "THE END":
            break
        delays.append(time.time() - event.emitted_utc.timestamp())
        seqs.append(event.seq)
delays.sort()
complete = seqs == list(range(seqs[0], seqs[0] + len(seqs)))
print(delays[len(delays) // 2], delays[int(len(delays) * 0.99)], delays[-1], len(seqs), complete, flush=True)
"""
HANDSHAKE = """
import os, socket, struct, sys

port = int(sys.argv[1])


def handshake():
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
        with handshake() as raw:
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
            with socket.create_connection(("127.0.0.1", port)) if head is None else handshake() as raw:
                raw.sendall(head or b"")
                for _ in range(1024):  # a GiB
                    raw.sendall(os.urandom(2**20))
        except (OSError, IndexError):
            pass
"""
)


def hostile(_: argparse.Namespace) -> dict[str, Any]:
    """Compare latency and memory of ten clients, of which three are hostile or stopped, with one client alone."""
    with tempfile.TemporaryDirectory() as folder, journal(Path(folder)) as (opened, endpoint):
        port = endpoint.rpartition(":")[2]
        processes = [psutil.Process(), psutil.Process(opened.bus_pid)]
        alone = measure_clients(opened, endpoint, processes, others=0)
        stopped = subprocess.Popen([sys.executable, "-c", RECEIVE, endpoint], stdout=-1)
        assert stopped.stdout is not None
        stopped.stdout.readline()
        stopped.send_signal(signal.SIGSTOP)
        attackers = [subprocess.Popen(["nice", sys.executable, "-c", program, port]) for program in (FLOOD, NOISE)]
        crowded = measure_clients(opened, endpoint, processes, others=6)
        for process in (stopped, *attackers):
            process.kill()
            process.wait()
        stopped.stdout.close()
    growth = {f"{name}_rss_growth_mib": round(crowded[name] - alone[name], 1) for name in ("publisher", "bus")}
    return {"alone": alone, "with_nine_others": crowded, **growth}


def measure_clients(opened: Any, endpoint: str, processes: Sequence[psutil.Process], others: int) -> dict[str, Any]:
    """Publish 100 events a second for 20 s; return the clients' latency and the cost."""
    clients = [
        subprocess.Popen([sys.executable, "-c", RECEIVE, endpoint], stdout=-1, text=True) for _ in range(1 + others)
    ]
    for client in clients:
        assert client.stdout is not None
        client.stdout.readline()
    commits, rss, before = [], [0.0, 0.0], [_cpu_s(process) for process in processes]
    for n in range(2000):
        due = time.perf_counter() + 0.01
        events = [event(opened.next_seq("gate"), "THE END" if n == 1999 else "")]
        started = time.perf_counter()
        opened.commit(events)
        commits.append((time.perf_counter() - started) * 1000)
        if n % 20 == 0:
            rss = [max(most, process.memory_info().rss / 2**20) for most, process in zip(rss, processes, strict=True)]
        time.sleep(max(0.0, due - time.perf_counter()))
    results = [client.stdout.read().split() for client in clients if client.stdout]
    for client in clients:
        client.wait()
    commits.sort()
    return {
        "commit_median_ms": round(commits[1000], 2),
        "commit_99_ms": round(commits[1980], 2),
        "event_median_ms": round(float(results[0][0]) * 1000, 1),
        "event_99_ms": round(float(results[0][1]) * 1000, 1),
        "clients_complete": sum(words[4] == "True" for words in results),
        "clients": len(results),
        "publisher": round(rss[0], 1),
        "bus": round(rss[1], 1),
        "publisher_cpu_s": round(_cpu_s(processes[0]) - before[0], 2),
        "bus_cpu_s": round(_cpu_s(processes[1]) - before[1], 2),
    }


def _cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return times.user + times.system


class KilledPublisher(Publisher):
    """A publisher whose process is sometimes killed between commit and publish."""

    def publish(self, lines: Sequence[bytes]) -> None:
        if random.random() < 0.005:
            os.kill(os.getpid(), signal.SIGKILL)
        super().publish(lines)


def write(folder: Path, port: int) -> None:
    """Publish until killed by ``KilledPublisher`` or from outside."""
    with journal(folder, KilledPublisher if os.environ.get("KILL_PUBLISHER") else Publisher, port=port) as (opened, _):
        print(flush=True)
        for _ in range(300):
            opened.commit([event(opened.next_seq("gate")) for _ in range(random.randint(1, 9))])
            time.sleep(0.002)


def kills(arguments: argparse.Namespace) -> dict[str, Any]:
    """Kill the publisher repeatedly; clients with a cursor must receive each committed event exactly once."""
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
                program = [sys.executable, __file__, str(folder), str(port)]
                environment = os.environ | ({} if last else {"KILL_PUBLISHER": "1"})
                publisher = subprocess.Popen(program, stdin=-3, stdout=-1, env=environment)
                assert publisher.stdout is not None
                publisher.stdout.readline()
                with subscribe(endpoint, **again) as other:
                    ends = time.monotonic() + (60 if last else random.random() * 0.6)
                    while publisher.poll() is None and time.monotonic() < ends:
                        receive_all(subscription, steady)
                        receive_all(other, restarted)
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
                    receive_all(subscription, steady)
                    receive_all(other, restarted)
                for _ in range(10):
                    receive_all(subscription, steady)
                    receive_all(other, restarted)
    return {
        "kills": killed,
        "committed": len(committed),
        "seq_gap_free": committed == list(range(len(committed))),
        "steady_client_received_each_once": steady == committed,
        "restarted_client_received_each_once": restarted == committed,
    }


def receive_all(subscription: Any, seqs: list[int]) -> None:
    while (one := subscription.receive(0.02)) is not None:
        seqs.append(one.seq)


if __name__ == "__main__":
    write(Path(sys.argv[1]), int(sys.argv[2]))
