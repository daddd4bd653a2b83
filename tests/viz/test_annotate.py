from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from stream_ocr.config.settings import Settings
from stream_ocr.core.frame import Frame
from stream_ocr.errors import SinkError, SourceError
from stream_ocr.events import TextEvent
from stream_ocr.events.spans import Span, build_spans
from stream_ocr.synthetic.scene import Scene, Text, clock, linear_path, render, truth
from stream_ocr.synthetic.scene import draw_frames as scene_pictures
from stream_ocr.testing import read_scripted
from stream_ocr.testing.oracles import texts_at
from stream_ocr.viz import drawing
from stream_ocr.viz.annotate import ActiveSpans, RecentChanges, annotate

SIZE = 160, 90
TIMES_MS = (1000, 1040, 1080, 1200, 1240)  # a start that is not zero, and a longer frame


def place(x: float, y: float):
    return ((x, y), (x + 40.0, y), (x + 40.0, y + 12.0), (x, y + 12.0))


def span(text="GATE", start=0.0, end=9.0, track=1, x=20.0, y=50.0) -> Span:
    return Span("clip.mp4", track, text, 0.9, start, end, place(x, y), place(x, y))


def told(seq: int, kind: str, text: str, start: float, *, end=None, previous=None, stream="clip.mp4", track=1):
    return TextEvent(
        id=f"{seq}",
        seq=seq,
        kind=kind,
        stream=stream,
        track=track,
        text=text,
        confidence=0.9,
        start=start,
        end=end,
        polygon=place(20.0, 50.0),
        size=SIZE,
        previous=previous,
    )


def shown(text="GATE", start=1.04, end=1.2, stream="clip.mp4"):
    return [
        told(0, "appeared", text, start, stream=stream),
        told(1, "ended", text, start, end=end, stream=stream),
    ]


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
    assert annotate(clip, shown(), target, Settings()) == len(TIMES_MS)
    found = pictures(target)
    assert [round(time * 1000) for time, _ in found] == list(TIMES_MS)
    changed = [int(np.ptp(luma[40:70, 10:70].astype(int))) > 60 for _, luma in found]
    assert changed == [False, True, True, False, False]


def test_the_outline_lies_on_the_polygon():
    frame = Frame(*(np.full(shape, 128, np.uint8) for shape in ((90, 160), (45, 80), (45, 80))))
    drawing.draw_span(frame, span(track=3), 1.0)  # yellow
    assert frame.y[50, 40] > 180
    assert frame.y[62, 40] > 180
    assert frame.y[56, 40] == 128
    assert frame.u[25, 20] < 80


@pytest.mark.parametrize("y", [3.0, 50.0, 76.0])
def test_the_label_does_not_cover_the_text(y):
    frame = Frame(*(np.full(shape, 128, np.uint8) for shape in ((90, 160), (45, 80), (45, 80))))
    drawing.draw_span(frame, span(track=3, y=y), 1.0)
    assert (frame.y[round(y) + 3 : round(y) + 9, 24:56] == 128).all()
    assert (frame.y > 180).sum() > 500, "it stands elsewhere"


@pytest.mark.parametrize(("x", "y"), [(-30.0, -5.0), (150.0, 85.0), (-500.0, 900.0)])
def test_texts_at_the_edge_and_beyond_can_be_drawn(x, y):
    frame = Frame(*(np.full(shape, 128, np.uint8) for shape in ((91, 161), (46, 81), (46, 81))))
    drawing.draw_span(
        frame, span(text="a label that is much longer than the picture is wide, in any font", x=x, y=y), 1.0
    )
    assert frame.y.shape == (91, 161)


def test_text_that_is_no_plain_text_can_be_drawn():
    frame = Frame(*(np.full(shape, 128, np.uint8) for shape in ((90, 160), (45, 80), (45, 80))))
    drawing.draw_span(frame, span(text="two\nlines \x1b[2J \u202e 東京"), 1.0)


def test_live_follows_time():
    live = ActiveSpans([span("b", 1.0, 2.0, track=2), span("a", 0.5, 1.5, track=1)])
    here = [[s.text for s in live.at(t)] for t in (0.0, 0.5, 1.0, 1.499, 1.5, 1.9999995)]
    assert here == [[], ["a"], ["a", "b"], ["a", "b"], ["b"], []]


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


def test_the_ribbon_says_what_changed_and_covers_nothing(tmp_path):
    clip, target = grey_clip(tmp_path / "clip.mp4"), tmp_path / "annotated.mp4"
    annotate(clip, shown("A", start=1.08), target, Settings())
    found = pictures(target)
    assert {luma.shape for _, luma in found} == {(SIZE[1] + drawing.ribbon_height(SIZE), SIZE[0])}
    ribbons = [luma[SIZE[1] :] for _, luma in found]
    assert [bool(ribbon.max() > 120) for ribbon in ribbons] == [False, False, True, True, True]


def test_changes_are_told_in_order_of_time_the_latest_first():
    changes = RecentChanges(
        [
            told(0, "appeared", "1 : 0", 1.0),
            told(1, "changed", "1 : 1", 3.5, previous="1 : 0"),
            told(2, "updated", "1 : 1!", 3.5, previous="1 : 1"),
            told(3, "ended", "1 : 1!", 3.5, end=65.0),
        ]
    )
    assert list(changes.at(0.9)) == []
    assert list(changes.at(3.5)) == ["0:03.50  1 : 0 → 1 : 1", "0:01.00  + 1 : 0"]
    assert changes.at(99.0)[0] == "1:05.00  − 1 : 1!"


def test_only_the_events_of_this_video_are_drawn(tmp_path):
    clip, target = grey_clip(tmp_path / "clip.mp4"), tmp_path / "annotated.mp4"
    annotate(clip, [*shown(stream="other.mp4"), *shown("B", start=5.0, end=6.0)], target, Settings())
    assert all(np.ptp(luma[40:70, 10:70].astype(int)) < 20 for _, luma in pictures(target))
    with pytest.raises(SourceError, match=r"of a\.mp4, b\.mp4, and not of clip\.mp4"):
        annotate(clip, [*shown(stream="a.mp4"), *shown(stream="b.mp4")], target, Settings())


def with_sound(path: Path, codec: str, *, start_s: float = 0.0) -> Path:
    """A clip of two seconds whose sound begins 0.4 s before its picture."""
    rate = 48_000
    with av.open(str(path), "w") as output:
        video = output.add_stream("libx264", rate=25)
        video.width, video.height, video.pix_fmt = *SIZE, "yuv420p"
        video.codec_context.time_base = Fraction(1, 1000)
        sound = output.add_stream(codec, rate=rate, layout="mono")
        for ms in range(400, 2000, 40):
            picture = av.VideoFrame.from_ndarray(np.full((SIZE[1] * 3 // 2, SIZE[0]), 128, np.uint8), format="yuv420p")
            picture.pts, picture.time_base = ms + round(1000 * start_s), Fraction(1, 1000)
            output.mux(video.encode(picture))
        output.mux(video.encode(None))
        wave = (8000 * np.sin(np.arange(2 * rate) * 0.06)).astype(np.int16)
        for begin in range(0, len(wave), 1000):
            frame = av.AudioFrame.from_ndarray(wave[None, begin : begin + 1000], format="s16", layout="mono")
            frame.pts, frame.time_base, frame.sample_rate = begin + round(rate * start_s), Fraction(1, rate), rate
            output.mux(sound.encode(frame))
        output.mux(sound.encode(None))
    return path


def packets_of_sound(path: Path):
    with av.open(str(path)) as container:
        packets = [p for p in container.demux(audio=0) if p.size]
        return [(round(float(p.pts * p.time_base), 4), bytes(p)) for p in packets]


def first_times(path: Path):
    with av.open(str(path)) as seen, av.open(str(path)) as heard:
        return next(seen.decode(video=0)).time, next(heard.decode(audio=0)).time


@pytest.mark.parametrize("start_s", [0.0, 3.0])
@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_sound_is_kept_as_it_was_at_its_time(tmp_path, suffix, start_s):
    clip = with_sound(tmp_path / f"clip{suffix}", "aac", start_s=start_s)
    target = tmp_path / "annotated.mp4"
    annotate(clip, shown(), target, Settings())
    before, after = packets_of_sound(clip), packets_of_sound(target)
    assert [data for _, data in after] == [data for _, data in before]
    assert [time for time, _ in after] == pytest.approx([time for time, _ in before], abs=0.002)
    assert first_times(target)[0] == pytest.approx(start_s + 0.4, abs=0.001)


def test_sound_that_mp4_does_not_carry_is_coded_again(tmp_path):
    clip, target = with_sound(tmp_path / "clip.mkv", "pcm_s16le"), tmp_path / "annotated.mp4"
    annotate(clip, shown(), target, Settings())
    with av.open(str(target)) as made:
        assert made.streams.audio[0].codec_context.name == "aac"
        heard = np.concatenate([frame.to_ndarray().ravel() for frame in made.decode(audio=0)])
    assert len(heard) == pytest.approx(2 * 48_000, abs=4096)
    assert np.abs(heard[9600:-9600]).max() == pytest.approx(8000 / 32768, rel=0.1)
    picture, sound = first_times(target)
    assert picture - sound == pytest.approx(0.4, abs=0.03)


def intersection_over_union(a, b) -> float:
    (left, top, right, bottom), (x0, y0, x1, y1) = a, b
    width, height = min(right, x1) - max(left, x0), min(bottom, y1) - max(top, y0)
    both = max(width, 0) * max(height, 0)
    return both / ((right - left) * (bottom - top) + (x1 - x0) * (y1 - y0) - both)


def test_boxes_lie_on_the_text(tmp_path):
    """In every 25th frame: where the outline is in the pixels, and how well that place agrees with the truth."""
    scene = Scene(
        (
            Text("Good morning", 0.4, 2.0, (320, 300), "middle", height=28),
            Text("The train is late", 2.0, 4.4, (320, 300), "middle", height=28),
            Text(clock("12:34:56"), 0.0, 5.0, (470, 24), height=28, outline=None, panel=(20, 20, 28)),
            Text("PLATFORM", 0.8, 4.6, linear_path(0.8, (40, 180), 4.6, (420, 120)), height=30, panel=(28, 52, 110)),
        ),
        duration_s=5.0,
        size=(640, 360),
        background="black",
    )
    clip, target, true = tmp_path / "clip.mp4", tmp_path / "annotated.mp4", truth(scene)
    render(scene, clip)
    grey = ((float(time), picture.mean(axis=2).astype(np.uint8)) for time, picture in scene_pictures(scene))
    events = read_scripted(grey, true)
    annotate(clip, events, target, Settings())

    plain, drawn = pictures(clip), pictures(target)
    assert [time for time, _ in drawn] == pytest.approx([time for time, _ in plain], abs=1e-3)
    checked = 0
    for (time, before), (_, after) in list(zip(plain, drawn, strict=True))[::25]:
        live = [span for span in build_spans(events) if span.start <= time < span.end]
        for text, (x, y, width, height) in texts_at(true, time):
            (span,) = [span for span in live if span.text == text]
            corners = np.array(span.polygon_at(time))
            box = (*corners.min(axis=0), *corners.max(axis=0))
            assert intersection_over_union(box, (x, y, x + width, y + height)) >= 0.6, (time, text)
            for (ax, ay), (bx, by) in zip(corners, np.roll(corners, -1, axis=0), strict=True):
                along = np.linspace(0.1, 0.9, 9)
                columns, rows = (np.rint(p + along * (q - p)).astype(int) for p, q in ((ax, bx), (ay, by)))
                changed = np.abs(after[rows, columns].astype(int) - before[rows, columns])
                assert np.median(changed) > 30, f"no outline of {text!r} at {time} s"
            checked += 1
    assert checked >= 10


def test_a_full_disk_is_said(tmp_path):
    clip, target = grey_clip(tmp_path / "clip.mp4"), tmp_path / "annotated.mp4"
    target.symlink_to("/dev/full")
    with pytest.raises(SinkError, match="cannot be written: No space left"):
        annotate(clip, shown(), target, Settings())
