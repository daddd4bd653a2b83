"""Whether two readings that differ may be of one text all the same."""

from collections.abc import Sequence
from difflib import SequenceMatcher

_LONG = 6  # characters, from which a few may be misread
_AGREED = 0.6  # of the characters of the longer reading
_SURE, _SURE_ENOUGH = 0.9, 0.8
_LOOKALIKES = str.maketrans("OoQIl|!iSsBZzGg", "000111115582266")

Reading = tuple[str, Sequence[float]]
"""A text, and the confidence of each of its characters."""


def may_be_one(new: Reading, old: Reading) -> bool:
    """Whether a reading differs from the one before only in spaces, in look-alikes (O and 0), or where it is unsure.

    Letters that are sure in both must agree: "Score A" that becomes "Score B" has changed. In texts that are short or
    count ("12:01", "12:02"; "Chapter 1", "Chapter 11") it is enough that the new one is sure of what is new.
    """
    (text, sure), (text_old, sure_old) = letters(new), letters(old)
    if text.translate(_LOOKALIKES) == text_old.translate(_LOOKALIKES):
        return True
    edits = SequenceMatcher(None, text_old, text, autojunk=False).get_opcodes()
    agreed = sum(j - i for kind, i, j, _, _ in edits if kind == "equal")
    if agreed < _AGREED * max(len(text), len(text_old)):
        return False
    strict = min(len(text), len(text_old)) < _LONG
    return all(
        min(sure[k:m] or sure_old[i:j]) < _SURE_ENOUGH
        if strict or _counts(text_old[i:j] + text[k:m])
        else min([*sure_old[i:j], *sure[k:m]]) < _SURE
        for kind, i, j, k, m in edits
        if kind != "equal"
    )


def letters(reading: Reading) -> tuple[str, list[float]]:
    """The same without its spaces."""
    pairs = [(c, sure) for c, sure in zip(*reading, strict=True) if not c.isspace()]
    return "".join(c for c, _ in pairs), [sure for _, sure in pairs]


def without_spaces(text: str) -> str:
    """What is compared of texts: spaces are lost more often than invented, and no reason to disagree."""
    return "".join(text.split())


def _counts(text: str) -> bool:
    return any(map(str.isdigit, text))
