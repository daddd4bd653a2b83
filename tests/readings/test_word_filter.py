"""Filters for unsure words and for strings that are no text."""

import pytest

from stream_ocr.models.recognition.ctc import Decoded, mean_confidence
from stream_ocr.readings.word_filter import drop_unsure_ends, is_single_glyph, is_text


def reading(*words: tuple[str, float]) -> Decoded:
    """Return a reading of words with the confidence of their characters; a space has that of the word after it."""
    text = " ".join(word for word, _ in words)
    characters = [sure for n, (word, sure) in enumerate(words) for sure in [sure] * (len(word) + (n > 0))]
    return Decoded(text, mean_confidence(characters), tuple(characters))


@pytest.mark.parametrize(
    ("words", "left"),
    [
        ([("30", 0.99), ("fps", 0.99), ("inl", 0.4)], "30 fps"),
        ([("l", 0.3), ("GATE", 0.9)], "GATE"),
        ([("~", 0.2), ("GATE", 0.9), ("7", 0.95), ("ii", 0.5)], "GATE 7"),
        ([("not", 0.95), ("sure", 0.3), ("within", 0.9)], "not sure within"),
        ([("all", 0.6), ("unsure", 0.5)], "all unsure"),
        ([("A", 0.99), ("ruin", 0.4)], "A ruin"),  # one letter is too little to measure others by
        ([("GATE", 0.9)], "GATE"),
    ],
)
def test_drop_unsure_ends(words: list[tuple[str, float]], left: str) -> None:
    kept = drop_unsure_ends(reading(*words))
    assert kept.text == left
    assert len(kept.char_confidences) == len(left)
    assert kept.confidence == pytest.approx(mean_confidence(kept.char_confidences))


def test_drop_unsure_ends_keeps_an_empty_reading() -> None:
    assert drop_unsure_ends(Decoded("", 0.0, ())) == Decoded("", 0.0, ())


@pytest.mark.parametrize(
    ("text", "expected"), [("12:01", True), ("...", False), ("y……", False), ("", False), ("A-1", True)]
)
def test_is_text_needs_letters_or_digits(text: str, expected: object) -> None:
    assert is_text(text) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("I", True),
        (" 7 ", True),
        ("mm", True),
        ("TITTT", True),
        ("22", False),
        ("0000", True),
        ("O00O0", True),
        ("0 0", False),
        ("1000", False),
        ("noon", False),
        ("", False),
        ("Hall", False),
    ],
)
def test_is_single_glyph(text, expected) -> None:
    assert is_single_glyph(text) is expected
