"""Time-weighted character error rates of examples that are computed by hand."""

import pytest
from evaluation.texts import line, visible

from stream_ocr.evaluation.time_weighted_cer import time_weighted_cer
from stream_ocr.evaluation.truth import Truth


def rate(events, *lines, ignored=()) -> float | None:
    return time_weighted_cer(Truth("v", 10.0, lines, ignored), events)


def test_time_weighted_cer_of_correct_events_is_zero() -> None:
    assert rate(visible(1, "GATE 7", 0, 4), line("Gate 7", 0, 4)) == 0.0


def test_time_weighted_cer_counts_a_misread_letter_while_it_is_reported() -> None:
    """One of four letters for one of four seconds."""
    events = visible(1, "Gale", 0, 1) + visible(2, "Gate", 1, 4)
    assert rate(events, line("Gate", 0, 4)) == pytest.approx(1 / 16)


def test_time_weighted_cer_counts_all_letters_while_a_text_is_missing() -> None:
    assert rate(visible(1, "Gate", 1, 4), line("Gate", 0, 4)) == pytest.approx(0.25)
    assert rate([], line("Gate", 0, 4)) == 1.0


def test_time_weighted_cer_adds_the_letters_of_late_ends_and_false_texts() -> None:
    """Sixteen letter seconds are shown; four are reported too long, five elsewhere."""
    assert rate(visible(1, "Gate", 0, 5), line("Gate", 0, 4)) == pytest.approx(4 / 16)
    events = visible(1, "Gate", 0, 4) + visible(2, "Brick", 0, 1, x=400)
    assert rate(events, line("Gate", 0, 4)) == pytest.approx(5 / 16)


def test_time_weighted_cer_joins_pieces_from_left_to_right() -> None:
    events = visible(1, "7", 0, 4, x=150) + visible(2, "Gate", 0, 4, x=100)
    assert rate(events, line("Gate 7", 0, 4)) == 0.0


def test_time_weighted_cer_ignores_a_second_report_of_a_line() -> None:
    assert rate(visible(1, "Gate", 0, 4) + visible(2, "Gate", 0, 4), line("Gate", 0, 4)) == 0.0


def test_time_weighted_cer_limits_the_errors_of_a_line_to_its_length() -> None:
    assert rate(visible(1, "International", 0, 4), line("Gate", 0, 4)) == 1.0


def test_time_weighted_cer_ignores_hard_texts_and_ignored_places() -> None:
    lines = line("Gate", 0, 4), line("tiny", 0, 4, x=400, hard=True)
    events = visible(1, "Gate", 0, 4) + visible(2, "t", 0, 4, x=400) + visible(3, "0815", 5, 6)
    assert rate(events, *lines, ignored=(line("", 5, 6),)) == 0.0
    assert rate([], *lines[1:]) is None
