import json
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import jsonschema
import msgspec
import pytest

from stream_ocr.errors import SourceError
from stream_ocr.events import (
    SCHEMA,
    SourceEvent,
    TextEvent,
    assignment_of,
    event_id,
    parse,
    quad_to_polygon,
    read_jsonl,
)

SQUARE = ((0.0, 0.0), (10.0, 0.0), (10.0, 5.0), (0.0, 5.0))
FIELDS = [
    *("schema", "id", "seq", "kind", "stream", "track", "text", "confidence", "char_confidences", "start", "end"),
    *(
        "start_utc",
        "end_utc",
        "utc_source",
        "polygon",
        "size",
        "previous",
        "emitted_utc",
        "durable",
        "overlay",
        "field",
    ),
]


def event(**changes) -> TextEvent:
    facts = {
        "id": "0",
        "seq": 0,
        "kind": "appeared",
        "stream": "match.mp4",
        "track": 1,
        "text": "GATE 4",
        "confidence": 0.9,
        "start": 1.0,
        "polygon": SQUARE,
        "size": (1280, 720),
    }
    return TextEvent(**{**facts, **changes})


def test_to_json_writes_every_field_in_documented_order():
    assert list(json.loads(event().to_json())) == FIELDS


def test_to_json_is_one_line():
    line = event(text='two\nlines "quoted" Ünïcode').to_json()
    assert b"\n" not in line
    assert json.loads(line)["text"] == 'two\nlines "quoted" Ünïcode'


def test_event_equals_its_own_json():
    precise = event(
        kind="ended",
        confidence=0.123456789,
        char_confidences=(0.99999999, 1 / 3),
        start=1 / 3,
        end=2 / 3,
        polygon=tuple((x + 1 / 3, y + 2 / 3) for x, y in SQUARE),
        emitted_utc=datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC),
    )
    assert precise.start == 0.333333
    assert precise.end == 0.666667
    assert precise.char_confidences == (1.0, 0.3333)
    assert precise.polygon[0] == (0.33, 0.67)
    assert TextEvent.from_json(precise.to_json()) == precise
    assert parse(precise.to_json()) == precise


def test_end_is_null_except_on_ended():
    assert json.loads(event().to_json())["end"] is None
    assert json.loads(event(kind="ended", end=2.0).to_json())["end"] == 2.0


def test_from_json_ignores_unknown_fields():
    row = json.loads(event().to_json()) | {"language": "en"}
    assert TextEvent.from_json(json.dumps(row)) == event()


@pytest.mark.parametrize("change", [{"kind": "seen"}, {"track": "one"}, {"polygon": [[0, 0]]}, {"confidence": 1.5}])
def test_parse_rejects_invalid_events(change):
    row = json.loads(event().to_json()) | change
    with pytest.raises(msgspec.ValidationError):
        parse(json.dumps(row))


def test_event_id_depends_on_every_part_and_nothing_else():
    parts = ("match.mp4", 1, "appeared", 0, 1.25, "GATE 4")
    assert event_id(*parts) == event_id(*parts)
    others = {event_id(*parts[:i], "other", *parts[i + 1 :]) for i in range(len(parts))}
    assert len(others | {event_id(*parts)}) == len(parts) + 1
    assert event_id("a", "bc") != event_id("ab", "c")


def test_quad_to_polygon_pairs_the_numbers():
    assert quad_to_polygon((0, 0, 10, 0, 10, 5, 0, 5)) == SQUARE


RELEASED = sorted(Path(__file__).parent.glob("events_*.jsonl"))


def test_the_current_schema_has_a_file() -> None:
    """A new schema needs readers of the events that exist, and a file for the next test."""
    assert RELEASED[-1].stem == f"events_{SCHEMA}"


@pytest.mark.parametrize("path", RELEASED, ids=lambda path: path.stem)
def test_events_of_a_released_schema_are_read(path: Path) -> None:
    events = list(read_jsonl(path))
    assert [each.kind for each in events] == ["source.up", "appeared", "changed", "source.gap"]
    assert (events[2].text, events[2].previous, events[2].confidence) == ("GATE 5", "GATE 4", 0.95)
    assert events[3].frames == 12


def test_events_of_a_newer_schema_are_refused_in_one_sentence(tmp_path: Path) -> None:
    newer = json.dumps({"seq": 0, "stream": "gate", "kind": "appeared", "schema": SCHEMA + 1, "words": []})
    sentence = f"it has schema {SCHEMA + 1}, but this program reads schema {SCHEMA}; use the version that wrote it"
    for read in (parse, TextEvent.from_json):
        with pytest.raises(msgspec.ValidationError, match=sentence):
            read(newer)
    path = tmp_path / "events.jsonl"
    path.write_bytes(event().to_json() + b"\n" + newer.encode() + b"\n")
    events = read_jsonl(path)
    assert next(events) == event()
    with pytest.raises(SourceError, match=sentence):
        next(events)


def test_parse_accepts_source_events():
    gap = SourceEvent(id="1", seq=4, kind="source.gap", stream="gate", start=1.0, end=2.0, frames=25, reason="lost")
    assert parse(gap.to_json()) == gap


def test_read_jsonl_yields_events_in_order(tmp_path):
    log = tmp_path / "events.jsonl"
    written = [event(seq=seq) for seq in range(3)]
    log.write_bytes(b"".join(e.to_json() + b"\n" for e in written) + b"\n")
    assert list(read_jsonl(log)) == list(read_jsonl(str(log))) == written


def test_read_jsonl_skips_a_truncated_last_line(tmp_path):
    log = tmp_path / "events.jsonl"
    line = event().to_json()
    log.write_bytes(line + b"\n" + line[:40])
    assert list(read_jsonl(log)) == [event()]


@pytest.mark.parametrize("line", [b"not json\n", b"{}\n", b"\xff\xfe\n", b'{"kind":"\xff"}\n'])
def test_read_jsonl_names_the_line_that_is_not_an_event(tmp_path, line):
    log = tmp_path / "events.jsonl"
    log.write_bytes(event().to_json() + b"\n" + line)
    with pytest.raises(SourceError, match="Line 2 of"):
        list(read_jsonl(log))


def test_read_jsonl_rejects_a_missing_file(tmp_path):
    with pytest.raises(SourceError, match="cannot be read: No such file"):
        list(read_jsonl(tmp_path / "none.jsonl"))


def test_json_schema_accepts_written_events():
    schema = json.loads((Path(__file__).parents[2] / "docs" / "events.schema.json").read_text())
    utc = datetime(2026, 1, 2, tzinfo=timezone(timedelta(hours=2)))
    for written in (
        event(),
        event(kind="ended", end=3.0, previous="GATE", utc_source="rtcp", start_utc=utc, end_utc=utc, emitted_utc=utc),
        SourceEvent(id="1", seq=0, kind="source.up", stream="gate"),
    ):
        jsonschema.validate(json.loads(written.to_json()), schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(json.loads(event().to_json()) | {"kind": "seen"}, schema)


def test_times_of_source_events_are_rounded() -> None:
    gap = SourceEvent(id="x", seq=0, kind="source.gap", stream="gate", start=1.0123456789012345, end=2.0000000004)
    assert (gap.start, gap.end) == (1.012346, 2.0)


def test_event_id_begins_with_the_assignment_of_a_camera():
    assert event_id("gate", 1, assignment=1795993740091) == f"1795993740091-{event_id('gate', 1)}"


def test_assignment_of_reads_the_number_that_an_id_begins_with() -> None:
    assert assignment_of(event_id("gate", 1, assignment=12)) == 12
    assert assignment_of(event_id("gate", 1)) is None
    assert assignment_of("x-1") is None
