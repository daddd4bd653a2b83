from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from stream_ocr.config.settings import Settings
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


def quad(x: float, y: float):
    return ((x, y), (x + 40.0, y), (x + 40.0, y + 12.0), (x, y + 12.0))


def span(text="GATE", start=0.0, end=9.0, track=1, x=20.0, y=50.0) -> Span:
    return Span("clip.mp4", track, text, 0.9, start, end, quad(x, y), quad(x, y))


def text_event(seq: int, kind: str, text: str, start: float, *, end=None, previous=None, stream="clip.mp4", track=1):
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
        polygon=quad(20.0, 50.0),
        size=SIZE,
        previous=previous,
    )


def shown_text(text="GATE", start=1.04, end=1.2, stream="clip.mp4"):
    return [
        text_event(0, "appeared", text, start, stream=stream),
        text_event(1, "ended", text, start, end=end, stream=stream),
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


def test_annotate_draws_texts_while_on_screen_and_keeps_frame_times(tmp_path):
    clip, target = grey_clip(tmp_path / "clip.mp4"), tmp_path / "annotated.mp4"
    assert annotate(clip, shown_text(), target, Settings()) == len(TIMES_MS)
    found = pictures(target)
    assert [round(time * 1000) for time, _ in found] == list(TIMES_MS)
    changed = [int(np.ptp(luma[40:70, 10:70].astype(int))) > 60 for _, luma in found]
    assert changed == [False, True, True, False, False]


def test_active_spans_at_a_time():
    live = ActiveSpans([span("b", 1.0, 2.0, track=2), span("a", 0.5, 1.5, track=1)])
    here = [[s.text for s in live.at(t)] for t in (0.0, 0.5, 1.0, 1.499, 1.5, 1.9999995)]
    assert here == [[], ["a"], ["a", "b"], ["a", "b"], ["b"], []]


@pytest.mark.parametrize(
    ("name", "message"),
    [("out.avi", "suffix .mp4"), ("none/out.mp4", "no directory"), ("clip.mp4", "the video itself")],
)
def test_annotate_rejects_bad_targets(tmp_path, name, message):
    clip = grey_clip(tmp_path / "clip.mp4")
    before = clip.read_bytes()
    with pytest.raises(SinkError, match=message):
        annotate(clip, [], tmp_path / name, Settings())
    assert clip.read_bytes() == before


def test_annotate_leaves_no_file_for_an_unreadable_video(tmp_path):
    (tmp_path / "clip.mp4").write_bytes(b"no video")
    with pytest.raises(SourceError):
        annotate(tmp_path / "clip.mp4", [], tmp_path / "out.mp4", Settings())
    assert not (tmp_path / "out.mp4").exists()


def test_annotate_lists_changes_in_a_ribbon_below_the_frame(tmp_path):
    clip, target = grey_clip(tmp_path / "clip.mp4"), tmp_path / "annotated.mp4"
    annotate(clip, shown_text("A", start=1.08), target, Settings())
    found = pictures(target)
    assert {luma.shape for _, luma in found} == {(SIZE[1] + drawing.ribbon_height(SIZE), SIZE[0])}
    ribbons = [luma[SIZE[1] :] for _, luma in found]
    assert [bool(ribbon.max() > 120) for ribbon in ribbons] == [False, False, True, True, True]


def test_recent_changes_are_listed_latest_first():
    changes = RecentChanges(
        [
            text_event(0, "appeared", "1 : 0", 1.0),
            text_event(1, "changed", "1 : 1", 3.5, previous="1 : 0"),
            text_event(2, "updated", "1 : 1!", 3.5, previous="1 : 1"),
            text_event(3, "ended", "1 : 1!", 3.5, end=65.0),
        ]
    )
    assert list(changes.at(0.9)) == []
    assert list(changes.at(3.5)) == ["0:03.50  1 : 0 → 1 : 1", "0:01.00  + 1 : 0"]
    assert changes.at(99.0)[0] == "1:05.00  − 1 : 1!"


def test_annotate_draws_only_events_of_the_video(tmp_path):
    clip, target = grey_clip(tmp_path / "clip.mp4"), tmp_path / "annotated.mp4"
    annotate(clip, [*shown_text(stream="other.mp4"), *shown_text("B", start=5.0, end=6.0)], target, Settings())
    assert all(np.ptp(luma[40:70, 10:70].astype(int)) < 20 for _, luma in pictures(target))
    with pytest.raises(SourceError, match=r"belong to a\.mp4, b\.mp4, not to clip\.mp4"):
        annotate(clip, [*shown_text(stream="a.mp4"), *shown_text(stream="b.mp4")], target, Settings())


def clip_with_audio(path: Path, codec: str, *, start_s: float = 0.0) -> Path:
    """Render a clip of two seconds whose audio starts 0.4 s before its video."""
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


def audio_packets(path: Path):
    with av.open(str(path)) as container:
        packets = [p for p in container.demux(audio=0) if p.size]
        return [(round(float(p.pts * p.time_base), 4), bytes(p)) for p in packets]


def first_times(path: Path):
    with av.open(str(path)) as video, av.open(str(path)) as audio:
        return next(video.decode(video=0)).time, next(audio.decode(audio=0)).time


@pytest.mark.parametrize("start_s", [0.0, 3.0])
@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_annotate_copies_audio_with_its_timestamps(tmp_path, suffix, start_s):
    clip = clip_with_audio(tmp_path / f"clip{suffix}", "aac", start_s=start_s)
    target = tmp_path / "annotated.mp4"
    annotate(clip, shown_text(), target, Settings())
    before, after = audio_packets(clip), audio_packets(target)
    assert [data for _, data in after] == [data for _, data in before]
    assert [time for time, _ in after] == pytest.approx([time for time, _ in before], abs=0.002)
    assert first_times(target)[0] == pytest.approx(start_s + 0.4, abs=0.001)


def test_annotate_reencodes_audio_that_mp4_does_not_carry(tmp_path):
    clip, target = clip_with_audio(tmp_path / "clip.mkv", "pcm_s16le"), tmp_path / "annotated.mp4"
    annotate(clip, shown_text(), target, Settings())
    with av.open(str(target)) as made:
        assert made.streams.audio[0].codec_context.name == "aac"
        samples = np.concatenate([frame.to_ndarray().ravel() for frame in made.decode(audio=0)])
    assert len(samples) == pytest.approx(2 * 48_000, abs=4096)
    assert np.abs(samples[9600:-9600]).max() == pytest.approx(8000 / 32768, rel=0.1)
    picture, sound = first_times(target)
    assert picture - sound == pytest.approx(0.4, abs=0.03)


def intersection_over_union(a, b) -> float:
    (left, top, right, bottom), (x0, y0, x1, y1) = a, b
    width, height = min(right, x1) - max(left, x0), min(bottom, y1) - max(top, y0)
    both = max(width, 0) * max(height, 0)
    return both / ((right - left) * (bottom - top) + (x1 - x0) * (y1 - y0) - both)


def test_annotate_draws_boxes_on_the_text(tmp_path):
    """Check in every 25th frame that the box agrees with the truth and that its outline is drawn."""
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


def test_annotate_reports_a_full_disk(tmp_path):
    clip, target = grey_clip(tmp_path / "clip.mp4"), tmp_path / "annotated.mp4"
    target.symlink_to("/dev/full")
    with pytest.raises(SinkError, match="cannot be written: No space left"):
        annotate(clip, shown_text(), target, Settings())
