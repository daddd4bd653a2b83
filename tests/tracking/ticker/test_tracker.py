"""What crawls through a window is told from what the camera pans over and from what slides in and stays."""

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


def letters(width: int) -> np.ndarray:
    """Something with strokes, 30 pixels high."""
    strokes = np.kron(RNG.integers(0, 2, (5, width // 6 + 1)), np.ones((6, 6)))[:, :width]
    return np.pad(strokes[3:-3] * 200, ((3, 3), (0, 0))).astype(np.uint8)


LINE = letters(900)
SCENE = np.kron(RNG.integers(60, 120, (36, 300)), np.ones((10, 10))).astype(np.uint8)


def crawls(n: int, *, pans: bool = False, stops_at: int = 10**6) -> np.ndarray:
    """The nth frame; a line that has come in from the right, over a scene that stands or moves with it."""
    moved = min(n, stops_at) * SPEED
    picture = SCENE[:, moved if pans else 0 :][:, :640].copy()
    if not pans:
        picture[TOP:BOTTOM, LEFT:RIGHT] = 20
    first = max(moved - (RIGHT - LEFT), 0)
    seen = LINE[:, first:moved]
    start = RIGHT - moved + first
    picture[TOP:BOTTOM, start : start + seen.shape[1]] = seen
    return picture


def box(n: int, *, stops_at: int = 10**6) -> np.ndarray:
    start = max(RIGHT - min(n, stops_at) * SPEED, LEFT)
    return rectangle(start, TOP, max(min(RIGHT, RIGHT - min(n, stops_at) * SPEED + 900) - start, 1), BOTTOM - TOP)


def followed(frames: int, **how: bool | int) -> Iterator[tuple[int, TickerTracker, list[TickerMessage]]]:
    tickers, history = TickerTracker(), FrameHistory()
    stops = {"stops_at": how["stops_at"]} if "stops_at" in how else {}
    for n in range(frames):
        luma = crawls(n, **how)
        history.add(n * FRAME_S, luma)
        ended = tickers.advance(luma, n * FRAME_S, 0)
        if n % 5 == 0 and n > 10:
            tickers.detected([box(n, **stops)], luma, history)
        yield n, tickers, ended


def test_a_look_at_other_rows_forgets_no_line() -> None:
    tickers, history = TickerTracker(), FrameHistory()
    for n in range(12):
        history.add(n * FRAME_S, crawls(n + 20))
    tickers.detected([box(30)], crawls(30), history)
    tickers.detected([rectangle(10, 20, 60, 20)], crawls(31), history, rows=(0, 96))
    assert tickers.detected([box(31)], crawls(31), history)


@pytest.mark.parametrize("how", [{"pans": True}, {"stops_at": 5}])
def test_a_pan_and_a_line_that_stands_are_no_tickers(how: dict[str, bool | int]) -> None:
    for n, tickers, _ in followed(60, **how):
        assert not tickers.hold(box(n)), n


def test_a_message_is_put_together_of_all_that_came_in() -> None:
    messages = [message for _, tickers, _ in followed(300) for message in tickers.messages]
    message = messages[0]
    assert all(each is message for each in messages)
    assert message.start_s == pytest.approx(0.0, abs=0.2)
    assert message.picture.shape[1] == pytest.approx(900, abs=30)
    assert cv2.matchTemplate(message.picture, LINE[:, 50:850], cv2.TM_CCOEFF_NORMED).max() > 0.98
    ended = [(n, each) for n, _, over in followed(400) for each in over]
    assert len(ended) == 1
    n, _ = ended[0]
    assert n * SPEED == pytest.approx(900 + RIGHT - LEFT, abs=60), "when its end has left the window"


def test_what_comes_to_rest_is_given_back_with_what_was_seen_of_it() -> None:
    ended: list[TickerMessage] = []
    held: list[bool] = []
    for n, tickers, over in followed(120, stops_at=60):
        ended += over
        held.append(tickers.hold(box(n, stops_at=60)))
    assert any(held)
    assert not held[-1]
    assert len(ended) == 1
