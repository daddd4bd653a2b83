"""Processes of the history check: a publisher and a client, each of which keeps a log of what it did.

    python benchmarks/history_processes.py publisher FOLDER PORT LOG
    python benchmarks/history_processes.py client PORT LOG CURSOR

Lines of a publisher: "ack SEQ ID DURABLE" once an event is committed. Lines of a client: "start SEQ" with the position
in its cursor, then "event SEQ ID DURABLE" for each event, written before the next one is requested. A line is written
with one system call, so that a kill leaves whole lines.
"""

import os
import random
import select
import signal
import sys
import time
import uuid
from pathlib import Path
from threading import Event as Flag

import msgspec
from subscribe_bed import event, journal

from stream_ocr.client import subscribe
from stream_ocr.client.cursor import Cursor

INTERVAL_S = 0.02  # between two commits
MAX_EVENTS = 3  # of one commit
CHECK_S = 0.1  # between two checks of the bus once nothing is committed any more


class Log:
    """A file of lines, complete up to a kill."""

    def __init__(self, path: Path) -> None:
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def write(self, *words: object) -> None:
        os.write(self._fd, (" ".join(map(str, words)) + "\n").encode())


def publisher(folder: Path, port: int, log: Log) -> None:
    """Commit events until SIGTERM, then keep the bus running until standard input ends."""
    stop = Flag()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    with journal(folder, port=port) as (opened, _):
        print(opened.bus_pid, flush=True)
        while not stop.is_set():
            events = [_new_event(opened.next_seq("gate")) for _ in range(random.randint(1, MAX_EVENTS))]
            for committed in opened.commit(events):
                log.write("ack", committed.seq, committed.id, committed.durable)
            time.sleep(INTERVAL_S)
        while not select.select([sys.stdin], [], [], CHECK_S)[0]:
            opened.commit([])


def _new_event(seq: int):
    return msgspec.structs.replace(event(seq), id=uuid.uuid4().hex[:16])


def client(port: int, log: Log, cursor: Path) -> None:
    """Log each event once it is processed, until killed."""
    log.write("start", Cursor(cursor).streams.get("gate", -1))
    with subscribe(f"tcp://127.0.0.1:{port}", since="start", cursor=cursor) as subscription:
        for received in subscription:
            log.write("event", received.seq, received.id, received.durable)


if __name__ == "__main__":
    if sys.argv[1] == "publisher":
        publisher(Path(sys.argv[2]), int(sys.argv[3]), Log(Path(sys.argv[4])))
    else:
        client(int(sys.argv[2]), Log(Path(sys.argv[3])), Path(sys.argv[4]))
