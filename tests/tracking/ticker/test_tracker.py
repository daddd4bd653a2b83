"""Detection of tickers, as opposed to pans and texts that slide in, and assembly of their messages."""

from collections.abc import Iterator

import cv2
import numpy as np
import pytest

from stream_ocr.core.geometry import rectangle
from stream_ocr.tracking.frame_history import FrameHistory
from stream_ocr.tracking.ticker.mosaic import TickerMessage
from stream_ocr.tracking.ticker.tracker import TickerTracker

FRAME_S, SPEED = 0.04, 5  # pixels a frame
LEFT, TOP, RIGHT, BOTTOM = 100, 200, 500, 230
RNG = np.random.default_rng(0)


def strokes(width: int) -> np.ndarray:
    """Return a random pattern of strokes, 30 pixels high, (30, width) uint8."""
    pattern = np.kron(RNG.integers(0, 2, (5, width // 6 + 1)), np.ones((6, 6)))[:, :width]
    return np.pad(pattern[3:-3] * 200, ((3, 3), (0, 0))).astype(np.uint8)


LINE = strokes(900)
SCENE = np.kron(RNG.integers(60, 120, (36, 300)), np.ones((10, 10))).astype(np.uint8)


def scrolling_frame(n: int, *, pans: bool = False, stops_at: int = 10**6) -> np.ndarray:
    """Return the nth frame: a line has come in from the right, over a scene that stands or moves with it."""
    moved = min(n, stops_at) * SPEED
    frame = SCENE[:, moved if pans else 0 :][:, :640].copy()
    if not pans:
        frame[TOP:BOTTOM, LEFT:RIGHT] = 20
    first = max(moved - (RIGHT - LEFT), 0)
    seen = LINE[:, first:moved]
    start = RIGHT - moved + first
    frame[TOP:BOTTOM, start : start + seen.shape[1]] = seen
    return frame


def box(n: int, *, stops_at: int = 10**6) -> np.ndarray:
    start = max(RIGHT - min(n, stops_at) * SPEED, LEFT)
    return rectangle(start, TOP, max(min(RIGHT, RIGHT - min(n, stops_at) * SPEED + 900) - start, 1), BOTTOM - TOP)


def track(frames: int, **options: bool | int) -> Iterator[tuple[int, TickerTracker, list[TickerMessage]]]:
    tickers, history = TickerTracker(), FrameHistory()
    stops = {"stops_at": options["stops_at"]} if "stops_at" in options else {}
    for n in range(frames):
        luma = scrolling_frame(n, **options)
        history.add(n * FRAME_S, luma)
        ended = tickers.advance(luma, n * FRAME_S, 0)
        if n % 5 == 0 and n > 10:
            tickers.update([box(n, **stops)], luma, history)
        yield n, tickers, ended


def test_ticker_tracker_keeps_boxes_outside_the_detected_rows() -> None:
    tickers, history = TickerTracker(), FrameHistory()
    for n in range(12):
        history.add(n * FRAME_S, scrolling_frame(n + 20))
    tickers.update([box(30)], scrolling_frame(30), history)
    tickers.update([rectangle(10, 20, 60, 20)], scrolling_frame(31), history, rows=(0, 96))
    assert tickers.update([box(31)], scrolling_frame(31), history)


@pytest.mark.parametrize("options", [{"pans": True}, {"stops_at": 5}])
def test_ticker_tracker_ignores_pans_and_lines_at_rest(options: dict[str, bool | int]) -> None:
    for n, tickers, _ in track(60, **options):
        assert not tickers.contains(box(n)), n


def test_ticker_tracker_assembles_a_message() -> None:
    messages = [message for _, tickers, _ in track(300) for message in tickers.items]
    message = messages[0]
    assert all(each is message for each in messages)
    assert message.start_s == pytest.approx(0.0, abs=0.2)
    assert message.image.shape[1] == pytest.approx(900, abs=30)
    assert cv2.matchTemplate(message.image, LINE[:, 50:850], cv2.TM_CCOEFF_NORMED).max() > 0.98
    ended = [(n, each) for n, _, ended_now in track(400) for each in ended_now]
    assert len(ended) == 1
    n, _ = ended[0]
    assert n * SPEED == pytest.approx(900 + RIGHT - LEFT, abs=60), "when its end has left the window"


def test_ticker_tracker_releases_a_line_that_stops() -> None:
    ended: list[TickerMessage] = []
    contained: list[bool] = []
    for n, tickers, ended_now in track(120, stops_at=60):
        ended += ended_now
        contained.append(tickers.contains(box(n, stops_at=60)))
    assert any(contained)
    assert not contained[-1]
    assert len(ended) == 1


def test_ticker_tracker_takes_no_line_that_zooms_in_for_a_ticker() -> None:
    def zoomed(n: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the nth frame and its box: the right end stays, and the line grows to the left, up and down."""
        scale = 0.3 + 0.025 * n
        line = cv2.resize(strokes_of_word, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        height, width = line.shape
        frame = np.full((360, 640), 20, np.uint8)
        top, left = 180 - height // 2, 560 - width
        frame[top : top + height, left : left + width] = line
        return frame, rectangle(left, top, width, height)

    strokes_of_word = np.full((90, 520), 20, np.uint8)
    cv2.putText(strokes_of_word, "eigentlich", (4, 66), cv2.FONT_HERSHEY_SIMPLEX, 2.8, 230, 7)
    tickers, history = TickerTracker(), FrameHistory()
    for n in range(28):
        luma, line = zoomed(n)
        history.add(n * 0.02, luma)
        tickers.advance(luma, n * 0.02, 0)
        if n % 10 == 0:
            assert not tickers.update([line], luma, history)
