"""Update policy: what a new reading adds to the one that was reported for its track."""

import re
from difflib import SequenceMatcher
from statistics import fmean
from typing import Literal

import numpy as np

from stream_ocr.core.geometry import bounding_box, from_flat, side_lengths
from stream_ocr.core.messages import Reading
from stream_ocr.models.recognition.ctc import min_char_confidence
from stream_ocr.readings.similarity import drop_spaces, may_match, without_spaces
from stream_ocr.readings.thresholds import SIMILARITY, UPDATE

Update = Literal["nothing", "updated", "changed"]

_NUMBER = re.compile(r"\d+")


def classify_update(reported: Reading, new: Reading) -> Update:
    """Return ``updated`` if ``new`` reads the same text better, ``changed`` if it is another text, else ``nothing``.

    Both readings have a text.
    """
    text, reported_text = without_spaces(new.text), without_spaces(reported.text)
    if text == reported_text:
        return "updated" if new.text.count(" ") > reported.text.count(" ") else "nothing"
    if new.revision == reported.revision:
        return "updated"  # voting has weighed all readings of these pixels
    if _adds_unsure_text(new, reported_text, text) or _is_cut_through_letter(reported, new, reported_text, text):
        return "nothing"
    if _leaves_out_letter(reported, new, reported_text, text) or _is_blurred_by_motion(reported, new):
        return "nothing"
    if new.start_s <= reported.start_s:  # the box has changed, not the text
        return "updated" if _has_better_box(reported, new, reported_text, text) else "nothing"
    if _grows(reported, new, reported_text, text):
        return "updated"
    if not may_match((new.text, new.char_confidences), (reported.text, reported.char_confidences)):
        return "changed"
    return "updated" if _is_surer(reported, new) else "nothing"


def extends(reported: Reading, new: Reading) -> bool:
    """Return True if ``new`` has all that was reported, and more letters or digits at its ends.

    Signs do not count: an icon beside a text may be read as "①" or "·".
    """
    text, reported_text = without_spaces(new.text), without_spaces(reported.text)
    return reported_text in text and _letter_count(text) > _letter_count(reported_text)


def is_counter_tick(reported: Reading, new: Reading) -> bool:
    """Return True if only numbers differ, as on a clock, a counter or a score board."""
    return (
        new.text != reported.text
        and any(map(str.isdigit, new.text))
        and _NUMBER.sub("0", new.text) == _NUMBER.sub("0", reported.text)
    )


def is_remnant(reported: Reading, new: Reading) -> bool:
    """Return True if ``new`` reads the rest of a text, one end of which is being wiped out or covered."""
    text, reported_text = without_spaces(new.text), without_spaces(reported.text)
    cut = len(text) < len(reported_text) and (reported_text.startswith(text) or reported_text.endswith(text))
    return cut and new.start_s > reported.start_s


def is_fragment_of(new: Reading, other: Reading, other_text: str) -> bool:
    """Return True if a reading shows a part of the box of another text, such as the lower half of its letters.

    other: present reading of that text, for its box. other_text: what was reported for it.
    """
    left, top, right, bottom = bounding_box(from_flat(new.quad))
    other_left, other_top, other_right, other_bottom = bounding_box(from_flat(other.quad))
    width = max(0.0, min(right, other_right) - max(left, other_left))
    height = max(0.0, min(bottom, other_bottom) - max(top, other_top))
    if width * height <= UPDATE.fragment_overlap * (right - left) * (bottom - top):
        return False
    return _similarity(other_text, new.text) > UPDATE.fragment_similarity


def _similarity(text: str, other: str) -> float:
    """Return the ``difflib`` ratio of two texts without their spaces, 0 to 1."""
    return SequenceMatcher(None, without_spaces(text), without_spaces(other), autojunk=False).ratio()


def _letter_count(text: str) -> int:
    return sum(character.isalpha() or character.isdecimal() for character in text)


def _has_better_box(reported: Reading, new: Reading, reported_text: str, text: str) -> bool:
    """Return True if a reading of the same text by another box is better."""
    if text in reported_text:
        return False
    if reported_text in text:
        return True
    if may_match((new.text, new.char_confidences), (reported.text, reported.char_confidences)):
        return _is_surer(reported, new)
    return new.confidence > reported.confidence


def _is_surer(reported: Reading, new: Reading) -> bool:
    lowest = min_char_confidence(reported.text, reported.char_confidences)
    return min_char_confidence(new.text, new.char_confidences) > lowest + UPDATE.min_improvement


def _adds_unsure_text(new: Reading, reported_text: str, text: str) -> bool:
    """Return True if a text is longer by something unsure, such as windows beside it, which look a bit like letters."""
    start = text.find(reported_text)
    _, sure = drop_spaces((new.text, new.char_confidences))
    return start >= 0 and fmean(sure[:start] + sure[start + len(reported_text) :]) < UPDATE.min_added_confidence


def _is_cut_through_letter(reported: Reading, new: Reading, reported_text: str, text: str) -> bool:
    """Return True if a text is shorter because its box cuts a letter in two."""
    lowest = min_char_confidence(new.text, new.char_confidences)
    reported_lowest = min_char_confidence(reported.text, reported.char_confidences)
    unsure = lowest < UPDATE.cut_confidence and lowest < reported_lowest - UPDATE.min_cut_decrease
    return text in reported_text and unsure


def _leaves_out_letter(reported: Reading, new: Reading, reported_text: str, text: str) -> bool:
    """Return True if one letter within a long text is missing though the line has kept its length."""
    if len(reported_text) < SIMILARITY.long_text or len(text) != len(reported_text) - 1:
        return False
    pairs = enumerate(zip(reported_text, text, strict=False))
    start = next((index for index, (letter, other) in pairs if letter != other), 0)
    if not start or reported_text[start + 1 :] != text[start:] or not reported_text[start].isalpha():
        return False
    length, new_length = (side_lengths(from_flat(each.quad))[0] for each in (reported, new))
    return abs(new_length - length) < UPDATE.max_kept_length_change * length / len(reported.text)


def _is_blurred_by_motion(reported: Reading, new: Reading) -> bool:
    """Return True if a text has moved since and reads similarly, but is less sure: signs do not change as they move."""
    quad, new_quad = from_flat(reported.quad), from_flat(new.quad)
    moved_px = np.linalg.norm(new_quad - quad, axis=1).min()  # of all corners: a line that is written grows at one end
    if moved_px <= UPDATE.min_motion * side_lengths(quad)[1] or is_counter_tick(reported, new):
        return False
    lowest, new_lowest = (min_char_confidence(each.text, each.char_confidences) for each in (reported, new))
    return new_lowest < lowest and _similarity(reported.text, new.text) > UPDATE.min_blurred_similarity


def _grows(reported: Reading, new: Reading, reported_text: str, text: str) -> bool:
    """Return True if the text was first read before it had faded in or was written completely.

    The last letter of a long text may have been cut.
    """
    is_long = len(reported_text) >= SIMILARITY.long_text
    begins = reported_text in text or (is_long and text.startswith(reported_text[:-1]))
    longer = begins and len(text) >= len(reported_text) + UPDATE.min_growth
    return longer and new.start_s - reported.start_s < UPDATE.growth_s
