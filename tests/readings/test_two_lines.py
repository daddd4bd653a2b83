"""Two lines in one box: they are read one by one where the whole cannot be read."""

from collections.abc import Sequence

import cv2
import numpy as np

from stream_ocr.config.settings import Settings
from stream_ocr.models.recognition.charset import DEFAULT
from stream_ocr.models.recognition.ctc import NO_TEXT, Decoded, DecodeFn, make_decoded
from stream_ocr.readings.second_reader import Crop, Readers
from stream_ocr.readings.two_lines import join_lines, split_lines


def lines(*texts: str) -> np.ndarray:
    """Return a crop of lines that touch nearly."""
    crop = np.full((32 * len(texts), 200), 40, np.uint8)
    for n, text in enumerate(texts):
        cv2.putText(crop, text, (8, 32 * n + 27), cv2.FONT_HERSHEY_SIMPLEX, 0.9, 220, 3)
    return crop


def test_split_lines_cuts_between_the_lines() -> None:
    crop = cv2.copyMakeBorder(lines("BUCK", "BUNNY"), 6, 0, 0, 0, cv2.BORDER_REPLICATE)
    parts = split_lines(crop)
    assert parts is not None
    assert 34 <= parts[0].shape[0] <= 42, "the gap between the lines"
    np.testing.assert_array_equal(np.vstack(parts), crop)


def test_split_lines_leaves_long_lines_and_single_letters_alone() -> None:
    assert split_lines(np.zeros((32, 400), np.uint8)) is None
    assert split_lines(np.zeros((32, 20), np.uint8)) is None


def test_join_lines_needs_three_sure_letters_in_each() -> None:
    sure = make_decoded("BUNNY", [0.95] * 5)
    joined = join_lines([make_decoded("Big", [0.97] * 3), sure])
    assert joined is not None
    assert (joined.text, len(joined.char_confidences)) == ("Big BUNNY", 9)
    assert join_lines([make_decoded("AB", [0.97] * 2), sure]) is None
    assert join_lines([make_decoded("Big", [0.8] * 3), sure]) is None
    assert join_lines([NO_TEXT, sure]) is None


class ByHeight:
    """A recogniser that reads lines of up to 40 pixels, and little in higher crops."""

    charset = DEFAULT

    def __init__(self, confidence: float) -> None:
        self.confidence, self.crops_read = confidence, 0

    def read(self, crops: Sequence[np.ndarray], decode: DecodeFn | None = None) -> list[Decoded]:  # noqa: ARG002
        texts = [("GATE", self.confidence) if crop.shape[0] <= 40 else ("GAIE", 0.5) for crop in crops]
        self.crops_read += len(crops)
        return [make_decoded(text, [confidence] * len(text)) for text, confidence in texts]


def test_readers_read_two_lines_one_by_one() -> None:
    sure, unsure = ByHeight(0.99), ByHeight(0.8)
    crops = [Crop(lines("GATE", "GATE"), 0.0), Crop(lines("GATE"), 0.0)]
    assert [reading.text for reading in Readers(sure, Settings()).read_once(crops)] == ["GATE GATE", "GATE"]
    assert sure.crops_read == 4
    assert [reading.text for reading in Readers(unsure, Settings()).read_once(crops)] == ["GAIE", "GATE"]
