"""Edge onset: what counts as suddenly appearing, and what does not."""

import numpy as np
import pytest

from stream_ocr.gating.edge_onset import TILE, EdgeOnset
from stream_ocr.synthetic.scene import Scene, Text, draw_frames

SIZE = (640, 360)


def onsets(scene: Scene) -> list[int]:
    """Return the frames in which something appears, except the first one."""
    onset = EdgeOnset()
    frames = [onset.update(picture[..., 1], float(time_s)).any() for time_s, picture in draw_frames(scene)]
    assert frames[0], "everything is new"
    return [n for n, new in enumerate(frames) if new and n > 0]


@pytest.mark.parametrize("fade_in_s", [0.0, 0.3])
def test_edge_onset_finds_a_subtitle_over_a_moving_picture(fade_in_s: float) -> None:
    text = Text("Good morning", 1.0, 2, (200, 300), fade_in_s=fade_in_s)
    seen = onsets(Scene((text,), 2.0, SIZE))
    assert any(25 <= n <= 25 + 25 * fade_in_s for n in seen)


def test_edge_onset_is_rare_in_a_moving_picture_without_text() -> None:
    assert len(onsets(Scene((), 2.0, SIZE))) < 15


def test_edge_onset_finds_nothing_in_a_still_picture() -> None:
    assert onsets(Scene((Text("GATE 4", 0, 9, (80, 80)),), 1.0, SIZE, background="static")) == []


def test_edge_onset_marks_all_rows_at_another_frame_size() -> None:
    onset = EdgeOnset()
    onset.update(np.zeros((360, 640), np.uint8), 0.0)
    assert not onset.update(np.zeros((360, 640), np.uint8), 0.04).any()
    assert onset.update(np.zeros((300, 640), np.uint8), 0.08).all()


def test_edge_onset_returns_the_rows_of_the_text() -> None:
    text = Text("Good morning", 0.08, 2, (200, 300), height=30)
    onset = EdgeOnset()
    frames = [
        onset.update(picture[..., 1], float(time_s))
        for time_s, picture in draw_frames(Scene((text,), 0.2, SIZE, background="static"))
    ]
    rows = np.flatnonzero(frames[2])
    assert rows.size
    assert 300 // TILE - 1 <= rows.min() <= rows.max() <= 340 // TILE


@pytest.mark.parametrize("height", [18, 30])
def test_edge_onset_finds_a_subtitle_that_replaces_another_over_a_moving_picture(height: int) -> None:
    texts = (
        Text("Good morning", 0.0, 1.0, (200, 300), height=height),
        Text("The train is", 1.0, 2.0, (200, 300), height=height),
    )
    assert 25 in onsets(Scene(texts, 2.0, SIZE))


def test_edge_onset_ignores_a_text_that_disappears() -> None:
    text = Text("Good morning", 0.0, 1.0, (200, 300), height=30)
    assert 25 not in onsets(Scene((text,), 2.0, SIZE))


def test_edge_onset_finds_a_replacement_after_identical_frames() -> None:
    one, other = (
        next(picture[..., 1] for _, picture in draw_frames(Scene((Text(words, 0, 9, (200, 300)),), 1.0, SIZE)))
        for words in ("Good morning", "The train is")
    )
    onset = EdgeOnset()
    onset.update(one, 0.0)
    for n in range(6):
        onset.update_unchanged((n + 1) / 25)
    assert onset.update(other, 7 / 25).any()
