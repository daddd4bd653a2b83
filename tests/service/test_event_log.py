from pathlib import Path
from threading import Event as Flag

from stream_ocr.events import SourceEvent, read_jsonl
from stream_ocr.service.event_log import EventLog
from stream_ocr.viz.dashboard.event_buffer import EventBuffer
from stream_ocr.viz.dashboard.event_sources import FeedThread, LogFileFeed


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
