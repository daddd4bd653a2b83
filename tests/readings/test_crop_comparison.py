"""Comparison of crops."""

import numpy as np
import pytest

from stream_ocr.readings.crop_comparison import CropSimilarity, compare_crops


def compare(old: np.ndarray, new: np.ndarray) -> CropSimilarity:
    similarity = compare_crops(old, new)
    assert similarity is not None
    return similarity


def place(text: str, first: int, end: int) -> list[tuple[float, float]]:
    """Return about where characters are in a crop of the line."""
    return [((first - 0.5) / len(text), (end + 0.5) / len(text))]


@pytest.mark.parametrize("height", [14, 20, 40])
@pytest.mark.parametrize(
    "change",
    [
        {"quality": 40},
        {"colours": (180, 90)},
        {"colours": (40, 230)},
        {"shift": (0.4, -0.3)},
        {"shift": (2.0, 1.0)},
        {"larger": 0.1},
    ],
)
def test_compare_crops_ignores_compression_contrast_polarity_and_box(draw_crop, height, change) -> None:
    assert compare(
        draw_crop("CAM 04 10:48:35", height=height), draw_crop("CAM 04 10:48:35", height=height, **change)
    ).is_same


@pytest.mark.parametrize("height", [14, 20, 40])
@pytest.mark.parametrize("digits", ["89", "38", "56", "17", "06", "12"])
def test_compare_crops_finds_one_changed_digit_at_its_place(draw_crop, height, digits) -> None:
    before, after = (f"CAM 04 10:48:3{digit}" for digit in digits)
    similarity = compare(draw_crop(before, height=height), draw_crop(after, height=height, quality=50))
    assert not similarity.is_same
    assert not similarity.is_same_at(place(after, 14, 15))
    assert similarity.has_changed_at(place(after, 14, 15))
    assert similarity.is_same_at(place(after, 1, 5))
    assert not similarity.has_changed_at(place(after, 1, 5))


def test_compare_crops_ignores_film_behind_letters(draw_crop, film) -> None:
    line = "The train is late"
    similarity = compare(draw_crop(line, behind=film(1)), draw_crop(line, behind=film(2)))
    assert not similarity.is_same, "the pixels do not prove it"
    changed = [n for n in range(len(line)) if similarity.has_changed_at(place(line, n, n + 1))]
    assert len(changed) <= 2


def test_compare_crops_compares_the_part_of_a_line_that_both_crops_show(draw_crop) -> None:
    whole = draw_crop("I KEPT WAITING FOR YOU")
    similarity = compare(draw_crop("KEPT WAITING FOR YOU"), whole)
    assert not similarity.is_same
    assert not similarity.shows([(0.0, 0.05)])
    assert similarity.is_same_at([(0.3, 0.9)])


def test_compare_crops_returns_none_without_letters(draw_crop) -> None:
    blank = np.full((48, 200), 90, np.uint8)
    assert compare_crops(blank, blank) is None
    assert compare_crops(blank, blank[:, :8]) is None
    assert not compare(draw_crop("GATE 4"), np.full_like(draw_crop("GATE 4"), 90)).is_same
