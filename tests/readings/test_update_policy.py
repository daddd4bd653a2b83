"""The update policy: nothing, updated or changed."""

import pytest
from msgspec import structs

from stream_ocr.core.geometry import rectangle, to_flat
from stream_ocr.core.messages import Reading
from stream_ocr.readings.update_policy import classify_update, extends

QUAD = to_flat(rectangle(20, 300, 200, 30))


def reading(text: str, confidence: float = 0.95, *, revision: int = 0, start_s: float = 0.0) -> Reading:
    return Reading(1, QUAD, revision, start_s, QUAD, None, text, confidence, (confidence,) * len(text), 1)


@pytest.mark.parametrize(
    ("reported", "new", "update"),
    [
        (reading("GATE 4"), reading("GATE 4"), "nothing"),
        (reading("GATE4"), reading("GATE 4", 0.8), "updated"),
        (reading("GATE 4"), reading("GATE4", 0.99), "nothing"),
        (reading("GAIE 4"), reading("GATE 4"), "updated"),  # weighed against the readings before
        (reading("BUS STOP", 0.98), reading("EUS STOPI", 0.82, revision=1), "nothing"),  # a worse box
        (reading("BUS ST", 0.9), reading("BUS STOP", 0.85, revision=1), "updated"),
        (reading("BUS STOP", 0.9), reading("BUS", 0.99, revision=1), "nothing"),
        (reading("SCHOOL"), reading("SCHOOL I7", 0.7, revision=1, start_s=0.5), "nothing"),  # a window beside it
        (reading("SCHOOL"), reading("1 SCHOOL", 0.7, revision=1), "nothing"),
        (reading("SCHOOL"), reading("SCHOO", 0.6, revision=1, start_s=1.0), "nothing"),
        (reading("12:01"), reading("12:02", revision=1, start_s=1.0), "changed"),
        (reading("12:01"), reading("12:02", 0.6, revision=1, start_s=1.0), "nothing"),
        (reading("THE PEA"), reading("THE PEACH OPEN", revision=1, start_s=0.5), "updated"),
        (reading("THE PEF"), reading("THE PEACH OPEN", revision=1, start_s=0.5), "updated"),  # a letter that was cut
        (reading("THE PEA"), reading("THE PEACH OPEN", revision=1, start_s=2.0), "changed"),
        (reading("Good mcrning", 0.6), reading("Good morning", revision=1, start_s=2.0), "updated"),
    ],
)
def test_classify_update(reported: Reading, new: Reading, update: str) -> None:
    assert classify_update(reported, new) == update


@pytest.mark.parametrize(
    ("text", "added"),
    [("TISCALI 2", "2"), ("ATISCALI", "A"), ("①TISCALI", ""), ("TISCALI.", ""), ("TISCALE 2", "")],
)
def test_extends_counts_letters_and_digits_at_the_ends(text: str, added: str) -> None:
    assert extends(reading("TISCALI"), reading(text)) == bool(added)


def test_classify_update_compares_the_lowest_character_confidence() -> None:
    sure = (0.99,) * 8
    reported = structs.replace(reading("OPEN FILF", revision=0), char_confidences=(*sure, 0.8))
    new = structs.replace(reading("OPEN FILE", revision=1, start_s=1.0), char_confidences=(*sure, 0.99))
    assert classify_update(reported, new) == "updated"


def test_classify_update_averages_the_confidence_of_added_characters() -> None:
    reported, grown = reading("The way", 0.99), "The way to the sea"
    sure = (*(0.99,) * 12, 0.55, *(0.99,) * 5)
    new = structs.replace(reading(grown, revision=1, start_s=0.5), char_confidences=sure)
    assert classify_update(reported, new) == "updated"


@pytest.mark.parametrize(
    ("text", "width_px", "update"),
    [
        ("This is ine one", 200, "nothing"),
        ("This is ine one", 180, "changed"),  # the line is shorter, too
        ("This is line two", 200, "changed"),
        ("This is one", 200, "changed"),  # a whole word
        ("This is line on", 200, "changed"),
    ],
)
def test_classify_update_ignores_a_letter_that_is_lost_while_the_line_keeps_its_length(
    text: str, width_px: float, update: str
) -> None:
    """A highlight moves over a caption, and one reading leaves out a letter."""
    quad = to_flat(rectangle(20, 300, width_px, 30))
    new = structs.replace(reading(text, revision=1, start_s=2.0), quad=quad)
    assert classify_update(reading("This is line one"), new) == update


def test_classify_update_reports_a_lost_digit() -> None:
    assert classify_update(reading("Platform 114 A"), reading("Platform 14 A", revision=1, start_s=2.0)) == "changed"


@pytest.mark.parametrize(
    ("text", "confidence", "moved_px", "update"),
    [
        ("Welcome to Mallain", 0.93, 100, "nothing"),
        ("to Mallsin", 0.6, 100, "nothing"),
        ("Welcome to Mallain", 0.98, 100, "changed"),  # surer
        ("Welcome to Mallain", 0.93, 5, "changed"),  # it stands still
        ("Fort William", 0.93, 100, "changed"),  # nothing in common
    ],
)
def test_classify_update_ignores_a_worse_reading_of_a_text_that_moves(
    text: str, confidence: float, moved_px: float, update: str
) -> None:
    """A sign that a camera pans over is blurred at last; signs do not change while they move."""
    quad = to_flat(rectangle(20 + moved_px, 300, 200, 30))
    new = structs.replace(reading(text, confidence, revision=1, start_s=2.0), quad=quad)
    assert classify_update(reading("Welcome to Mallaig"), new) == update


def test_classify_update_reports_ticks_of_a_clock_that_moves() -> None:
    new = structs.replace(reading("21:07", 0.93, revision=1, start_s=2.0), quad=to_flat(rectangle(120, 300, 200, 30)))
    assert classify_update(reading("21:06"), new) == "changed"


def test_classify_update_reports_a_line_that_is_written() -> None:
    quad = to_flat(rectangle(20, 300, 500, 30))
    new = structs.replace(reading("THE PEACH OPEN MOVIE PROJECT", 0.85, revision=1, start_s=0.5), quad=quad)
    assert classify_update(reading("THE PEACH OPE"), new) == "updated"
