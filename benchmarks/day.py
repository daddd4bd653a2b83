"""Measure the view of a day: time and memory of its answers for a generated store.

Usage: python benchmarks/day.py [--texts 200000] [--output benchmarks/results/day.json]

Sixteen cameras; the first shows a clock that ticks every two seconds, each has a sign that stays all day, and the
others show signs for five seconds each. All values are of one thread and one request at a time.
"""

import argparse
import json
import multiprocessing
import resource
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from stream_ocr.config.settings import Settings
from stream_ocr.events import TextEvent
from stream_ocr.store.writer import StoreWriter
from stream_ocr.testing import text_event
from stream_ocr.viz.dashboard.day import DayPage, DayQuery, HourCounts, count_hours, read_page
from stream_ocr.viz.dashboard.event_buffer import EventBuffer
from stream_ocr.viz.dashboard.history_sources import open_history

DAY = datetime(2026, 3, 10, tzinfo=UTC)
CAMERAS, DAY_S, CLOCK_S, SHOWN_S = 16, 86_400.0, 2.0, 5.0
BATCH = 2000  # events in one transaction
Answers = dict[str, float]


def _changes(texts: int) -> Iterator[tuple[float, str, dict[str, object]]]:
    """Yield time in seconds, camera and fields of the events of a day, in order of time."""
    signs = texts - int(DAY_S / CLOCK_S) - CAMERAS
    changes = [(0.0, f"camera {n:02}", {"kind": "appeared", "track": 0, "text": "EXIT"}) for n in range(CAMERAS)]
    for n in range(signs):
        at, camera = n * DAY_S / signs, f"camera {1 + n % (CAMERAS - 1):02}"
        fields = {"track": n + 1, "text": f"SIGN {n * 7919 % signs}", "start": at}
        changes.append((at, camera, {**fields, "kind": "appeared"}))
        changes.append((at + SHOWN_S, camera, {**fields, "kind": "ended", "end": at + SHOWN_S}))
    for n in range(int(DAY_S / CLOCK_S)):
        clock = str(timedelta(seconds=n * CLOCK_S))
        changes.append((n * CLOCK_S, "camera 00", {"kind": "changed" if n else "appeared", "track": 1, "text": clock}))
    yield from sorted(changes, key=lambda change: change[0])


def _events(texts: int) -> Iterator[TextEvent]:
    seqs: dict[str, int] = {}
    for at, camera, fields in _changes(texts):
        seq = seqs[camera] = seqs.get(camera, -1) + 1
        start = float(str(fields.get("start", at)))
        published, began = DAY + timedelta(seconds=at + 0.3), DAY + timedelta(seconds=start)
        more = {"emitted_utc": published, "start_utc": began, "utc_source": "arrival", "start": start}
        yield text_event(seq, stream=camera, char_confidences=(0.9,) * 10, **{**fields, **more})


def write_store(path: Path, texts: int) -> None:
    """Write a store with so many texts in one day."""
    writer = StoreWriter(path, durability="off")
    writer.open()
    batch: list[TextEvent] = []
    for event in _events(texts):
        batch.append(event)
        if len(batch) == BATCH:
            writer.append(batch)
            batch = []
    writer.append(batch)
    writer.close()


def _measure(settings: Settings, make: Callable[..., DayPage | HourCounts] = read_page, **fields: str) -> Answers:
    """Ask for all of a day. Return the number of texts and answers, and their time in seconds."""
    texts, took = 0, []
    query: DayQuery | None = DayQuery(DAY, DAY + timedelta(days=1), **fields)
    while query is not None:
        began = time.perf_counter()
        with open_history(settings, EventBuffer()) as source:
            answer = make(source, query)
        took.append(time.perf_counter() - began)
        texts += len(answer.texts) if isinstance(answer, DayPage) else sum(number for _, number in answer.hours)
        query = None if answer.next is None else replace(query, after=answer.next)
    return {"texts": texts, "answers": len(took), "all_s": round(sum(took), 2), "longest_s": round(max(took), 3)}


def _memory_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measure(store: Path) -> dict[str, object]:
    """Return what each kind of request takes."""
    settings = Settings.load(None, [f"store.path={store}"])
    before = _memory_mb()
    found = {
        "hours": _measure(settings, count_hours),
        "all texts": _measure(settings),
        "one camera": _measure(settings, stream="camera 03"),
        "filter": _measure(settings, text="sign 1234"),
        "clock": _measure(settings, stream="camera 00"),
    }
    return {"store_mb": round(store.stat().st_size / 1e6), **found, "memory_mb": round(_memory_mb() - before, 1)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--texts", type=int, default=200_000)
    parser.add_argument("--store", type=Path, help="keep the store here")
    parser.add_argument("--output", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        store = arguments.store or Path(folder) / "events.db"
        if not store.exists():  # in a process of its own, whose memory does not count
            writer = multiprocessing.get_context("spawn").Process(target=write_store, args=(store, arguments.texts))
            writer.start()
            writer.join()
        result = json.dumps(measure(store), indent=1)
    print(result)
    if arguments.output:
        arguments.output.write_text(f"{result}\n")


if __name__ == "__main__":
    main()
