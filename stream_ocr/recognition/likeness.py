"""Whether two readings that differ may be of one text all the same."""

from collections.abc import Sequence
from difflib import SequenceMatcher

_LONG = 6  # characters, from which one or two may be misread
_ALIKE = 0.8
_SURE = 0.9
_LOOKALIKES = str.maketrans("OoQIl|!iSsBZzGg", "000111115582266")

Reading = tuple[str, Sequence[float]]
"""A text, and the confidence of each of its characters."""


def may_be_one(a: Reading, b: Reading) -> bool:
    """Whether the readings differ only in spaces, in look-alikes (O and 0), or in a few letters that are unsure.

    Digits must agree, for texts that count ("12:01", "12:02"; "Chapter 1", "Chapter 11") differ in nothing else. So
    must letters that are sure in both: "Score A" that becomes "Score B" has changed.
    """
    (text_a, sure_a), (text_b, sure_b) = _without_spaces(a), _without_spaces(b)
    if text_a.translate(_LOOKALIKES) == text_b.translate(_LOOKALIKES):
        return True
    digits_a, digits_b = ("".join(filter(str.isdigit, text)) for text in (text_a, text_b))
    if digits_a != digits_b or min(len(text_a), len(text_b)) < _LONG:
        return False
    matcher = SequenceMatcher(None, text_a, text_b, autojunk=False)
    if matcher.ratio() <= _ALIKE:
        return False
    edits = [edit for edit in matcher.get_opcodes() if edit[0] != "equal"]
    return all(min([*sure_a[i:j], *sure_b[k:m]]) < _SURE for _, i, j, k, m in edits)


def _without_spaces(reading: Reading) -> tuple[str, list[float]]:
    pairs = [(c, sure) for c, sure in zip(*reading, strict=True) if not c.isspace()]
    return "".join(c for c, _ in pairs), [sure for _, sure in pairs]
