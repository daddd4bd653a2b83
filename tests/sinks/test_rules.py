from datetime import UTC, datetime

import pytest

from stream_ocr.config.sinks import Match, Rule
from stream_ocr.events import SourceEvent
from stream_ocr.sinks.rules import Matcher, RuledSink, RuleFilter
from stream_ocr.testing import MemorySink, text_event


def matches(event=None, /, **match) -> bool:
    return Matcher(Match(**match)).matches(event or text_event())


def found(text: str, **match) -> bool:
    return matches(text_event(text=text), **match)


@pytest.mark.parametrize(
    ("pattern", "text", "expected"),
    [
        (r"GATE \d+", "now at GATE 12", True),
        (r"GATE \d+", "gate 12", False),
        (r"(?i)gate \d+", "GATE 12", True),
        (r"^GATE$", "GATE 1", False),
        (r"日本", "これは日本です", True),
    ],
)
def test_matcher_searches_regular_expression(pattern, text, expected):
    assert found(text, regex=pattern) == expected


def test_matcher_regex_time_is_linear():
    assert not found("a" * 50_000 + "!", regex=r"^(a+)+$")


@pytest.mark.parametrize(
    ("word", "text", "expected"),
    [
        ("EXIT", "EXIT", True),
        ("exit", "to the Exit, please", True),
        ("EXIT", "EXlT", True),
        ("EXIT", "EX1TS", False),
        ("EXIT", "TEXTILE", False),
        ("ART", "START", False),
        ("AB123CD", "AB 123CD", True),
        ("AB123CD", "AB 123 CD", False),
        ("GATE 4", "GATE4 is open", True),
        ("last call", "This is the last cal for all", True),
        ("last call", "last but one call", False),
        ("ÉCOLE", "école", True),
        ("STRASSE", "Straße", True),
    ],
)
def test_matcher_finds_watched_words_with_one_wrong_letter(word, text, expected):
    assert found(text, watch=[word]) == expected


def test_matcher_distance():
    assert not found("EXlT", watch=["EXIT"], distance=0)
    assert found("AB 123 CD", watch=["ZZZZ", "AB123CD"], distance=2)


def test_matcher_stream_is_a_glob():
    assert matches(text_event(stream="cam-7"), stream="cam-*")
    assert not matches(text_event(stream="Cam-7"), stream="cam-*")
    assert not matches(text_event(stream="my cam-7"), stream="cam-*")


L_SHAPE = [(0, 0), (100, 0), (100, 50), (50, 50), (50, 100), (0, 100)]


@pytest.mark.parametrize(("x", "y", "expected"), [(25, 75, True), (75, 25, True), (75, 75, False), (-5, 20, False)])
def test_matcher_region_contains_the_centroid(x, y, expected):
    polygon = ((x - 60, y - 10), (x + 60, y - 10), (x + 60, y + 10), (x - 60, y + 10))
    assert matches(text_event(polygon=polygon), region=L_SHAPE) == expected


@pytest.mark.parametrize(
    ("hours", "at", "expected"),
    [
        ("06:00-22:00", "06:00", True),
        ("06:00-22:00", "21:59", True),
        ("06:00-22:00", "22:00", False),
        ("22:00-06:00", "23:30", True),
        ("22:00-06:00", "05:59", True),
        ("22:00-06:00", "12:00", False),
        ("18:00-24:00", "23:59", True),
        ("18:00-24:00", "00:00", False),
        ("08:00-08:00", "12:00", True),
    ],
)
def test_matcher_hours(hours, at, expected):
    hour, minute = map(int, at.split(":"))
    event = text_event(start_utc=datetime(2026, 11, 21, hour, minute, tzinfo=UTC))
    assert matches(event, hours=hours, zone="UTC") == expected


def test_matcher_hours_use_the_clock_of_the_recording_and_the_zone():
    noon = datetime(2026, 7, 1, 12, tzinfo=UTC)
    assert matches(text_event(emitted_utc=noon), hours="14:00-14:01", zone="Europe/Zurich")
    late = text_event(start_utc=noon, emitted_utc=datetime(2026, 7, 1, 20, tzinfo=UTC))
    assert matches(late, hours="12:00-12:01", zone="UTC"), "time of the text, not of its publication"
    down = SourceEvent(id="", seq=0, kind="source.down", stream="cam-1", start_utc=noon, emitted_utc=late.emitted_utc)
    assert matches(down, hours="12:00-12:01", zone="UTC"), "for source events as well"
    assert matches(text_event(), hours="00:00-24:00"), "local clock where nothing is known"


def test_matcher_requires_all_conditions():
    event = text_event(text="GATE 4", stream="cam-1")
    assert matches(event, regex="GATE", stream="cam-*", watch=["GATE"])
    assert not matches(event, regex="GATE", stream="other")
    assert not matches(event, regex="DOOR", watch=["GATE"])


def test_matcher_text_conditions_exclude_source_events():
    gone = SourceEvent(id="", seq=0, kind="source.down", stream="cam-1")
    assert matches(gone)
    assert matches(gone, stream="cam-*")
    assert not matches(gone, regex=".*")


def accepted(rule: Rule, *events) -> list[tuple[str, str]]:
    filter_ = RuleFilter(rule)
    return [(event.kind, event.text) for event in events if filter_.accepts(event)]


def events_of(*texts: tuple[str, str], **fields):
    return [text_event(seq, track=1, kind=kind, text=text, **fields) for seq, (kind, text) in enumerate(texts)]


def test_filter_accepts_the_change_of_an_accepted_text():
    rule = Rule(match={"regex": "OPEN"}, sinks=["a"])
    events = events_of(("appeared", "OPEN"), ("changed", "CLOSED"), ("changed", "BUSY"), ("ended", "BUSY"))
    assert accepted(rule, *events) == [("appeared", "OPEN"), ("changed", "CLOSED")]


def test_filter_accepts_updates_and_end_of_an_accepted_text():
    rule = Rule(match={"regex": "^GATE"}, sinks=["a"])
    events = events_of(("appeared", "GATE"), ("updated", "CATE 4"), ("ended", "CATE 4"), ("appeared", "CATE 4"))
    assert accepted(rule, *events) == [("appeared", "GATE"), ("updated", "CATE 4"), ("ended", "CATE 4")]


def test_filter_accepts_the_end_outside_the_region_once():
    there, away = ((0, 0), (9, 0), (9, 9), (0, 9)), ((80, 0), (89, 0), (89, 9), (80, 9))
    rule = Rule(match={"region": [(0, 0), (20, 0), (20, 20), (0, 20)]}, sinks=["a"])
    start = text_event(0, track=1, polygon=there)
    ends = [text_event(seq, track=1, kind="ended", polygon=away) for seq in (1, 2)]
    other = text_event(3, track=1, kind="ended", polygon=away, stream="cam-2")
    filter_ = RuleFilter(rule)
    assert [filter_.accepts(event) for event in (start, other, *ends)] == [True, False, True, False]


def test_filter_kinds():
    rule = Rule(match={"regex": "OPEN"}, kinds=["appeared"], sinks=["a"])
    assert accepted(rule, *events_of(("appeared", "OPEN"), ("changed", "CLOSED"))) == [("appeared", "OPEN")]


def test_ruled_sink_passes_events_that_match_any_rule():
    memory = MemorySink()
    rules = [Rule(match={"regex": pattern}, sinks=["memory"]) for pattern in ("A", "B")]
    sink = RuledSink(memory, rules)
    assert sink.name == "memory"
    sink.open()
    for seq, text in enumerate(["A", "B", "AB", "C"]):
        sink.write(text_event(seq, text=text))
    sink.close()
    assert [event.text for event in memory.events] == ["A", "B", "AB"]
