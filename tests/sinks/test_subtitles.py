import av
import pysubs2
import pytest

from stream_ocr.events import TextEvent
from stream_ocr.events.spans import Span
from stream_ocr.sinks import SubtitleSink
from stream_ocr.sinks.subtitles import joined_cues, separate_cues, write_subtitles


def span(text, start, end, x=0.0, y=0.0, track=1) -> Span:
    quad = ((x, y), (x + 100, y), (x + 100, y + 20), (x, y + 20))
    return Span("a", track, text, 0.9, start, end, quad, quad)


def cues(spans):
    return [(cue.start, cue.end, cue.text) for cue in joined_cues(spans)]


def test_joined_cues_order_lines_from_top_to_bottom():
    assert cues([span("below", 1.0, 3.0, y=40), span("above", 1.0, 3.0, y=10)]) == [(1.0, 3.0, "above\nbelow")]


def test_joined_cues_put_texts_side_by_side_on_one_line():
    assert cues([span("right", 1.0, 3.0, x=300, y=12), span("left", 1.0, 3.0, y=10)]) == [(1.0, 3.0, "left  right")]


def test_joined_cues_never_overlap():
    title, subtitle = span("title", 0.0, 5.0), span("subtitle", 2.0, 3.0, y=100)
    assert cues([title, subtitle]) == [(0.0, 2.0, "title"), (2.0, 3.0, "title\nsubtitle"), (3.0, 5.0, "title")]


def test_joined_cues_snap_times_a_frame_apart():
    assert cues([span("one", 1.0, 3.0), span("two", 1.04, 2.96, y=40)]) == [(1.0, 2.96, "one\ntwo")]


def test_joined_cues_merge_the_same_text_shown_again_at_once():
    assert cues([span("same", 1.0, 2.0), span("same", 2.04, 3.0, track=2)]) == [(1.0, 3.0, "same")]


def test_joined_cues_keep_gaps():
    assert cues([span("one", 1.0, 2.0), span("two", 3.0, 4.0)]) == [(1.0, 2.0, "one"), (3.0, 4.0, "two")]


def test_separate_cues_yield_one_cue_per_text():
    found = [(cue.start, cue.text) for cue in separate_cues([span("b", 2.0, 3.0), span("a", 1.0, 5.0)])]
    assert found == [(1.0, "a"), (2.0, "b")]


@pytest.mark.parametrize("suffix", [".srt", ".vtt"])
def test_write_subtitles_preserves_text(tmp_path, suffix):
    file = tmp_path / f"subtitles{suffix}"
    hostile = r"{\an8} C:\new <EXIT> A&B" + "\x1b[2J\n\n2\n00:00:01,000 --> 00:00:02,000\u202eforged"
    write_subtitles([span(hostile, 1.0, 2.0)], file)
    text = file.read_text()
    assert text.count("-->") == 1
    assert "\x1b" not in text
    assert "\u202e" not in text
    body = text.strip().splitlines()[-1].replace("\u2060", "")
    displayed = body.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&") if suffix == ".vtt" else body
    assert displayed == r"{\an8} C:\new <EXIT> A&B [2J 2 00:00:01,000 --> 00:00:02,000 forged"
    assert text.strip().count("\n\n") == (1 if suffix == ".vtt" else 0)


MARKUP = [
    "<b>bold</b>",
    "a < b > c",
    "<script>alert(1)</script>",
    '<font color="red">red</font>',
    r"{\an8}top",
    r"{\pos(1,1)\t(\fscx900)}",
    "{c:$0000ff}red",
    "&lt;b&gt; &#60; AT&T; R&D",
    "<v Fred>hi <00:00:01.500>now",
]


@pytest.mark.parametrize("suffix", [".srt", ".vtt"])
@pytest.mark.parametrize("text", MARKUP)
def test_players_take_no_text_for_markup(tmp_path, text, suffix):
    file = tmp_path / f"subtitles{suffix}"
    write_subtitles([span(text, 1.0, 2.0)], file)
    with av.open(str(file)) as container:
        (subtitle,) = [subtitle for packet in container.demux(subtitles=0) for subtitle in packet.decode()]
    ass = subtitle.ass.decode().split(",,", 1)[1].replace("\\{{}", "{").replace("\u2060", "")
    assert ass.removeprefix("0,0,0,,") == text


def test_write_subtitles_keeps_times_to_the_millisecond(tmp_path):
    file = tmp_path / "subtitles.srt"
    write_subtitles([span("x", -0.5, 1.0), span("late", 3723.4567, 3724.0)], file)
    assert [(line.start, line.end) for line in pysubs2.load(str(file))] == [(0, 1000), (3723457, 3724000)]


def test_subtitle_sink_writes_on_close(tmp_path):
    file = tmp_path / "subtitles.srt"
    sink = SubtitleSink(file)
    sink.open()
    fields = {"id": "", "stream": "a", "track": 1, "confidence": 0.9, "start": 1.0, "size": (9, 9)}
    quad = ((0, 0), (1, 0), (1, 1), (0, 1))
    sink.write(TextEvent(seq=0, kind="appeared", text="one", polygon=quad, **fields))
    sink.write(TextEvent(seq=1, kind="ended", text="one", end=2.5, polygon=quad, **fields))
    assert file.read_text() == ""
    sink.close()
    assert file.read_text() == "1\n00:00:01,000 --> 00:00:02,500\none\n\n"


def test_write_subtitles_writes_an_empty_file_for_no_texts(tmp_path):
    file = tmp_path / "subtitles.vtt"
    write_subtitles([], file)
    assert file.read_text() == "WEBVTT\n\n"
