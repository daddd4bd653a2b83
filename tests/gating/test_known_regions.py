"""What a glance makes of what was there before."""

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
    """Luma of a text over a picture that moves."""
    x, y = np.meshgrid(np.arange(320), np.arange(200))
    ground = 110 + 50 * np.sin(x / 17 + 3 * time_s) * np.cos(y / 23 - 2 * time_s)
    picture = ground.astype(np.uint8)
    for ink, thick in ((0, 6), (255, 2)):
        cv2.putText(picture, text, at, cv2.FONT_HERSHEY_SIMPLEX, 0.8, ink, thick)
    return picture


@pytest.fixture
def familiar() -> KnownRegions:
    """With a text that two looks have found."""
    familiar = KnownRegions()
    for time_s in (0.0, 0.2):
        familiar.looked(film(time_s), [region()], ROWS)
    return familiar


def test_a_text_that_two_looks_have_found_is_familiar_though_the_film_behind_it_goes_on(familiar) -> None:
    assert not familiar.news(film(0.9), [region()])
    assert not familiar.news(film(0.9), [region(x=52, y=126, width=188)]), "glances are inexact"
    assert not familiar.news(film(0.9), [region(width=80), region(x=150, width=80)]), "one word, and the other"
    assert not familiar.news(film(0.9), [])


def test_once_is_not_enough() -> None:
    familiar = KnownRegions()
    assert familiar.news(film(0.0), [region()])
    familiar.looked(film(0.0), [region()], ROWS)
    assert familiar.news(film(0.9), [region()])


@pytest.mark.parametrize("found", [region(y=20), region(width=220), region(x=30, width=210), region(y=90, height=60)])
def test_what_is_elsewhere_or_longer_or_higher_is_news(familiar, found) -> None:
    assert familiar.news(film(0.9), [region(), found])


def test_another_text_in_its_place_is_news(familiar) -> None:
    assert familiar.news(film(0.9, "Stand back, we"), [region()])
    assert familiar.news(film(0.9, at=(65, 140)), [region()]), "it has moved"


def test_a_look_at_some_rows_says_nothing_of_others(familiar) -> None:
    familiar.looked(film(0.4), [], (0, 100))
    assert not familiar.news(film(0.9), [region()])
    familiar.looked(film(0.4), [], (100, 200))
    assert familiar.news(film(0.9), [region()])


def test_a_text_that_has_grown_must_be_found_once_more(familiar) -> None:
    longer = region(width=190)
    familiar.looked(film(0.4), [longer], ROWS)
    assert familiar.news(film(0.9), [longer])
    familiar.looked(film(0.9), [longer], ROWS)
    assert not familiar.news(film(1.4), [longer])


def test_a_region_beyond_the_picture_or_of_no_size_does_no_harm(familiar) -> None:
    for found in (region(x=-50, width=60), region(x=310, width=90), region(width=0), region(y=199, height=30)):
        familiar.looked(film(0.4), [found], ROWS)
        assert familiar.news(film(0.9), [found])
