"""Files that are read one after the other share their processes, and their events are those of separate runs."""

import msgspec
import pytest

from stream_ocr.api import FileQueue
from stream_ocr.errors import SourceError
from stream_ocr.events import TextEvent
from stream_ocr.testing import MemorySink

SHARED = ("detect", "track", "recognize", "publish")


def alike(event: TextEvent) -> TextEvent:
    return msgspec.structs.replace(event, id="", stream="", emitted_utc=None)


def test_files_in_turn_share_processes_and_keep_their_events(clip, by_processes, builtin, tmp_path) -> None:
    bad = tmp_path / "bad.mp4"
    bad.write_bytes(b"no video" * 1000)
    sink = MemorySink()
    expected = list(map(alike, by_processes.events))
    with FileQueue({"first": clip.path, "bad": bad, "second": clip.path}, builtin) as queue:
        assert list(map(alike, queue.read("first"))) == expected
        summary, pids = queue.summary(), queue.pids
        with pytest.raises(SourceError, match=r"bad\.mp4"):
            list(queue.read("bad"))
        assert {name: queue.pids[name] for name in SHARED} == {name: pids[name] for name in SHARED}
        assert list(map(alike, queue.read("second", [sink]))) == expected
        assert queue.summary().frames == summary.frames == by_processes.summary.frames
    assert list(map(alike, sink.events)) == expected
    assert {event.stream for event in sink.events} == {"second"}


def test_no_file_is_read_after_stop(clip, builtin) -> None:
    with FileQueue({"first": clip.path, "second": clip.path}, builtin) as queue:
        assert len(list(queue.read("first"))) > 0
        queue.stop()
        assert list(queue.read("second")) == []
        assert queue.summary().frames == 0
