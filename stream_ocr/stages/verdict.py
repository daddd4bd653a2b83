"""What a reading adds to what has been said of its text."""

import re
from typing import Literal

from stream_ocr.messages import Reading
from stream_ocr.recognition.ctc import weakest
from stream_ocr.recognition.likeness import may_be_one, without_spaces

Verdict = Literal["nothing", "updated", "changed"]

_FIGURES = re.compile(r"\d+")
_SURER = 0.02
_LESS_SURE, _UNSURE = 0.1, 0.7  # a longer text may be read with so much less confidence, and with any above
_UNFOLDING_S = 0.75


def verdict(said: Reading, new: Reading) -> Verdict:
    """Whether ``new`` reads the same text better, or another one; both have a text."""
    words, words_said = without_spaces(new.text), without_spaces(said.text)
    if words == words_said:
        return "updated" if new.text.count(" ") > said.text.count(" ") else "nothing"
    if new.view == said.view:
        return "updated"  # all looks at these pixels have been weighed
    if (words_said in words or words in words_said) and _unsure(said, new):  # film beside it read as letters, or cut
        return "nothing"
    if new.start_s <= said.start_s:  # the box has changed
        return "updated" if _frames_better(said, new, words_said, words) else "nothing"
    if _unfolds(said, new, words_said, words):
        return "updated"
    if not may_be_one((new.text, new.characters), (said.text, said.characters)):
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


def _frames_better(said: Reading, new: Reading, words_said: str, words: str) -> bool:
    if words in words_said:
        return False
    if words_said in words:
        return True
    if may_be_one((new.text, new.characters), (said.text, said.characters)):
        return _surer(said, new)
    return new.confidence > said.confidence


def _surer(said: Reading, new: Reading) -> bool:
    return weakest(new.text, new.characters) > weakest(said.text, said.characters) + _SURER


def _unsure(said: Reading, new: Reading) -> bool:
    sure = weakest(new.text, new.characters)
    return sure < _UNSURE and sure < weakest(said.text, said.characters) - _LESS_SURE


def _unfolds(said: Reading, new: Reading, words_said: str, words: str) -> bool:
    """Whether a text that is fading or being written in was read before it was whole."""
    return new.start_s - said.start_s < _UNFOLDING_S and words_said in words and len(words) >= len(words_said) + 2
