"""The tracker with scripted detections."""

import cv2
import numpy as np

from stream_ocr.core.geometry import rectangle, side_lengths, to_flat
from stream_ocr.core.messages import Detection
from stream_ocr.tracking.tracker import Tracker, TrackLifetimes


def partly_visible_line(width: float) -> np.ndarray:
    """Return luma of a line that is visible up to ``width`` pixels and fades out behind them."""
    picture = np.zeros((120, 900), np.uint8)
    cv2.putText(picture, "THE PEACH OPEN MOVIE PROJECT", (20, 70), cv2.FONT_HERSHEY_SIMPLEX, 1.4, 230, 3)
    along = np.clip((20 + width - np.arange(900)) / 120, 0, 1)
    return (picture * along).astype(np.uint8)


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
    picture = partly_visible_line(880)
    tracker = Tracker(TrackLifetimes())
    fine_box, coarse_box = rectangle(18, 36, 700, 44), rectangle(40, 30, 600, 56)

    def detect(n: int, quad: np.ndarray, *, fine: bool = False) -> None:
        tracker.advance(n / 25, picture)
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
    picture = partly_visible_line(880)
    tracker = Tracker(TrackLifetimes())
    level, slanting = rectangle(18, 36, 700, 44), rectangle(18, 36, 700, 44) + [[0, 6], [0, -6], [0, -6], [0, 6]]
    detections = [level, level, slanting, level, slanting, slanting]
    places = []
    for n, quad in enumerate(detections):
        tracker.advance(n / 2, picture)
        tracker.update([Detection(to_flat(quad), 0.95)], n / 2)
        places.append(tracker.tracks[0].quad() if tracker.tracks else None)
    for n in (1, 2, 3, 4):
        np.testing.assert_allclose(places[n], level, atol=1)
    np.testing.assert_allclose(places[5], slanting, atol=2)
    assert tracker.tracks[0].revision == 0
