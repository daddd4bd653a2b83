"""What of a reading is to be believed: a box that is too long adds words that nobody wrote, and they are unsure."""

import re
from collections.abc import Sequence

import numpy as np

from stream_ocr.recognition.ctc import Decoded

_SURE, _UNSURE = 0.85, 0.7
_LEAST = 2  # letters and digits of the word that is sure
_LEGIBLE = 0.4  # of the characters: a row of dots is not a text


def believed(reading: Decoded) -> Decoded:
    """The reading without the unsure words at its ends, where a sure one is left."""
    words = [match.span() for match in re.finditer(r"\S+", reading.text)]
    sure = [confidence(reading.characters[first:end]) for first, end in words]
    if not any(
        s >= _SURE and _legible(reading.text[slice(*word)]) >= _LEAST for word, s in zip(words, sure, strict=True)
    ):
        return reading
    kept = [word for word, s in zip(words, sure, strict=True) if s >= _UNSURE]
    first, end = kept[0][0], kept[-1][1]
    if end - first == len(reading.text):
        return reading
    characters = reading.characters[first:end]
    return Decoded(reading.text[first:end], confidence(characters), characters)


def is_writing(text: str) -> bool:
    """Whether letters and digits make up enough of a text for it to be one."""
    characters = len(text.replace(" ", ""))
    return characters > 0 and _legible(text) >= max(1, _LEGIBLE * characters)


def confidence(characters: Sequence[float]) -> float:
    """Of several characters together: their geometric mean."""
    return float(np.exp(np.log(np.maximum(characters, 1e-12)).mean()))


def _legible(text: str) -> int:
    return sum(character.isalnum() for character in text)
