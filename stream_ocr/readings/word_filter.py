"""Filters for words and strings that are no text: boxes that are too long add words, and those are unsure."""

import re
from collections import Counter

from stream_ocr.models.recognition.ctc import Decoded, make_decoded, mean_confidence
from stream_ocr.readings.similarity import without_spaces
from stream_ocr.readings.thresholds import WORD_FILTER


def drop_unsure_ends(reading: Decoded) -> Decoded:
    """Return a reading without the unsure words at its ends, or unchanged if no word is sure."""
    words = [match.span() for match in re.finditer(r"\S+", reading.text)]
    confidences = [mean_confidence(reading.char_confidences[first:end]) for first, end in words]
    if not any(
        confidence >= WORD_FILTER.sure_confidence
        and _alphanumeric_count(reading.text[slice(*word)]) >= WORD_FILTER.min_sure_letters
        for word, confidence in zip(words, confidences, strict=True)
    ):
        return reading
    kept = [
        word for word, confidence in zip(words, confidences, strict=True) if confidence >= WORD_FILTER.unsure_confidence
    ]
    first, end = kept[0][0], kept[-1][1]
    if end - first == len(reading.text):
        return reading
    return make_decoded(reading.text[first:end], reading.char_confidences[first:end])


def is_text(text: str) -> bool:
    """Return True if enough of a string is letters and digits."""
    characters = len(text.replace(" ", ""))
    needed = max(1, WORD_FILTER.min_alphanumeric_share * characters)
    return characters > 0 and _alphanumeric_count(text) >= needed


def is_single_glyph(text: str) -> bool:
    """Return True for one character, or what is nearly one letter repeated, as poles and rows of windows are read.

    A row of discs is read as zeros.
    """
    characters = without_spaces(text)
    if len(characters) >= WORD_FILTER.min_discs and set(characters) <= {"0", "O", "o"}:
        return True
    if not characters.isalpha():
        return len(characters) == 1
    (_, count), *_ = Counter(characters).most_common(1)
    return count >= WORD_FILTER.min_repeated_share * len(characters)


def _alphanumeric_count(text: str) -> int:
    return sum(character.isalnum() for character in text)
