"""``Reader``: frames of the caller's own give the events of a file with the same frames."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

import stream_ocr
from stream_ocr import Reader, Settings, SourceError, TextEvent
from stream_ocr.synthetic.scene import Scene, Text, clock, render
from stream_ocr.testing import MemorySink

SETTINGS = Settings.load(overrides=["models=builtin", "device=cpu", "threads=1"])
SCENE = Scene(
    (
        Text("Good morning", 0.4, 1.6, (320, 300), "middle", height=28),
        Text(clock("12:34:56"), 0.0, 2.0, (470, 24), height=28, outline=None, panel=(20, 20, 28)),
    ),
    2.0,
    (640, 360),
)


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("reader") / "clip.mp4"
    render(SCENE, path)
    return path


@pytest.fixture(scope="module")
def frames(video: Path) -> list[tuple[av.VideoFrame, float]]:
    with av.open(str(video)) as container:
        base = container.streams.video[0].time_base or Fraction(1, 25)
        return [(frame, float((frame.pts or 0) * base)) for frame in container.decode(video=0)]


@pytest.fixture(scope="module")
def from_file(video: Path) -> list[TextEvent]:
    return list(stream_ocr.read(video, SETTINGS, stream="clip"))


def outline(events: list[TextEvent]) -> list[tuple[object, ...]]:
    return [
        (e.kind, e.text, round(e.start, 3), None if e.end is None else round(e.end, 3))
        for e in sorted(events, key=lambda event: (event.start, event.text, event.kind))
    ]


def test_reader_gives_the_events_of_a_file_for_the_frames_of_pyav(frames, from_file):
    with Reader(SETTINGS) as reader:
        events = [event for frame, time_s in frames for event in reader.process(frame, time_s, "clip")]
        events += reader.close()
    assert [(e.kind, e.text, e.id) for e in events] == [(e.kind, e.text, e.id) for e in from_file]
    assert [e.start for e in events] == pytest.approx([e.start for e in from_file], abs=1e-6)
    assert [e.end for e in events if e.end] == pytest.approx([e.end for e in from_file if e.end], abs=1e-6)
    assert {"Good morning", "12:34:56", "12:34:57"} == {e.text for e in events}


@pytest.mark.parametrize("color", ["bgr", "rgb"])
def test_reader_takes_colour_arrays(frames, from_file, color):
    with Reader(SETTINGS, color=color) as reader:
        events = []
        for frame, time_s in frames:
            events += reader.process(frame.to_ndarray(format=f"{color}24"), time_s)
        events += reader.close()
    assert outline(events) == outline(from_file)
    assert {event.stream for event in events} == {"frames"}


def test_reader_takes_grey_arrays_of_odd_sizes(frames):
    with Reader(SETTINGS) as reader:
        events = [
            event
            for frame, time_s in frames
            for event in reader.process(frame.to_ndarray(format="gray")[:359, :639], time_s)
        ]
        events += reader.close()
    assert {"Good morning", "12:34:56", "12:34:57"} == {event.text for event in events}
    assert {event.size for event in events} == {(639, 359)}


def test_reader_keeps_streams_apart_and_ends_one_alone(frames):
    with Reader(SETTINGS) as reader:
        for frame, time_s in frames[:30]:
            reader.process(frame, time_s, "left")
            reader.process(frame, time_s + 100, "right")
        left = reader.end_stream("left")
        assert {(event.stream, event.kind) for event in left} == {("left", "ended")}
        again = [event for frame, time_s in frames[:30] for event in reader.process(frame, time_s, "left")]
        assert {event.text for event in again} >= {"Good morning", "12:34:56"}
        right = reader.close()
    assert {event.stream for event in right if event.start >= 100} == {"right"}
    assert {event.kind for event in right} == {"ended"}


def test_reader_hands_events_to_sinks(frames):
    sink = MemorySink()
    with Reader(SETTINGS, sinks=[sink]) as reader:
        for frame, time_s in frames:
            reader.process(frame, time_s)
    assert {event.kind for event in sink.events} == {"appeared", "changed", "ended"}


def test_reader_says_what_a_frame_is():
    with Reader(SETTINGS) as reader:
        with pytest.raises(TypeError, match=r"A frame is a NumPy array or an av.VideoFrame, not list"):
            reader.process([[0, 0]], 0.0)
        with pytest.raises(TypeError, match=r"uint8 of shape \(H, W\) or \(H, W, 3\), not float64 of shape \(4, 4\)"):
            reader.process(np.zeros((4, 4)), 0.0)
        with pytest.raises(TypeError, match=r"of shape \(0, 5, 3\) has no pixels"):
            reader.process(np.zeros((0, 5, 3), np.uint8), 0.0)


def test_reader_refuses_times_that_do_not_increase():
    frame = np.zeros((64, 64, 3), np.uint8)
    with Reader(SETTINGS) as reader:
        reader.process(frame, 1.0)
        with pytest.raises(ValueError, match=r"Frame 1 of 'frames' has the time 1.0 s, and the one before it 1.0 s"):
            reader.process(frame, 1.0)
        with pytest.raises(ValueError, match="time_s is nan; it must be a finite number"):
            reader.process(frame, float("nan"))
        assert reader.process(frame, 1.1) == []


def test_reader_refuses_frames_that_are_too_large():
    settings = SETTINGS.model_copy(update={"decode": SETTINGS.decode.model_copy(update={"max_pixels": 1000})})
    with Reader(settings) as reader, pytest.raises(SourceError, match=r"64×64 has more than the 1000 pixels allowed"):
        reader.process(np.zeros((64, 64, 3), np.uint8), 0.0)


def test_reader_refuses_other_arguments():
    with pytest.raises(TypeError, match=r"settings is a stream_ocr.Settings, not dict"):
        Reader({"models": "builtin"})  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="color is 'yuv'; use 'bgr' or 'rgb'"):
        Reader(SETTINGS, color="yuv")  # type: ignore[arg-type]


def test_closed_reader_takes_no_frames():
    reader = Reader(SETTINGS)
    assert reader.close() == []
    assert reader.close() == []
    with pytest.raises(ValueError, match="The reader is closed"):
        reader.process(np.zeros((64, 64, 3), np.uint8), 0.0)


SHAPES = [(1, 1, 3), (3, 5), (15, 640, 3), (16, 16, 3), (17, 4000, 3), (4000, 16), (33, 31, 3), (64, 64), (1, 16000)]


def test_reader_survives_pictures_of_every_size():
    grey = np.random.default_rng(1).integers(0, 256, (4000, 16000), np.uint8)
    with Reader(SETTINGS) as reader:
        for step, shape in enumerate(SHAPES * 2):
            picture = grey[: shape[0], : shape[1]]
            reader.process(picture if len(shape) == 2 else np.dstack([picture] * 3), float(step))
        reader.close()
