from itertools import pairwise

import numpy as np
import pytest

from stream_ocr.models.recognition.charset import Charset
from stream_ocr.models.recognition.ctc import NO_TEXT, Decoded
from stream_ocr.models.recognition.long_lines import find_cuts, has_space, join_readings, seam, split_at

CHARSET = Charset(" ab")


def noise(height: int, width: int, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width), dtype=np.uint8)


def probabilities(text: str) -> np.ndarray:
    """Return p_TC that reads one character, or "-" for a blank, a step."""
    return np.eye(len(CHARSET))[[0 if c == "-" else CHARSET.encode(c)[0] for c in text]]


def test_find_cuts_makes_pieces_below_the_limit() -> None:
    line = noise(20, 913)
    pieces = split_at(line, find_cuts(line, 6.0))
    np.testing.assert_array_equal(np.hstack(pieces), line)
    assert all(piece.shape[1] <= 120 for piece in pieces)
    assert all(first.shape[1] >= 60 for first, _ in pairwise(pieces))


def test_find_cuts_takes_the_gap_between_words() -> None:
    line = noise(20, 200)
    line[:, 95:103] = 0
    (cut,) = find_cuts(line, 6.0)
    assert 95 <= cut <= 103


@pytest.mark.parametrize("width", [121, 122, 241])
def test_pieces_have_two_columns_at_least(width: int) -> None:
    line = noise(20, width)
    line[:, -4:] = 0
    assert min(piece.shape[1] for piece in split_at(line, find_cuts(line, 6.0))) >= 2


def test_crops_that_are_too_small_have_no_pieces() -> None:
    for shape in ((1, 500), (20, 1), (0, 0)):
        crop = np.zeros(shape, np.uint8)
        assert split_at(crop, find_cuts(crop, 6.0)) == []
    with pytest.raises(ValueError, match="shape"):
        find_cuts(np.zeros((20, 500, 3), np.uint8), 6.0)


def test_seam_is_what_surrounds_a_cut() -> None:
    line = noise(20, 300)
    pixels, place = seam(line, 150)
    np.testing.assert_array_equal(pixels, line[:, 90:210])
    assert place == 0.5
    pixels, place = seam(line, 30)
    np.testing.assert_array_equal(pixels, line[:, :90])
    assert place == pytest.approx(1 / 3)


@pytest.mark.parametrize(
    ("text", "place"), [("aaaa  bbbb", 0.5), ("aaa  abbbb", 0.5), ("aaaa  bbbb", 0.64), ("aaaa  bbbb", 0.36)]
)
def test_has_space_finds_a_space_near_the_cut(text: str, place: float) -> None:
    assert has_space(probabilities(text), CHARSET, place, 0.05)


@pytest.mark.parametrize(
    ("text", "place"), [("aa  aabbbb", 0.5), ("aaa--abbbb", 0.5), ("----------", 0.5), ("aaaa  bbbb", 0.9)]
)
def test_has_space_ignores_other_spaces(text: str, place: float) -> None:
    assert not has_space(probabilities(text), CHARSET, place, 0.05)


def test_join_readings_keeps_a_confidence_for_each_character() -> None:
    joined = join_readings(
        [(Decoded(" ab", 0.6, (0.5, 0.9, 0.4)), False), (NO_TEXT, True), (Decoded("c ", 0.7, (0.8, 0.7)), True)]
    )
    assert joined.text == "ab c"
    assert joined.char_confidences == (0.9, 0.4, 0.4, 0.8)
    assert joined.confidence == pytest.approx((0.9 * 0.4 * 0.4 * 0.8) ** 0.25)
    assert join_readings([]) == NO_TEXT


def test_join_readings_puts_one_space_where_several_say_so() -> None:
    one, other = Decoded("a ", 0.7, (0.8, 0.7)), Decoded(" b", 0.7, (0.6, 0.9))
    assert join_readings([(one, False), (other, True)]).text == "a b"
    assert join_readings([(one, False), (other, False)]) == join_readings([(one, False), (other, True)])
    assert join_readings([(one, False), (Decoded("b", 0.9, (0.9,)), False)]).char_confidences == (0.8, 0.7, 0.9)


def test_join_readings_of_spaces_is_no_text() -> None:
    assert join_readings([(Decoded("  ", 0.5, (0.5, 0.5)), False)]) == NO_TEXT
