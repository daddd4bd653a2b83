"""Unusual files, read end to end in one process with the built-in models."""

from dataclasses import replace
from itertools import pairwise

import pytest

from stream_ocr import read
from stream_ocr.synthetic.corrupt import concatenate
from stream_ocr.synthetic.scene import Scene, Text, clock, render, truth

FRAME_S = 0.04
SCENE = Scene((Text(clock("12:34:56"), 0, 3, (40, 24), height=28, outline=None, panel=(20, 20, 28)),), 3.0, (480, 270))


def test_concatenated_recordings_are_read_in_continuous_media_time(builtin, tmp_path) -> None:
    one, other = replace(SCENE, start_s=-2.0), replace(SCENE, size=(640, 360), seed=1)
    render(one, tmp_path / "one.ts", b_frames=2)
    render(other, tmp_path / "other.ts")
    joined = concatenate(tmp_path / "joined.ts", tmp_path / "one.ts", tmp_path / "other.ts")
    events = list(read(joined, builtin, stream="camera"))
    shown = [(segment["text"], segment["start_s"]) for segment in truth(one)["segments"]]
    shown += [(segment["text"], segment["start_s"] + 1.0) for segment in truth(other)["segments"]]
    reported = [(event.text, event.start) for event in events if event.kind in ("appeared", "changed")]
    assert [text for text, _ in reported] == [text for text, _ in shown]
    assert [start for _, start in reported] == pytest.approx([start for _, start in shown], abs=FRAME_S + 1e-6)
    assert [event.end for event in events if event.kind == "ended"] == pytest.approx([1.0, 4.0])
    assert [event.size for event in events] == [(480, 270)] * 4 + [(640, 360)] * 4
    assert [event.track for event in events] == sorted(event.track for event in events)
    assert len({event.track for event in events}) == 2
    assert all(later.seq == earlier.seq + 1 for earlier, later in pairwise(events))
    assert len({event.id for event in events}) == len(events)
