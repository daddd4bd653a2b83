"""Clients that mean harm, and kills of the publisher."""

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

HEAR = """
import sys, time
from stream_ocr.client import subscribe
late, seqs = [], []
with subscribe(sys.argv[1]) as subscription:
    while not subscription.synced:
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
    commits, rss, before = [], [0.0, 0.0], [_cpu_s(process) for process in processes]
    for n in range(2000):
        due = time.perf_counter() + 0.01
        made = [event(opened.next_seq("gate"), "THE END" if n == 1999 else "")]
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
        "publisher_cpu_s": round(_cpu_s(processes[0]) - before[0], 2),
        "bus_cpu_s": round(_cpu_s(processes[1]) - before[1], 2),
    }


def _cpu_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    return times.user + times.system


class Deadly(Publisher):
    """Now and then its process is killed between commit and publish."""

    def publish(self, lines: Sequence[bytes]) -> None:
        if random.random() < 0.005:
            os.kill(os.getpid(), signal.SIGKILL)
        super().publish(lines)


def write(folder: Path, port: int) -> None:
    """Publish until killed, here or from outside; the last time until standard input ends."""
    with journal(folder, Deadly if os.environ.get("DEADLY") else Publisher, port=port) as (opened, _):
        print(flush=True)
        for _ in range(300):
            opened.commit([event(opened.next_seq("gate")) for _ in range(random.randint(1, 9))])
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
                program = [sys.executable, __file__, str(folder), str(port)]
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


if __name__ == "__main__":
    write(Path(sys.argv[1]), int(sys.argv[2]))
