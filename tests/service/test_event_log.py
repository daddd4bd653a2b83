from contextlib import ExitStack
from pathlib import Path
from threading import Event as Flag

import pytest

from stream_ocr.events import SourceEvent, read_jsonl
from stream_ocr.service.event_log import EventLog
from stream_ocr.viz.dashboard.event_buffer import EventBuffer
from stream_ocr.viz.dashboard.event_sources import FeedThread, LogFileFeed

FEEDS, EVENTS = 30, 50_000


def event(seq: int) -> SourceEvent:
    return SourceEvent(id=f"{seq:016x}", seq=seq, kind="source.gap", stream="gate", reason="stale")


def test_event_log_keeps_the_newer_half() -> None:
    size = len(event(0).to_json()) + 1
    log = EventLog(max_bytes=10 * size)
    path = Path(f"/proc/self/fd/{log.fd}")
    for seq in range(10):
        log.append([event(seq)])
    assert [each.seq for each in read_jsonl(path)] == list(range(10))
    log.append([event(10)])
    kept = [each.seq for each in read_jsonl(path)]
    assert kept == list(range(kept[0], 11))
    assert 4 <= len(kept) <= 6
    log.close()


def test_feed_of_an_event_log_restarts_when_the_log_drops_events() -> None:
    log = EventLog(max_bytes=20 * len(event(0).to_json()))
    buffer = EventBuffer()
    with FeedThread(LogFileFeed(Path(f"/proc/self/fd/{log.fd}")), buffer):
        for seq in range(50):
            log.append([event(seq)])
        waiting = Flag()
        while [each.seq for each in buffer.events()][-1:] != [49]:
            waiting.wait(0.01)
    seqs = [each.seq for each in buffer.events()]
    assert seqs == list(range(seqs[0], 50))
    log.close()


def test_feeds_of_an_event_log_read_nothing_while_the_log_is_cut(caplog: pytest.LogCaptureFixture) -> None:
    """A file that is cut and written again holds zeros, or half of an event, for a moment."""
    log = EventLog(max_bytes=40 * len(event(0).to_json()))
    path = Path(f"/proc/self/fd/{log.fd}")
    buffers = [EventBuffer() for _ in range(FEEDS)]
    with ExitStack() as stack:
        for buffer in buffers:
            stack.enter_context(FeedThread(LogFileFeed(path), buffer))
        for seq in range(EVENTS):
            log.append([event(seq)])
        waiting = Flag()
        for buffer in buffers:
            while [each.seq for each in buffer.events()][-1:] != [EVENTS - 1]:
                waiting.wait(0.01)
    assert not caplog.records
    for buffer in buffers:
        seqs = [each.seq for each in buffer.events()]
        assert seqs == list(range(seqs[0], EVENTS))
    log.close()
