from dataclasses import replace

import av
import pysubs2
import pytest

from stream_ocr.events import TextEvent
from stream_ocr.events.spans import Span
from stream_ocr.sinks import SubtitleSink
from stream_ocr.sinks.subtitles import write_subtitles
from stream_ocr.testing import text_event


def span(text, start, end, x=0.0, y=0.0, track=1) -> Span:
    quad = ((x, y), (x + 100, y), (x + 100, y + 20), (x, y + 20))
    return Span("a", track, text, 0.9, start, end, quad, quad)


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


@pytest.mark.parametrize("suffix", [".srt", ".vtt", ".ass"])
@pytest.mark.parametrize("text", MARKUP)
def test_players_take_no_text_for_markup(tmp_path, text, suffix):
    file = tmp_path / f"subtitles{suffix}"
    write_subtitles([span(text, 1.0, 2.0)], file)
    with av.open(str(file)) as container:
        (subtitle,) = [subtitle for packet in container.demux(subtitles=0) for subtitle in packet.decode()]
    ass = subtitle.ass.decode().split(",,", 1)[1].replace("\\{{}", "{").replace("\u2060", "")
    assert ass.removeprefix("0,0,0,,").removeprefix("{\\an5\\pos(50,10)}") == text


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


def test_ass_places_each_text_where_it_stood(tmp_path):
    file = tmp_path / "subtitles.ass"
    texts = [span("sign", 1.0, 3.0, x=500, y=100), span("line", 2.0, 3.0, x=270, y=330, track=2)]
    write_subtitles([replace(each, size=(640, 360)) for each in texts], file)
    found = pysubs2.load(str(file))
    assert (found.info["PlayResX"], found.info["PlayResY"]) == ("640", "360")
    assert found.styles["Default"].fontsize == 20
    assert [(line.start, line.end, line.text) for line in found] == [
        (1000, 3000, r"{\an5\pos(550,110)}sign"),
        (2000, 3000, r"{\an5\pos(320,340)}line"),
    ]


def test_txt_has_a_paragraph_for_each_subtitle(tmp_path):
    file = tmp_path / "subtitles.txt"
    write_subtitles([span("one", 1.0, 2.0), span("two", 1.0, 2.0, y=40), span("three", 3.0, 4.0)], file)
    assert file.read_text() == "one\ntwo\n\nthree\n"


def test_subtitle_sink_counts_from_the_start_of_each_video(tmp_path):
    sink = SubtitleSink(tmp_path / "subtitles.srt")
    sink.open()
    for stream, origin_s, start_s in (("a", 5000.0, 5001.0), ("b", 0.0, 3.0)):
        sink.set_origin(stream, origin_s)
        for seq, (kind, end_s) in enumerate((("appeared", None), ("ended", start_s + 1))):
            sink.write(text_event(seq, kind=kind, stream=stream, track=1, text=stream, start=start_s, end=end_s))
    sink.close()
    found = pysubs2.load(str(tmp_path / "subtitles.srt"))
    assert [(line.start, line.end, line.text) for line in found] == [(1000, 2000, "a"), (3000, 4000, "b")]


def test_select_captions_leaves_out_what_is_no_subtitle(tmp_path):
    lines = [span("one", 1.0, 2.0, x=270, y=330), span("two", 3.0, 4.0, x=270, y=330), span("sign", 0.0, 5.0)]
    for select, expected in (
        ("captions", "one\n\ntwo\n"),
        ("region", "sign\n\nsign\none\n\nsign\n\nsign\ntwo\n\nsign\n"),
    ):
        write_subtitles([replace(line, size=(640, 360)) for line in lines], tmp_path / "a.txt", select=select)
        assert (tmp_path / "a.txt").read_text() == expected


def test_srt_marks_captions_in_the_upper_half(tmp_path):
    lines = [
        replace(span(text, n, n + 1, x=270, y=y), size=(640, 360))
        for n, (text, y) in enumerate([("up", 20), ("there", 20)])
    ]
    write_subtitles(lines, tmp_path / "a.srt", select="captions")
    assert [line.text for line in pysubs2.load(str(tmp_path / "a.srt"), keep_ssa_tags=True)] == [
        r"{\an8}up",
        r"{\an8}there",
    ]
