"""Known regions: what a coarse pass shows that is new."""

import cv2
import numpy as np
import pytest

from stream_ocr.core.geometry import rectangle, to_flat
from stream_ocr.core.messages import Detection
from stream_ocr.gating.known_regions import KnownRegions

ROWS = (0, 200)


def region(x: float = 60, y: float = 120, width: float = 180, height: float = 30) -> Detection:
    return Detection(to_flat(rectangle(x, y, width, height)), 0.9)


def film(time_s: float, text: str = "Good morning", at: tuple[int, int] = (65, 144)) -> np.ndarray:
    """Return the luma of a text over a moving picture."""
    x, y = np.meshgrid(np.arange(320), np.arange(200))
    ground = 110 + 50 * np.sin(x / 17 + 3 * time_s) * np.cos(y / 23 - 2 * time_s)
    picture = ground.astype(np.uint8)
    for ink, thick in ((0, 6), (255, 2)):
        cv2.putText(picture, text, at, cv2.FONT_HERSHEY_SIMPLEX, 0.8, ink, thick)
    return picture


@pytest.fixture
def known() -> KnownRegions:
    """Known regions with a text that two full passes have found."""
    known = KnownRegions(row_multiple=32)
    for time_s in (0.0, 0.2):
        known.update(film(time_s), [region()], ROWS)
    return known


def test_novel_ignores_a_text_that_two_passes_have_found_over_film(known) -> None:
    assert not known.novel(film(0.9), [region()])
    assert not known.novel(film(0.9), [region(x=52, y=126, width=188)]), "coarse passes are inexact"
    assert not known.novel(film(0.9), [region(width=80), region(x=150, width=80)]), "one word, and the other"
    assert not known.novel(film(0.9), [])


def test_novel_keeps_a_text_that_one_pass_has_found() -> None:
    known = KnownRegions(row_multiple=32)
    assert known.novel(film(0.0), [region()])
    known.update(film(0.0), [region()], ROWS)
    assert known.novel(film(0.9), [region()])


@pytest.mark.parametrize("found", [region(y=20), region(width=220), region(x=30, width=210), region(y=90, height=60)])
def test_novel_returns_regions_elsewhere_and_larger_ones(known, found) -> None:
    assert known.novel(film(0.9), [region(), found])


def test_novel_returns_another_text_at_the_same_place(known) -> None:
    assert known.novel(film(0.9, "Stand back, we"), [region()])
    assert known.novel(film(0.9, at=(65, 140)), [region()]), "it has moved"


def test_update_replaces_only_the_regions_in_its_rows(known) -> None:
    known.update(film(0.4), [], (0, 100))
    assert not known.novel(film(0.9), [region()])
    known.update(film(0.4), [], (100, 200))
    assert known.novel(film(0.9), [region()])


def test_novel_returns_a_text_that_has_grown_until_two_passes_have_found_it(known) -> None:
    longer = region(width=190)
    known.update(film(0.4), [longer], ROWS)
    assert known.novel(film(0.9), [longer])
    known.update(film(0.9), [longer], ROWS)
    assert not known.novel(film(1.4), [longer])


def test_known_regions_accept_regions_outside_the_frame_and_empty_ones(known) -> None:
    for found in (region(x=-50, width=60), region(x=310, width=90), region(width=0), region(y=199, height=30)):
        known.update(film(0.4), [found], ROWS)
        assert known.novel(film(0.9), [found])
