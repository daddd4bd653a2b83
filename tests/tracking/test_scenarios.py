"""Tracker and event builder on generated frames, with an ideal detector and recogniser."""

from collections.abc import Iterator

import cv2
import numpy as np
import pytest

from stream_ocr.events import TextEvent
from stream_ocr.synthetic.scene import BackgroundName, Scene, Text, clock, draw_frames, linear_path, truth
from stream_ocr.testing import read_scripted

FRAME_S = 0.04
SIZE = (640, 360)


def read(scene: Scene) -> list[TextEvent]:
    def grey() -> Iterator[tuple[float, np.ndarray]]:
        for time, image in draw_frames(scene):
            yield float(time), cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)

    return read_scripted(grey(), truth(scene))


def spans(events: list[TextEvent]) -> list[tuple[str, float, float]]:
    """Return (text, start, end) of every reported text, by start."""
    open_: dict[int, TextEvent] = {}
    found = []
    for event in events:
        if event.kind in ("changed", "ended"):
            before = open_.pop(event.track)
            end = event.start if event.kind == "changed" else event.end
            assert end is not None
            found.append((before.text, before.start, end))
        if event.kind != "ended":
            open_[event.track] = event
    assert not open_, "every text that appeared has ended"
    return sorted(found, key=lambda span: (span[1], span[0]))


def expected(scene: Scene) -> list[tuple[str, float, float]]:
    segments = truth(scene)["segments"]
    return sorted(((s["text"], s["start_s"], s["end_s"]) for s in segments), key=lambda span: (span[1], span[0]))


def assert_same(found: list[tuple[str, float, float]], wanted: list[tuple[str, float, float]], within_s: float) -> None:
    assert [span[0] for span in found] == [span[0] for span in wanted]
    assert np.array([span[1:] for span in found]) == pytest.approx(
        np.array([span[1:] for span in wanted]), abs=within_s + 1e-6
    )


@pytest.mark.parametrize("background", ["black", "static", "moving", "pan", "noise"])
def test_tracker_dates_consecutive_subtitles_to_the_frame(background: BackgroundName) -> None:
    scene = Scene(
        (
            Text("The first of them", 0.6, 1.8, (320, 300), "middle", height=26),
            Text("And then another one", 1.8, 3.0, (320, 300), "middle", height=26),
            Text("Late", 3.4, 4.2, (320, 300), "middle", height=26),
        ),
        5.0,
        size=SIZE,
        background=background,
    )
    assert_same(spans(read(scene)), expected(scene), FRAME_S)


@pytest.mark.parametrize("background", ["black", "moving", "noise"])
def test_tracker_dates_every_tick_of_a_clock_to_the_frame(background: BackgroundName) -> None:
    scene = Scene(
        (Text(clock("09:59:56"), 0, 8, (30, 30), height=30, panel=(20, 20, 30), outline=None),),
        8.0,
        size=SIZE,
        background=background,
    )
    events = read(scene)
    assert_same(spans(events), expected(scene), FRAME_S)
    assert {event.track for event in events} == {1}, "a clock is one text that changes"


def test_tracker_follows_a_moving_text() -> None:
    scene = Scene(
        (Text("PLATFORM 7", 0.4, 4.0, linear_path(0.4, (20, 200), 4.0, (420, 120)), height=30),), 5.0, size=SIZE
    )
    events = read(scene)
    assert_same(spans(events), expected(scene), FRAME_S)
    start, end = events[0].polygon[0], events[-1].polygon[0]
    assert start == pytest.approx((20, 200), abs=6)
    assert end == pytest.approx((420, 120), abs=12)


def test_tracker_backdates_a_fast_text_to_its_first_frame() -> None:
    scene = Scene(
        (Text("EXPRESS", 1.0, 2.4, linear_path(1.0, (10, 150), 2.4, (500, 160)), height=30),),
        3.0,
        size=SIZE,
        background="pan",
    )
    assert_same(spans(read(scene)), expected(scene), FRAME_S)


def test_tracker_keeps_lines_of_scrolling_credits_apart() -> None:
    lines = tuple(
        Text(
            f"Credit line {n} of film",
            n * 0.8,
            n * 0.8 + 3,
            linear_path(n * 0.8, (160, 320), n * 0.8 + 3, (160, 10)),
            height=24,
        )
        for n in range(5)
    )
    scene = Scene(lines, 7.0, size=SIZE, background="black")
    assert_same(spans(read(scene)), expected(scene), FRAME_S)


@pytest.mark.parametrize("background", ["static", "moving"])
def test_tracker_reports_a_fading_text_once(background: BackgroundName) -> None:
    scene = Scene(
        (Text("A day by the sea", 0.6, 3.6, (320, 150), "middle", height=40, fade_in_s=0.8, fade_out_s=0.8),),
        4.6,
        size=SIZE,
        background=background,
    )
    assert_same(spans(read(scene)), expected(scene), 0.2)


def test_tracker_continues_a_text_that_was_covered() -> None:
    scene = Scene((Text("Under the bridge", 0.4, 4.0, (320, 150), "middle", height=30),), 5.0, size=SIZE)
    cover = np.random.default_rng(0).integers(0, 255, (60, 400), dtype=np.uint8)

    def grey() -> Iterator[tuple[float, np.ndarray]]:
        for time, image in draw_frames(scene):
            luma = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
            if 1.5 <= time < 2.1:
                luma[140:200, 120:520] = cover
            yield float(time), luma

    assert_same(spans(read_scripted(grey(), truth(scene))), expected(scene), FRAME_S)


def test_tracker_requests_no_reading_of_a_static_text() -> None:
    scene = Scene(
        (Text("Nothing new", 0.0, 6.0, (320, 150), "middle", height=30),), 6.0, size=SIZE, background="static"
    )
    events = read(scene)
    assert [event.kind for event in events] == ["appeared", "ended"]
