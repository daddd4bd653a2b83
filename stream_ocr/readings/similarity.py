"""Comparison of readings that allows for misread characters."""

from collections.abc import Sequence
from difflib import SequenceMatcher

from stream_ocr.readings.thresholds import SIMILARITY

_CONFUSABLES = str.maketrans("OoQIl|!iSsBZzGg", "000111115582266")

ScoredText = tuple[str, Sequence[float]]
"""A text, and the confidence of each of its characters."""


def may_match(new: ScoredText, old: ScoredText) -> bool:
    """Return True if two readings differ only in spaces, marks (of a long text) or confusable characters (O and 0), or
    where one is unsure.

    Characters that are sure in both must agree: "Score A" that becomes "Score B" is another text. Short texts and
    digits ("12:01" and "12:02"; "Chapter 1" and "Chapter 11") are other texts if the new reading is sure of what is
    new.
    """
    (text, sure), (old_text, old_sure) = drop_spaces(new), drop_spaces(old)
    if text.translate(_CONFUSABLES) == old_text.translate(_CONFUSABLES) or has_same_letters(text, old_text):
        return True
    edits = _edits(old_text, text)
    agreed = sum(j - i for kind, i, j, _, _ in edits if kind == "equal")
    if agreed < SIMILARITY.min_agreement * max(len(text), len(old_text)):
        return False
    strict = min(len(text), len(old_text)) < SIMILARITY.long_text
    return all(
        min(sure[k:m] or old_sure[i:j]) < SIMILARITY.sure_new_confidence
        if strict or _has_digit(old_text[i:j] + text[k:m])
        else min([*old_sure[i:j], *sure[k:m]]) < SIMILARITY.sure_confidence
        for kind, i, j, k, m in edits
        if kind != "equal"
    )


def has_same_letters(text: str, other: str) -> bool:
    """Return True if two texts differ only in spaces, or in marks as well: the colons of a clock, an apostrophe.

    Without digits, marks count in short texts.
    """
    kept, other_kept = ("".join(filter(str.isalnum, each)) for each in (text, other))
    if kept == other_kept and (_has_digit(kept) or len(kept) >= SIMILARITY.long_text):
        return True
    return without_spaces(text) == without_spaces(other)


def different_parts(old: str, new: str) -> list[tuple[int, int]]:
    """Return the places (first, end) in ``new`` at which it differs from ``old``, apart from spaces.

    Where characters are missing the place is empty.
    """
    places = [n for n, character in enumerate(new) if not character.isspace()]
    ends = [*places, len(new)]
    return [
        (ends[k], places[m - 1] + 1 if m > k else ends[k])
        for kind, _, _, k, m in _edits(without_spaces(old), without_spaces(new))
        if kind != "equal"
    ]


def is_small_difference(old: str, new: str) -> bool:
    """Return True if two long texts have most characters in common, and all digits."""
    old, new = without_spaces(old), without_spaces(new)
    if min(len(old), len(new)) < SIMILARITY.long_text:
        return False
    edits = _edits(old, new)
    agreed = sum(j - i for kind, i, j, _, _ in edits if kind == "equal")
    return agreed >= SIMILARITY.min_agreement * max(len(old), len(new)) and not any(
        _has_digit(old[i:j] + new[k:m]) for kind, i, j, k, m in edits if kind != "equal"
    )


def drop_spaces(reading: ScoredText) -> tuple[str, list[float]]:
    """Return a reading without its spaces."""
    pairs = [(c, sure) for c, sure in zip(*reading, strict=True) if not c.isspace()]
    return "".join(c for c, _ in pairs), [sure for _, sure in pairs]


def without_spaces(text: str) -> str:
    """Return a text without spaces, for comparisons: recognisers lose spaces more often than they invent them."""
    return "".join(text.split())


def _edits(old: str, new: str) -> Sequence[tuple[str, int, int, int, int]]:
    return SequenceMatcher(None, old, new, autojunk=False).get_opcodes()


def _has_digit(text: str) -> bool:
    return any(map(str.isdigit, text))
