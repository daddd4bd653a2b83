from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from stream_ocr.annotate import Live, annotate, draw
from stream_ocr.errors import SinkError, SourceError
from stream_ocr.frames import Frame
from stream_ocr.settings import Settings
from stream_ocr.spans import Span

SIZE = 160, 90
TIMES_MS = (1000, 1040, 1080, 1200, 1240)  # a start that is not zero, and a longer frame


def place(x: float, y: float):
    return ((x, y), (x + 40.0, y), (x + 40.0, y + 12.0), (x, y + 12.0))


def span(text="GATE", start=0.0, end=9.0, track=1, x=20.0, y=50.0) -> Span:
    return Span("clip.mp4", track, text, 0.9, start, end, place(x, y), place(x, y))


def grey_clip(path: Path, size=SIZE) -> Path:
    with av.open(str(path), "w") as output:
        stream = output.add_stream("libx264", options={"crf": "10"})
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        stream.codec_context.time_base = Fraction(1, 1000)
        for ms in TIMES_MS:
            picture = av.VideoFrame.from_ndarray(np.full((*size[::-1], 3), 128, np.uint8), format="rgb24")
            picture = picture.reformat(format="yuv420p")
            picture.pts, picture.time_base = ms, Fraction(1, 1000)
            output.mux(stream.encode(picture))
        output.mux(stream.encode(None))
    return path


def pictures(path: Path):
    with av.open(str(path)) as video:
        return [(frame.time, frame.to_ndarray(format="yuv420p")[: frame.height]) for frame in video.decode(video=0)]


def test_texts_are_drawn_while_they_are_shown_and_frames_keep_their_times(tmp_path):
    clip, target = grey_clip(tmp_path / "clip.mp4"), tmp_path / "annotated.mp4"
    assert annotate(clip, [span(start=1.04, end=1.2)], target, Settings()) == len(TIMES_MS)
    found = pictures(target)
    assert [round(time * 1000) for time, _ in found] == list(TIMES_MS)
    changed = [int(np.ptp(luma[40:70, 10:70].astype(int))) > 60 for _, luma in found]
    assert changed == [False, True, True, False, False]


def test_the_outline_lies_on_the_polygon():
    frame = Frame(*(np.full(shape, 128, np.uint8) for shape in ((90, 160), (45, 80), (45, 80))))
    draw(frame, span(track=3), 1.0)  # yellow
    assert frame.y[50, 40] > 180
    assert frame.y[62, 40] > 180
    assert frame.y[56, 40] == 128
    assert frame.u[25, 20] < 80


@pytest.mark.parametrize(("x", "y"), [(-30.0, -5.0), (150.0, 85.0), (-500.0, 900.0)])
def test_texts_at_the_edge_and_beyond_can_be_drawn(x, y):
    frame = Frame(*(np.full(shape, 128, np.uint8) for shape in ((91, 161), (46, 81), (46, 81))))
    draw(frame, span(text="a label that is much longer than the picture is wide, in any font", x=x, y=y), 1.0)
    assert frame.y.shape == (91, 161)


def test_text_that_is_no_plain_text_can_be_drawn():
    frame = Frame(*(np.full(shape, 128, np.uint8) for shape in ((90, 160), (45, 80), (45, 80))))
    draw(frame, span(text="two\nlines \x1b[2J \u202e 東京"), 1.0)


def test_live_follows_time():
    live = Live([span("b", 1.0, 2.0, track=2), span("a", 0.5, 1.5, track=1)])
    shown = [[s.text for s in live.at(t)] for t in (0.0, 0.5, 1.0, 1.499, 1.5, 1.9999995)]
    assert shown == [[], ["a"], ["a", "b"], ["a", "b"], ["b"], []]


@pytest.mark.parametrize(
    ("name", "says"),
    [("out.avi", "suffix .mp4"), ("none/out.mp4", "no directory"), ("clip.mp4", "the video itself")],
)
def test_bad_targets_are_refused_at_once(tmp_path, name, says):
    clip = grey_clip(tmp_path / "clip.mp4")
    before = clip.read_bytes()
    with pytest.raises(SinkError, match=says):
        annotate(clip, [], tmp_path / name, Settings())
    assert clip.read_bytes() == before


def test_a_video_that_cannot_be_read_leaves_nothing_behind(tmp_path):
    (tmp_path / "clip.mp4").write_bytes(b"no video")
    with pytest.raises(SourceError):
        annotate(tmp_path / "clip.mp4", [], tmp_path / "out.mp4", Settings())
    assert not (tmp_path / "out.mp4").exists()
