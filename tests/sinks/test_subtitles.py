import pysubs2
import pytest

from stream_ocr.events import TextEvent
from stream_ocr.events.spans import Span
from stream_ocr.sinks import SubtitleSink
from stream_ocr.sinks.subtitles import apart, together, write_subtitles


def span(text, start, end, x=0.0, y=0.0, track=1) -> Span:
    place = ((x, y), (x + 100, y), (x + 100, y + 20), (x, y + 20))
    return Span("a", track, text, 0.9, start, end, place, place)


def cues(spans):
    return [(cue.start, cue.end, cue.text) for cue in together(spans)]


def test_lines_shown_together_are_joined_from_top_to_bottom():
    assert cues([span("below", 1.0, 3.0, y=40), span("above", 1.0, 3.0, y=10)]) == [(1.0, 3.0, "above\nbelow")]


def test_what_stands_side_by_side_is_one_line():
    assert cues([span("right", 1.0, 3.0, x=300, y=12), span("left", 1.0, 3.0, y=10)]) == [(1.0, 3.0, "left  right")]


def test_subtitles_never_overlap():
    title, subtitle = span("title", 0.0, 5.0), span("subtitle", 2.0, 3.0, y=100)
    assert cues([title, subtitle]) == [(0.0, 2.0, "title"), (2.0, 3.0, "title\nsubtitle"), (3.0, 5.0, "title")]


def test_lines_that_come_a_frame_apart_come_together():
    assert cues([span("one", 1.0, 3.0), span("two", 1.04, 2.96, y=40)]) == [(1.0, 2.96, "one\ntwo")]


def test_the_same_text_seen_again_at_once_is_one_subtitle():
    assert cues([span("same", 1.0, 2.0), span("same", 2.04, 3.0, track=2)]) == [(1.0, 3.0, "same")]


def test_a_gap_stays_a_gap():
    assert cues([span("one", 1.0, 2.0), span("two", 3.0, 4.0)]) == [(1.0, 2.0, "one"), (3.0, 4.0, "two")]


def test_apart_keeps_every_text_by_itself():
    found = [(cue.start, cue.text) for cue in apart([span("b", 2.0, 3.0), span("a", 1.0, 5.0)])]
    assert found == [(1.0, "a"), (2.0, "b")]


@pytest.mark.parametrize("suffix", [".srt", ".vtt"])
def test_text_is_kept_as_it_is(tmp_path, suffix):
    file = tmp_path / f"subtitles{suffix}"
    nasty = r"{\an8} C:\new <EXIT> A&B" + "\x1b[2J\n\n2\n00:00:01,000 --> 00:00:02,000\u202eforged"
    write_subtitles([span(nasty, 1.0, 2.0)], file)
    text = file.read_text()
    assert text.count("-->") == 1
    assert "\x1b" not in text
    assert "\u202e" not in text
    body = text.strip().splitlines()[-1].replace("\u2060", "")
    shown = body.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&") if suffix == ".vtt" else body
    assert shown == r"{\an8} C:\new <EXIT> A&B [2J 2 00:00:01,000 --> 00:00:02,000 forged"
    assert text.strip().count("\n\n") == (1 if suffix == ".vtt" else 0)


def test_times_are_those_of_the_events_to_the_millisecond(tmp_path):
    file = tmp_path / "subtitles.srt"
    write_subtitles([span("x", -0.5, 1.0), span("late", 3723.4567, 3724.0)], file)
    assert [(line.start, line.end) for line in pysubs2.load(str(file))] == [(0, 1000), (3723457, 3724000)]


def test_the_sink_writes_when_it_is_closed(tmp_path):
    file = tmp_path / "subtitles.srt"
    sink = SubtitleSink(file)
    sink.open()
    facts = {"id": "", "stream": "a", "track": 1, "confidence": 0.9, "start": 1.0, "size": (9, 9)}
    place = ((0, 0), (1, 0), (1, 1), (0, 1))
    sink.write(TextEvent(seq=0, kind="appeared", text="one", polygon=place, **facts))
    sink.write(TextEvent(seq=1, kind="ended", text="one", end=2.5, polygon=place, **facts))
    assert file.read_text() == ""
    sink.close()
    assert file.read_text() == "1\n00:00:01,000 --> 00:00:02,500\none\n\n"


def test_nothing_read_gives_an_empty_file(tmp_path):
    file = tmp_path / "subtitles.vtt"
    write_subtitles([], file)
    assert file.read_text() == "WEBVTT\n\n"
