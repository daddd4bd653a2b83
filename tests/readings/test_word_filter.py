"""What is believed of a reading."""

import pytest

from stream_ocr.models.recognition.ctc import Decoded, mean_confidence
from stream_ocr.readings.word_filter import believed, is_writing


def reading(*words: tuple[str, float]) -> Decoded:
    """Words with the confidence of their characters; a space is as sure as the word after it."""
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
def test_unsure_words_at_the_ends_are_dropped(words: list[tuple[str, float]], left: str) -> None:
    kept = believed(reading(*words))
    assert kept.text == left
    assert len(kept.char_confidences) == len(left)
    assert kept.confidence == pytest.approx(mean_confidence(kept.char_confidences))


def test_nothing_stays_nothing() -> None:
    assert believed(Decoded("", 0.0, ())) == Decoded("", 0.0, ())


@pytest.mark.parametrize(
    ("text", "is_one"), [("12:01", True), ("...", False), ("y……", False), ("", False), ("A-1", True)]
)
def test_letters_and_digits_make_a_text(text: str, is_one: object) -> None:
    assert is_writing(text) is is_one
