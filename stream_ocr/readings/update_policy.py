"""What a reading adds to what has been said of its text."""

import re
from difflib import SequenceMatcher
from statistics import fmean
from typing import Literal

from stream_ocr.core.geometry import bounding_box, from_flat
from stream_ocr.core.messages import Reading
from stream_ocr.models.recognition.ctc import min_char_confidence
from stream_ocr.readings.similarity import letters, may_be_one, without_spaces

Verdict = Literal["nothing", "updated", "changed"]

_FIGURES = re.compile(r"\d+")
_SURER = 0.02
_ADDED_SURE = 0.8  # the mean of what a longer text adds
_REST_SURE, _LESS_SURE = 0.7, 0.1  # the weakest letter of a shorter one, and how much weaker than before
_UNFOLDING_S = 0.75
_ECHO, _ALIKE = 0.5, 0.7  # share of a box, and of the letters


def verdict(said: Reading, new: Reading) -> Verdict:
    """Whether ``new`` reads the same text better, or another one; both have a text."""
    words, words_said = without_spaces(new.text), without_spaces(said.text)
    if words == words_said:
        return "updated" if new.text.count(" ") > said.text.count(" ") else "nothing"
    if new.revision == said.revision:
        return "updated"  # all looks at these pixels have been weighed
    if _adds_unsurely(new, words_said, words) or _cuts_unsurely(said, new, words_said, words):
        return "nothing"
    if new.start_s <= said.start_s:  # the box has changed
        return "updated" if _frames_better(said, new, words_said, words) else "nothing"
    if _unfolds(said, new, words_said, words):
        return "updated"
    if not may_be_one((new.text, new.char_confidences), (said.text, said.char_confidences)):
        return "changed"
    return "updated" if _surer(said, new) else "nothing"


def ticks(said: Reading, new: Reading) -> bool:
    """Whether only the figures have changed, as on a clock, a counter or a score board."""
    return (
        new.text != said.text
        and any(map(str.isdigit, new.text))
        and _FIGURES.sub("0", new.text) == _FIGURES.sub("0", said.text)
    )


def is_rest(said: Reading, new: Reading) -> bool:
    """Whether ``new`` is what one end of a text still shows, while the other is taken away or covered."""
    words, words_said = without_spaces(new.text), without_spaces(said.text)
    cut = len(words) < len(words_said) and (words_said.startswith(words) or words_said.endswith(words))
    return cut and new.start_s > said.start_s


def echoes(new: Reading, place: Reading, text: str) -> bool:
    """Whether a reading is of a part of the box of a text that is told already, as the lower half of its letters is."""
    left, top, right, bottom = bounding_box(from_flat(new.quad))
    other_left, other_top, other_right, other_bottom = bounding_box(from_flat(place.quad))
    width = max(0.0, min(right, other_right) - max(left, other_left))
    height = max(0.0, min(bottom, other_bottom) - max(top, other_top))
    if width * height <= _ECHO * (right - left) * (bottom - top):
        return False
    return SequenceMatcher(None, without_spaces(text), without_spaces(new.text), autojunk=False).ratio() > _ALIKE


def _frames_better(said: Reading, new: Reading, words_said: str, words: str) -> bool:
    if words in words_said:
        return False
    if words_said in words:
        return True
    if may_be_one((new.text, new.char_confidences), (said.text, said.char_confidences)):
        return _surer(said, new)
    return new.confidence > said.confidence


def _surer(said: Reading, new: Reading) -> bool:
    return min_char_confidence(new.text, new.char_confidences) > min_char_confidence(said.text, said.char_confidences) + _SURER


def _adds_unsurely(new: Reading, words_said: str, words: str) -> bool:
    """Whether a longer text has become so by what lies beside it, such as windows, and looks a little like letters."""
    at = words.find(words_said)
    _, sure = letters((new.text, new.char_confidences))
    return at >= 0 and fmean(sure[:at] + sure[at + len(words_said) :]) < _ADDED_SURE


def _cuts_unsurely(said: Reading, new: Reading, words_said: str, words: str) -> bool:
    """Whether a shorter text is so because its box cuts a letter in two."""
    weak, weak_said = min_char_confidence(new.text, new.char_confidences), min_char_confidence(said.text, said.char_confidences)
    return words in words_said and weak < _REST_SURE and weak < weak_said - _LESS_SURE


def _unfolds(said: Reading, new: Reading, words_said: str, words: str) -> bool:
    """Whether a text that is fading or being written in was read before it was whole."""
    return new.start_s - said.start_s < _UNFOLDING_S and words_said in words and len(words) >= len(words_said) + 2
