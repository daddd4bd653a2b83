import base64
import hashlib
import re
import sys
from html.parser import HTMLParser

import cv2
import numpy as np
import pytest

import stream_ocr
from stream_ocr import cli
from stream_ocr.errors import SinkError, SourceError
from stream_ocr.events import SourceEvent, TextEvent
from stream_ocr.synthetic.scene import Scene, Text, render

HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "\u202egnp.exe",
    "a\x00b\x1b[2J",
    "W" * 10_000,
]


def text_event(seq, kind, text, start, *, end=None, track=1, stream="clip.mp4", box=(100, 60, 300, 40), confidence=0.9):
    x, y, width, height = box
    polygon = ((x, y), (x + width, y), (x + width, y + height), (x, y + height))
    return TextEvent(
        id=f"{stream}{seq}",
        seq=seq,
        kind=kind,
        stream=stream,
        track=track,
        text=text,
        confidence=confidence,
        start=start,
        end=end,
        polygon=polygon,
        size=(640, 360),
    )


def shown_text(text, start, end, *, track=1, **fields):
    return [
        text_event(2 * track, "appeared", text, start, track=track, **fields),
        text_event(2 * track + 1, "ended", text, start, end=end, track=track, **fields),
    ]


class Parts(HTMLParser):
    """Parses a page into tags with attributes, and texts with the tag that contains them."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict]] = []
        self.text: list[tuple[str, str]] = []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text.append((self.tags[-1][0] if self.tags else "", data))


def test_report_lists_every_text_in_table_and_timeline():
    events = [*shown_text("GATE 4", 1.0, 3.5), *shown_text("LAST CALL", 2.0, 4.0, track=2)]
    page = stream_ocr.Report.of(events).html
    parts = Parts(page)
    assert {attributes["id"] for tag, attributes in parts.tags if tag == "tr" and "id" in attributes} == {
        "text0",
        "text1",
    }
    assert [attributes["href"] for tag, attributes in parts.tags if tag == "a"] == ["#text0", "#text1"]
    bars = [attributes for tag, attributes in parts.tags if tag == "rect" and attributes["height"] == "14"]
    assert [(bar["x"], bar["width"]) for bar in bars] == [("0.0%", "83.333%"), ("33.333%", "66.667%")]
    assert "0:01.00" in page
    assert "2.50 s" in page


def test_report_escapes_hostile_text():
    events = [
        event for n, text in enumerate(HOSTILE) for event in shown_text(text, n, n + 1, track=n, stream=HOSTILE[1])
    ]
    page = stream_ocr.Report.of(events).html
    parts = Parts(page)
    assert [tag for tag, _ in parts.tags].count("script") == 1
    assert not [
        tag for tag, attributes in parts.tags if tag == "img" or any(name.startswith("on") for name in attributes)
    ]
    assert "\x00" not in page
    assert "\x1b" not in page
    read = [data for tag, data in parts.text if tag == "span"]
    assert HOSTILE[0] in read
    assert all('dir="auto"' in cell for cell in re.findall(r'<td><span class="read"[^>]*>', page))


def test_report_policy_allows_only_its_own_script():
    page = stream_ocr.Report.of(shown_text("GATE 4", 1.0, 3.5)).html
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page)[1].replace("&#39;", "'")
    assert "default-src 'none'" in policy
    for tag in ("script", "style"):
        (content,) = re.findall(rf"<{tag}>(.*?)</{tag}>", page, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy
    assert not re.search(r"https?://", page)
    assert " style=" not in page


def test_report_thumbnails_show_the_text(tmp_path):
    clip = tmp_path / "clip.mp4"
    text = Text("GATE 4", 0.4, 1.6, (100, 60), height=40, colour=(255, 255, 255), outline=None)
    render(Scene((text,), 2.0, size=(640, 360), background="black"), clip)
    x, y, width, height = text.box(1.0)
    events = shown_text("GATE 4", 0.4, 1.6, box=(x, y, width, height))
    (data,) = re.findall(r"data:image/jpeg;base64,([^\"]*)", stream_ocr.Report.of(events, video=clip).html)
    picture = cv2.imdecode(np.frombuffer(base64.b64decode(data), np.uint8), cv2.IMREAD_GRAYSCALE)
    assert picture.shape[1] / picture.shape[0] == pytest.approx((width + 0.3 * height) / (1.3 * height), rel=0.1)
    ink = np.argwhere(picture > 128)
    assert ink.min(axis=0) == pytest.approx(np.array(picture.shape) * 0 + 0.115 * picture.shape[0], abs=3)
    assert np.array(picture.shape) - ink.max(axis=0) == pytest.approx(0.115 * picture.shape[0], abs=4)


def test_report_rejects_events_of_other_videos(tmp_path):
    clip = tmp_path / "clip.mp4"
    render(Scene((), 0.2, size=(64, 64)), clip)
    events = [*shown_text("A", 0.0, 0.1, stream="a.mp4"), *shown_text("B", 0.0, 0.1, stream="b.mp4")]
    with pytest.raises(SourceError, match=r"a\.mp4, b\.mp4"):
        stream_ocr.Report.of(events, video=clip)


def test_report_lists_source_events():
    event = SourceEvent(id="", seq=0, kind="source.gap", stream="gate", start=61.5, reason="<b>no answer</b>")
    page = stream_ocr.Report.of([event]).html
    assert "source.gap · &lt;b&gt;no answer&lt;/b&gt;" in page
    assert "1:01.50" in page
    assert "No text was read." in page


def test_report_has_a_row_per_track():
    events = [event for n in range(1000) for event in shown_text(f"text {n}", n / 10, n / 10 + 1, track=n)]
    assert stream_ocr.Report.of(events).html.count('<a href="#text') == 1000


def test_report_is_written_and_displayed_in_a_notebook(tmp_path):
    made = stream_ocr.Report.of(shown_text("GATE 4", 1.0, 3.5))
    made.write(tmp_path / "report.html")
    assert (tmp_path / "report.html").read_text(encoding="utf-8") == made.html
    assert Parts(made._repr_html_()).tags[0][1]["srcdoc"] == made.html
    with pytest.raises(SinkError, match="no directory"):
        made.write(tmp_path / "none" / "report.html")


def test_report_command(tmp_path, monkeypatch):
    log = tmp_path / "events.jsonl"
    log.write_bytes(b"".join(event.to_json() + b"\n" for event in shown_text("GATE 4", 1.0, 3.5)))
    monkeypatch.setattr(sys, "argv", ["stream-ocr", "report", str(log), "-o", str(tmp_path / "report.html")])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert not ended.value.code
    assert "GATE 4" in (tmp_path / "report.html").read_text(encoding="utf-8")
