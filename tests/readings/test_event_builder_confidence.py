"""The event builder with unsure readings: which texts are reported, and which readings replace them."""

import pytest
from msgspec import structs
from readings.scripted_events import build_events, summary

from stream_ocr.core.messages import Reading
from stream_ocr.testing import reading


def test_event_builder_reports_a_clear_text_after_one_reading() -> None:
    assert summary(build_events(reading("GATE 4", 0.9))) == [("appeared", "GATE 4")]


def test_event_builder_waits_for_a_second_reading_of_an_unclear_text() -> None:
    assert build_events(reading("GATE 4", 0.85), reading("GATE 4", 0.85)) == []
    assert summary(build_events(reading("GATE 4", 0.85), reading("GATE 4", 0.85, crops_read=2))) == [
        ("appeared", "GATE 4")
    ]


def test_event_builder_reports_an_unclear_text_when_it_ends() -> None:
    events = build_events(reading("GATE 4", 0.8), reading("GATE 4", 0.8, end_s=1.0))
    assert summary(events) == [("appeared", "GATE 4"), ("ended", "GATE 4")]


def test_event_builder_reports_an_unclear_text_when_its_revision_ends() -> None:
    events = build_events(
        reading("Good morning", 0.8),
        reading("", revision=1, start_s=1.0),
        reading("The train is late", revision=1, start_s=1.0),
    )
    assert summary(events) == [("appeared", "Good morning"), ("changed", "The train is late")]
    assert [event.start for event in events] == [0.0, 1.0]


def test_event_builder_never_updates_a_text_to_a_less_confident_one() -> None:
    events = build_events(
        reading("CNBC", 0.97), reading("CNEC", 0.95, crops_read=2), reading("CNBC", 0.98, crops_read=3)
    )
    assert summary(events) == [("appeared", "CNBC")]


def test_event_builder_adds_a_space_only_with_more_confidence() -> None:
    joined = reading("NEWSWITH", 0.95)
    assert summary(build_events(joined, reading("NEWS WITH", 0.94, crops_read=2))) == [("appeared", "NEWSWITH")]
    assert summary(build_events(joined, reading("NEWS WITH", 0.99, crops_read=2)))[1] == ("updated", "NEWS WITH")


@pytest.mark.parametrize(
    ("text", "misread"),
    [
        ("Good morning everybody", "Good mornlng everybody"),
        ("Good morning everybody", "Good moming everybody"),
        ("Good morning everybody", "Goodmorning everybody"),
        ("ROOM 101", "ROOM IO1"),
        ("GATE 4", "GATE4"),
    ],
)
def test_event_builder_ignores_a_misread_letter(text: str, misread: str) -> None:
    later = {"revision": 1, "start_s": 1.0}
    unsure = build_events(
        reading(text, 0.97), reading(misread, 0.88, **later), reading(misread, 0.88, end_s=2.0, **later)
    )
    assert summary(unsure) == [("appeared", text), ("ended", text)]
    assert unsure[-1].start == 0.0
    surer = build_events(
        reading(misread, 0.88, crops_read=2), reading(text, 0.97, **later), reading(text, 0.97, end_s=2.0, **later)
    )
    assert summary(surer) == [("appeared", misread), ("updated", text), ("ended", text)]
    assert {event.start for event in surer} == {0.0}, "the text has been there all the time"


@pytest.mark.parametrize("crops_read", [1, 3])
def test_event_builder_ignores_readings_below_min_confidence(crops_read: int) -> None:
    assert (
        build_events(
            reading("GATE 4", 0.54, crops_read=crops_read), reading("GATE 4", 0.54, crops_read=crops_read, end_s=1.0)
        )
        == []
    )


def test_event_builder_takes_min_mean_confidence_from_the_settings() -> None:
    frames = reading("GATE 4", 0.55, crops_read=2), reading("GATE 4", 0.55, crops_read=2, end_s=1.0)
    assert summary(build_events(*frames, settings=["events.min_mean_confidence=0.5"])) == [
        ("appeared", "GATE 4"),
        ("ended", "GATE 4"),
    ]


def test_event_builder_compares_min_confidence_with_the_confidence_of_the_event() -> None:
    line = "The train to the sea is late again"
    (event,) = build_events(reading(line, 0.98))
    assert 0.75 < event.confidence < 0.85, "that of the whole line"
    assert build_events(reading(line, 0.98), settings=["events.min_confidence=0.85"]) == []
    assert len(build_events(reading(line, 0.98), settings=["events.min_confidence=0.75"])) == 1


def test_event_builder_keeps_a_sure_text_despite_an_unsure_change() -> None:
    events = build_events(
        reading("GATE 4"),
        reading("6ATF 1", 0.4, crops_read=3, revision=1, start_s=1.0),
        reading("6ATF 1", 0.4, crops_read=3, revision=1, start_s=1.0, end_s=2.0),
    )
    assert summary(events) == [("appeared", "GATE 4"), ("ended", "GATE 4")]


def test_event_builder_ignores_a_single_unsure_reading() -> None:
    assert build_events(reading("QYWWII", 0.7), reading("QYWWII", 0.7, end_s=1.0)) == []


def test_event_builder_ignores_a_row_of_dots() -> None:
    assert build_events(reading("y.........", 0.99), reading("y.........", 0.99, end_s=1.0)) == []


def test_event_builder_corrects_one_wrong_letter() -> None:
    def line(text: str, weakest: float) -> Reading:
        sure = (0.99,) * 8 + (weakest,)
        return structs.replace(reading(text, 0.97), char_confidences=sure)

    events = build_events(line("OPEN FILF", 0.8), line("OPEN FILE", 0.99))
    assert summary(events) == [("appeared", "OPEN FILF"), ("updated", "OPEN FILE")]


def test_event_builder_reports_single_glyphs_after_two_sure_readings() -> None:
    assert build_events(reading("I", 0.96, crops_read=3)) == []
    assert build_events(reading("I", 0.99, crops_read=1)) == []
    assert build_events(reading(" I ", 0.96, crops_read=3)) == []
    assert build_events(reading("mm", 0.96, crops_read=2)) == [], "a row of windows"
    assert build_events(reading("TITTT", 0.9, crops_read=4)) == [], "as well"
    assert summary(build_events(reading("7", 0.99, crops_read=2))) == [("appeared", "7")]
    assert summary(build_events(reading("22", 0.96, crops_read=2))) == [("appeared", "22")]
