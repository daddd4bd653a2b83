"""The tracker with scripted detections."""

import cv2
import numpy as np
import pytest

from stream_ocr.core.geometry import from_flat, rectangle, side_lengths, to_flat
from stream_ocr.core.messages import Detection
from stream_ocr.tracking.track import TextTrack
from stream_ocr.tracking.tracker import Tracker, TrackLifetimes


def partly_visible_line(width: float) -> np.ndarray:
    """Return luma of a line that is visible up to ``width`` pixels and fades out behind them."""
    image = np.zeros((120, 900), np.uint8)
    cv2.putText(image, "THE PEACH OPEN MOVIE PROJECT", (20, 70), cv2.FONT_HERSHEY_SIMPLEX, 1.4, 230, 3)
    along = np.clip((20 + width - np.arange(900)) / 120, 0, 1)
    return (image * along).astype(np.uint8)


def test_tracker_confirms_a_growing_line_only_when_it_is_complete() -> None:
    tracker = Tracker(TrackLifetimes())
    detected_width = {2: 220, 5: 320, 10: 327, 15: 700, 20: 700, 25: 700}  # by frame
    confirmed: dict[int, list[float]] = {}
    for n in range(30):
        time_s, width = n / 25, min(40 * n + 150, 880)
        tracker.advance(time_s, partly_visible_line(width))
        if n in detected_width:
            tracker.update([Detection(to_flat(rectangle(18, 36, detected_width[n], 44)), 0.95)], time_s)
        confirmed[n] = [side_lengths(track.quad())[0] for track in tracker.tracks]
    first = next(n for n, widths in confirmed.items() if widths)
    assert first >= 15
    assert [round(width) for width in confirmed[29]] == [700]
    assert tracker.next_id == 2, "one track"


def test_tracker_keeps_start_and_box_of_a_fine_detection() -> None:
    image = partly_visible_line(880)
    tracker = Tracker(TrackLifetimes())
    fine_box, coarse_box = rectangle(18, 36, 700, 44), rectangle(40, 30, 600, 56)

    def detect(n: int, quad: np.ndarray, *, fine: bool = False) -> None:
        tracker.advance(n / 25, image)
        tracker.update([Detection(to_flat(quad), 0.95)], n / 25, fine=fine)

    for n in (0, 5):
        detect(n, coarse_box)
    (track,) = tracker.tracks
    detect(10, fine_box, fine=True)
    assert tracker.tracks == [track]
    assert (track.revision, track.start_s) == (1, 0.0), "a better reading, not a change"
    for n in (15, 20, 25, 30):
        detect(n, coarse_box)
    np.testing.assert_allclose(track.quad(), fine_box, atol=1)
    assert track.revision == 1


def test_tracker_moves_a_confirmed_box_only_after_two_detections() -> None:
    image = partly_visible_line(880)
    tracker = Tracker(TrackLifetimes())
    level, slanting = rectangle(18, 36, 700, 44), rectangle(18, 36, 700, 44) + [[0, 6], [0, -6], [0, -6], [0, 6]]
    detections = [level, level, slanting, level, slanting, slanting]
    places = []
    for n, quad in enumerate(detections):
        tracker.advance(n / 2, image)
        tracker.update([Detection(to_flat(quad), 0.95)], n / 2)
        places.append(tracker.tracks[0].quad() if tracker.tracks else None)
    for n in (1, 2, 3, 4):
        np.testing.assert_allclose(places[n], level, atol=1)
    np.testing.assert_allclose(places[5], slanting, atol=2)
    assert tracker.tracks[0].revision == 0


def word(text: str, *, x: int = 60, y: int = 60, size: tuple[int, int] = (120, 400)) -> np.ndarray:
    """Return luma that shows one word, with its baseline at ``y``."""
    image = np.full(size, 40, np.uint8)
    cv2.putText(image, text, (x, y), cv2.FONT_HERSHEY_SIMPLEX, 1.4, 230, 3)
    return image


def found(image: np.ndarray) -> Detection:
    """Return the bounding box of the word in an image of ``word``."""
    ys, xs = np.nonzero(image > 100)
    return Detection(to_flat(rectangle(xs.min() - 2, ys.min() - 2, np.ptp(xs) + 4, np.ptp(ys) + 4)), 0.9)


def test_tracker_confirms_a_text_that_stands_at_the_edge() -> None:
    image = word("NEVER LOST", x=20, y=117)
    tracker = Tracker(TrackLifetimes())
    quad = rectangle(18, 84, 300, 36)  # clipped by the lower edge
    for n in range(11):
        tracker.advance(n / 25, image)
        if n in (0, 5, 10):
            tracker.update([Detection(to_flat(quad), 0.9)], n / 25)
    (track,) = tracker.tracks
    assert (track.visible, track.start_s) == (True, 0.0)


def test_tracker_dates_a_text_to_the_first_frame_however_long_that_is_shown() -> None:
    image = word("station")
    tracker = Tracker(TrackLifetimes())
    for time_s in (0.0, 5.3, 5.34):
        tracker.advance(time_s, image)
        tracker.update([found(image)], time_s)
    assert [track.start_s for track in tracker.tracks] == [0.0]
    tracker = Tracker(TrackLifetimes())
    for time_s in (0.0, 5.3, 5.5):  # not found in the first frame
        tracker.advance(time_s, image)
        tracker.update([found(image)] if time_s else [], time_s)
    assert [track.start_s for track in tracker.tracks] == [0.0]


def test_tracker_confirms_words_that_are_gone_before_a_second_detection() -> None:
    tracker = Tracker(TrackLifetimes())
    shown = ["one", "word", "at", "a time"]
    views = []
    for n in range(12):
        image = word(shown[n // 3])
        tracker.advance(n / 15, image)
        views += [
            (track.start_s, track.take_view(None))
            for track in tracker.tracks
            if isinstance(track, TextTrack) and track.unread
        ]
        if n % 3 == 0:
            tracker.update([found(image)], n / 15)
    views += [
        (track.start_s, track.take_view(None)) for track in tracker.close(12 / 15) if isinstance(track, TextTrack)
    ]
    assert [round(start_s * 15) for start_s, _ in views] == [0, 3, 6, 9]
    for text, (_, (luma, _)) in zip(shown, views, strict=True):
        np.testing.assert_array_equal(luma, word(text))


@pytest.mark.parametrize(
    ("first", "second"),
    [("tony", "cheney"), ("can", "see"), ("tony", "that"), ("subjects", "behaved"), ("complete", "in"), ("a", "were")],
)
def test_tracker_dates_a_brief_text_and_the_one_that_takes_its_place(first: str, second: str) -> None:
    def image(text: str) -> np.ndarray:
        (width, _), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, 1.4, 3)
        return word(text, x=200 - width // 2)

    tracker = Tracker(TrackLifetimes())
    starts = {}
    for n in range(12):
        shown = image(first if n < 3 else second)
        tracker.advance(n / 15, shown)
        for track in tracker.tracks:
            assert isinstance(track, TextTrack)
            if track.unread or track.stable:
                view, _ = track.take_view(tracker.luma)
                starts[round(track.start_s * 15)] = view
        if n % 3 == 0:
            tracker.update([found(shown)], n / 15)
    assert sorted(starts) == [0, 3]
    np.testing.assert_array_equal(starts[0], image(first))
    np.testing.assert_array_equal(starts[3], image(second))


def test_tracker_confirms_no_moving_candidate_that_is_gone() -> None:
    tracker = Tracker(TrackLifetimes())
    for n in range(8):
        image = word("leaf", x=60 + 8 * n) if n < 4 else word("")
        tracker.advance(n / 25, image)
        if n == 0:
            tracker.update([found(image)], 0.0)
        assert tracker.tracks == []


@pytest.mark.parametrize(("frame_s", "pan_px", "confirmed"), [(0.08, 30, 0), (0.08, 0, 1), (0.5, 30, 1)])
def test_tracker_confirms_what_one_frame_shows_unless_the_camera_pans(
    frame_s: float, pan_px: int, confirmed: int
) -> None:
    """While a camera pans, boards are found in one frame and lost in the next."""
    ground = np.random.default_rng(3).integers(0, 90, (120, 500)).astype(np.uint8)
    tracker = Tracker(TrackLifetimes())
    for n in range(4):
        image = np.maximum(word("board" if n == 1 else ""), ground[:, pan_px * n :][:, :400])
        tracker.advance(n * frame_s, image)
        if n == 1:
            tracker.update([found(word("board"))], frame_s)
    assert len(tracker.close(4 * frame_s)) == confirmed


def test_tracker_keeps_the_grouping_of_a_line_that_another_one_replaces() -> None:
    first, second = word("MWMWMW MWMW", size=(120, 480)), word("two lines now", size=(120, 480))
    line = found(second)
    x, y, width, height = 58, 34, side_lengths(np.reshape(line.quad, (4, 2)))[0], 30
    cut = [rectangle(x, y, 0.3 * width, height), rectangle(x + 0.33 * width, y, 0.67 * width, height)]
    tracker = Tracker(TrackLifetimes())
    for n in range(24):
        tracker.advance(n / 25, first if n < 10 else second)
        if n in (0, 5):
            tracker.update([found(first)], n / 25)
        if n in (10, 15, 20):
            tracker.update([Detection(to_flat(quad), 0.9) for quad in cut], n / 25)
    (track,) = tracker.tracks
    assert isinstance(track, TextTrack)
    assert (track.id, track.visible, track.revision, track.start_s) == (1, True, 1, 0.4)
    assert side_lengths(track.quad())[0] > 0.95 * width


def test_tracker_follows_a_sign_that_passes_faster_and_faster() -> None:
    """As from a car: it moves by more than its height from one frame to the next."""
    rng = np.random.default_rng(1)
    wall = cv2.GaussianBlur(rng.integers(0, 255, (240, 900), dtype=np.uint8), (0, 0), 3)
    wall = cv2.normalize(wall, wall, 20, 160, cv2.NORM_MINMAX)
    cv2.putText(wall, "2396 LPD", (130, 112), cv2.FONT_HERSHEY_SIMPLEX, 0.5, 255, 1, cv2.LINE_AA)
    tracker = Tracker(TrackLifetimes())
    for n in range(20):
        time_s, x = n / 25, 12.0 * n + 0.4 * n**2
        shift = np.array([[1, 0, x], [0, 1, 0]], np.float32)
        tracker.advance(time_s, cv2.warpAffine(wall, shift, (640, 240), borderMode=cv2.BORDER_REFLECT))
        if n in (5, 11):
            tracker.update([Detection(to_flat(rectangle(130 + x, 99, 76, 16)), 0.95)], time_s)
    (track,) = tracker.tracks
    assert isinstance(track, TextTrack)
    assert track.visible
    assert (track.revision, track.start_s) == (0, 0.0)
    np.testing.assert_allclose(track.quad().mean(axis=0), (130 + x + 38, 107), atol=6)


def test_tracker_follows_a_title_that_flies_in_stops_at_once_and_flies_out() -> None:
    """It moves by its height with every frame, and stands still for a second."""
    stops, leaves, gone = 8, 33, 42
    tops = [40 + 36 * max(stops - n, 0) + 36 * max(n - leaves, 0) for n in range(gone)]
    tracker, ended = Tracker(TrackLifetimes()), []
    for n, top in enumerate(tops):
        image = word("Witz", y=top + 32, size=(420, 400)) if top < 340 else word("", size=(420, 400))
        time_s = n / 25
        ended += tracker.advance(time_s, image)
        if n in (2, 5, 8, leaves + 2, leaves + 6):
            tracker.update([found(image)], time_s)
        if n == 20:
            (track,) = tracker.tracks
            assert isinstance(track, TextTrack)
            np.testing.assert_allclose(
                track.quad().mean(axis=0)[1], from_flat(found(image).quad).mean(axis=0)[1], atol=3
            )
    ended += tracker.close(gone / 25)
    (track,) = ended
    assert (track.id, track.start_s) == (1, pytest.approx(0.0, abs=0.05))
    assert track.lost_s > (leaves + 4) / 25, "the same text until it is out of sight"
    assert track.rest is not None
    assert track.rest.until_s == pytest.approx(leaves / 25, abs=0.05)
