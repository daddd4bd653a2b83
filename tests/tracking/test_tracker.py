"""What the tracker makes of single detections."""

import cv2
import numpy as np

from stream_ocr.core.geometry import rectangle, side_lengths, to_flat
from stream_ocr.core.messages import Detection
from stream_ocr.tracking.tracker import Tracker, TrackLifetimes


def written(width: float) -> np.ndarray:
    """Luma of a line of which so many pixels can be seen; what comes after them is still faint."""
    picture = np.zeros((120, 900), np.uint8)
    cv2.putText(picture, "THE PEACH OPEN MOVIE PROJECT", (20, 70), cv2.FONT_HERSHEY_SIMPLEX, 1.4, 230, 3)
    along = np.clip((20 + width - np.arange(900)) / 120, 0, 1)
    return (picture * along).astype(np.uint8)


def test_a_line_that_comes_from_one_end_and_seems_to_pause_is_no_text_before_it_is_whole() -> None:
    tracker = Tracker(TrackLifetimes())
    looks = {2: 220, 5: 320, 10: 327, 15: 700, 20: 700, 25: 700}  # frame: how far the detector sees it
    confirmed: dict[int, list[float]] = {}
    for n in range(30):
        time_s, seen = n / 25, min(40 * n + 150, 880)
        tracker.advance(time_s, written(seen))
        if n in looks:
            tracker.detected([Detection(to_flat(rectangle(18, 36, looks[n], 44)), 0.95)], time_s)
        confirmed[n] = [side_lengths(text.quad())[0] for text in tracker.in_view]
    first = next(n for n, texts in confirmed.items() if texts)
    assert first >= 15
    assert [round(width) for width in confirmed[29]] == [700]
    assert tracker.next_id == 2, "one text"


def test_what_a_close_look_shows_more_of_was_there_before_and_others_leave_it_so() -> None:
    picture = written(880)
    tracker = Tracker(TrackLifetimes())
    near, far = rectangle(18, 36, 700, 44), rectangle(40, 30, 600, 56)

    def see(n: int, quad: np.ndarray, *, close: bool = False) -> None:
        tracker.advance(n / 25, picture)
        tracker.detected([Detection(to_flat(quad), 0.95)], n / 25, close=close)

    for n in (0, 5):
        see(n, far)
    (text,) = tracker.in_view
    see(10, near, close=True)
    assert tracker.in_view == [text]
    assert (text.revision, text.start_s) == (1, 0.0), "a better reading, not a change"
    for n in (15, 20, 25, 30):
        see(n, far)
    np.testing.assert_allclose(text.quad(), near, atol=1)
    assert text.revision == 1


def test_one_look_that_finds_a_box_elsewhere_is_doubted_and_two_are_believed() -> None:
    picture = written(880)
    tracker = Tracker(TrackLifetimes())
    level, slanting = rectangle(18, 36, 700, 44), rectangle(18, 36, 700, 44) + [[0, 6], [0, -6], [0, -6], [0, 6]]
    looks = [level, level, slanting, level, slanting, slanting]
    stood = []
    for n, quad in enumerate(looks):
        tracker.advance(n / 2, picture)
        tracker.detected([Detection(to_flat(quad), 0.95)], n / 2)
        stood.append(tracker.in_view[0].quad() if tracker.in_view else None)
    for n in (1, 2, 3, 4):
        np.testing.assert_allclose(stood[n], level, atol=1)
    np.testing.assert_allclose(stood[5], slanting, atol=2)
    assert tracker.in_view[0].revision == 0
