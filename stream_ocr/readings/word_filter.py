"""What of a reading is to be believed: a box that is too long adds words that nobody wrote, and they are unsure."""

import re

from stream_ocr.models.recognition.ctc import Decoded, make_decoded, mean_confidence
from stream_ocr.readings.similarity import without_spaces

_SURE, _UNSURE = 0.85, 0.7
_LEAST = 2  # letters and digits of the word that is sure
_LEGIBLE = 0.4  # of the characters: a row of dots is not a text


def believed(reading: Decoded) -> Decoded:
    """The reading without the unsure words at its ends, where a sure one is left."""
    words = [match.span() for match in re.finditer(r"\S+", reading.text)]
    sure = [mean_confidence(reading.char_confidences[first:end]) for first, end in words]
    if not any(
        s >= _SURE and _legible(reading.text[slice(*word)]) >= _LEAST for word, s in zip(words, sure, strict=True)
    ):
        return reading
    kept = [word for word, s in zip(words, sure, strict=True) if s >= _UNSURE]
    first, end = kept[0][0], kept[-1][1]
    if end - first == len(reading.text):
        return reading
    return make_decoded(reading.text[first:end], reading.char_confidences[first:end])


def is_writing(text: str) -> bool:
    """Whether letters and digits make up enough of a text for it to be one."""
    characters = len(text.replace(" ", ""))
    return characters > 0 and _legible(text) >= max(1, _LEGIBLE * characters)


def is_lone(text: str) -> bool:
    """Whether it is one character, or one letter several times: so poles and rows of windows are read, and surely."""
    words = without_spaces(text)
    return len(set(words)) == 1 and (len(words) == 1 or words.isalpha())


def _legible(text: str) -> int:
    return sum(character.isalnum() for character in text)
