from datetime import UTC, datetime

import pytest

import stream_ocr
from stream_ocr.events import SourceEvent, TextEvent

pandas = pytest.importorskip("pandas", reason="needs pandas: pip install 'stream-ocr[notebook]'")

POLYGON = ((0, 0), (4, 0), (4, 2), (0, 2))


def event(seq: int, kind: str, **fields):
    defaults = {"id": f"{seq}", "stream": "gate", "track": 1, "text": "GATE 4", "confidence": 0.9, "start": 1.0}
    return TextEvent(seq=seq, kind=kind, polygon=POLYGON, size=(9, 9), **defaults | fields)


def test_to_frame_has_one_row_per_event_and_one_column_per_field():
    utc = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    events = [event(0, "appeared", start_utc=utc), SourceEvent(id="", seq=1, kind="source.down", stream="gate")]
    frame = stream_ocr.to_frame([*events, event(2, "ended", end=2.5)])
    assert list(frame.columns[:5]) == ["schema", "id", "seq", "kind", "stream"]
    assert list(frame["text"]) == ["GATE 4", "GATE 4"]
    assert (frame["end"] - frame["start"]).tolist()[1] == 1.5
    assert frame["start_utc"].tolist()[0] == pandas.Timestamp(utc)
    assert frame["start_utc"].isna().tolist() == [False, True]
    assert frame.groupby("kind", observed=True).size().to_dict() == {"appeared": 1, "ended": 1}


def test_to_frame_without_events_has_all_columns():
    frame = stream_ocr.to_frame([])
    assert len(frame) == 0
    assert {"text", "start", "end", "polygon"} <= set(frame.columns)
