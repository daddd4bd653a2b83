"""What appears at once, and what does not."""

import numpy as np
import pytest

from stream_ocr.gating.edge_onset import TILE, EdgeOnset
from stream_ocr.synthetic.scene import Scene, Text, draw_frames

SIZE = (640, 360)


def sudden(scene: Scene) -> list[int]:
    """The frames in which something appears, but for the first."""
    onset = EdgeOnset()
    frames = [onset.sudden(picture[..., 1]).any() for _, picture in draw_frames(scene)]
    assert frames[0], "all is new"
    return [n for n, new in enumerate(frames) if new and n > 0]


@pytest.mark.parametrize("fade_in_s", [0.0, 0.3])
def test_a_subtitle_over_a_moving_picture_appears(fade_in_s: float) -> None:
    text = Text("Good morning", 1.0, 2, (200, 300), fade_in_s=fade_in_s)
    seen = sudden(Scene((text,), 2.0, SIZE))
    assert any(25 <= n <= 25 + 25 * fade_in_s for n in seen)


def test_a_moving_picture_without_text_seldom_does() -> None:
    assert len(sudden(Scene((), 2.0, SIZE))) < 15


def test_nothing_appears_in_a_still_picture() -> None:
    assert sudden(Scene((Text("GATE 4", 0, 9, (80, 80)),), 1.0, SIZE, background="static")) == []


def test_another_size_is_all_new() -> None:
    onset = EdgeOnset()
    onset.sudden(np.zeros((360, 640), np.uint8))
    assert not onset.sudden(np.zeros((360, 640), np.uint8)).any()
    assert onset.sudden(np.zeros((300, 640), np.uint8)).all()


def test_it_says_in_which_rows_something_appeared() -> None:
    text = Text("Good morning", 0.08, 2, (200, 300), height=30)
    onset = EdgeOnset()
    frames = [onset.sudden(picture[..., 1]) for _, picture in draw_frames(Scene((text,), 0.2, SIZE, background="static"))]
    rows = np.flatnonzero(frames[2])
    assert rows.size
    assert 300 // TILE - 1 <= rows.min() <= rows.max() <= 340 // TILE


@pytest.mark.parametrize("height", [18, 30])
def test_one_subtitle_after_another_over_a_moving_picture_appears(height: int) -> None:
    texts = (
        Text("Good morning", 0.0, 1.0, (200, 300), height=height),
        Text("The train is", 1.0, 2.0, (200, 300), height=height),
    )
    assert 25 in sudden(Scene(texts, 2.0, SIZE))


def test_a_text_that_goes_away_does_not_appear() -> None:
    text = Text("Good morning", 0.0, 1.0, (200, 300), height=30)
    assert 25 not in sudden(Scene((text,), 2.0, SIZE))


def test_a_text_that_was_still_to_the_bit_can_be_replaced_too() -> None:
    one, other = (
        next(picture[..., 1] for _, picture in draw_frames(Scene((Text(words, 0, 9, (200, 300)),), 1.0, SIZE)))
        for words in ("Good morning", "The train is")
    )
    onset = EdgeOnset()
    onset.sudden(one)
    for _ in range(6):
        onset.rest()
    assert onset.sudden(other).any()
