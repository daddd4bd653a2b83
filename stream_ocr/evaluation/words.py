"""Words of texts: the unit of the scores, so that cutting a line in two or joining two lines costs nothing."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from stream_ocr.evaluation.timed_text import TimedText, coincide


@dataclass(frozen=True)
class Word:
    """A word, without case and outer punctuation, and the text that holds it."""

    word: str
    text: TimedText


def split_words(text: str) -> list[str]:
    """Return the words of a text, case-folded and without outer punctuation."""
    stripped = (re.sub(r"^\W+|\W+$", "", word) for word in text.casefold().split())
    return [word for word in stripped if word]


def words_of(texts: Iterable[TimedText]) -> list[Word]:
    """Return all words of some texts."""
    return [Word(word, text) for text in texts for word in split_words(text.text)]


def best_readings(lines: Iterable[TimedText], predicted: Sequence[Word]) -> list[TimedText]:
    """Return true lines, each with the accepted reading of which the largest share of words was predicted there."""
    return [replace(line, text=_best_accepted(line, predicted)) for line in lines]


def without_spaces(text: str) -> str:
    """Return a text, case-folded and without white space."""
    return re.sub(r"\s", "", text.casefold())


def _best_accepted(line: TimedText, predicted: Iterable[Word]) -> str:
    present = {word.word for word in predicted if coincide(word.text, line)}

    def share(text: str) -> float:
        return sum(word in present for word in split_words(text)) / max(len(split_words(text)), 1)

    return max(line.accepted, key=share)
