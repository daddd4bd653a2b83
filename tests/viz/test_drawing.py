"""Tests of drawing into frames."""

import numpy as np
import pytest

from stream_ocr.core.frame import Frame
from stream_ocr.events.spans import Span
from stream_ocr.viz import drawing


def span(text="GATE", track=1, x=20.0, y=50.0) -> Span:
    polygon = ((x, y), (x + 40.0, y), (x + 40.0, y + 12.0), (x, y + 12.0))
    return Span("clip.mp4", track, text, 0.9, 0.0, 9.0, polygon, polygon)


def test_draw_spans_outlines_the_polygon():
    frame = Frame(*(np.full(shape, 128, np.uint8) for shape in ((90, 160), (45, 80), (45, 80))))
    drawing.draw_spans(frame, [span(track=3)], 1.0)  # yellow
    assert frame.y[50, 40] > 180
    assert frame.y[62, 40] > 180
    assert frame.y[56, 40] == 128
    assert frame.u[25, 20] < 80


@pytest.mark.parametrize("y", [3.0, 50.0, 76.0])
def test_draw_spans_puts_the_label_beside_the_text(y):
    frame = Frame(*(np.full(shape, 128, np.uint8) for shape in ((90, 160), (45, 80), (45, 80))))
    drawing.draw_spans(frame, [span(track=3, y=y)], 1.0)
    assert (frame.y[round(y) + 3 : round(y) + 9, 24:56] == 128).all()
    assert (frame.y > 180).sum() > 500, "the label is elsewhere"


@pytest.mark.parametrize(("x", "y"), [(-30.0, -5.0), (150.0, 85.0), (-500.0, 900.0)])
def test_draw_spans_accepts_polygons_beyond_the_frame(x, y):
    frame = Frame(*(np.full(shape, 128, np.uint8) for shape in ((91, 161), (46, 81), (46, 81))))
    text = "a label that is much longer than the picture is wide, in any font"
    drawing.draw_spans(frame, [span(text=text, x=x, y=y)], 1.0)
    assert frame.y.shape == (91, 161)


def test_draw_spans_accepts_any_text():
    frame = Frame(*(np.full(shape, 128, np.uint8) for shape in ((90, 160), (45, 80), (45, 80))))
    drawing.draw_spans(frame, [span(text="two\nlines \x1b[2J \u202e 東京")], 1.0)


@pytest.mark.parametrize("top", [4.0, 60.0, 300.0])
def test_labels_cover_no_other_text_and_no_other_label(top):
    frame = Frame(*(np.full(shape, 128, np.uint8) for shape in ((360, 640), (180, 320), (180, 320))))
    lines = [span(f"LINE {n}", 3, 40.0, top + 22 * n) for n in range(3)]  # yellow, close to each other
    drawing.draw_spans(frame, lines, 1.0)
    for n in range(3):
        inside = frame.y[round(top) + 22 * n + 3 : round(top) + 22 * n + 9, 44:76]
        assert (inside == 128).all(), f"a label covers line {n}"
    outlines = 3 * 2 * (40 + 12) * 3
    assert (frame.y > 180).sum() > outlines + 3 * 14 * 60 * 0.6, "a label covers another one"
