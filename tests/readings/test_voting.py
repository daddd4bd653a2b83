"""Voting: several readings of one text give one result."""

import pytest

from stream_ocr.models.recognition.ctc import NO_TEXT, Decoded
from stream_ocr.readings.voting import Vote, Voting, merge_agreeing


def decoded(text: str, confidence: float) -> Decoded:
    return Decoded(text, confidence, (confidence,) * len(text))


def voted(text: str, confidence: float) -> Vote:
    """Return the vote of a reading that is as sure of each character."""
    return Vote(decoded(text, confidence), confidence ** len(text) if text else 0.0)


def vote(*readings: tuple[str, float, float]) -> Voting:
    """Return the voting over readings given as (text, confidence, height in pixels)."""
    voting = Voting()
    for text, confidence, height in readings:
        voting.add([voted(text, confidence)], height)
    return voting


def test_voting_is_empty_without_readings() -> None:
    voting = Voting()
    assert voting.best == NO_TEXT
    assert len(voting) == 0
    assert (voting.agreeing, voting.certainty) == (0, 0.0)


def test_voting_returns_the_clearest_reading_of_the_winner() -> None:
    voting = vote(("GATE 4", 0.7, 20), ("GATE A", 0.8, 20), ("GATE 4", 0.75, 20))
    assert voting.best.text == "GATE 4"
    assert voting.best.char_confidences == pytest.approx((0.75,) * 6)
    assert len(voting) == 3


def test_voting_weighs_readings_by_confidence() -> None:
    blurred = [("CATE 4", 0.8, 20.0)] * 3
    assert vote(*blurred, ("GATE 4", 0.95, 20)).best.text == "CATE 4"
    assert vote(*blurred, ("GATE 4", 0.95, 20), ("GATE 4", 0.95, 20)).best.text == "GATE 4"


def test_voting_weighs_readings_by_height() -> None:
    assert vote(("CATE 4", 0.8, 10), ("CATE 4", 0.8, 10), ("GATE 4", 0.8, 24)).best.text == "GATE 4"


def test_voting_is_independent_of_the_order() -> None:
    readings = [("GATE 4", 0.9, 20), ("GATE A", 0.7, 30), ("GATE 4", 0.6, 12), ("CATE 4", 0.95, 15)]
    assert vote(*readings).best == vote(*reversed(readings)).best


def test_voting_counts_what_two_readers_read_in_one_crop() -> None:
    voting = Voting()
    voting.add([voted("GATE A", 0.9), voted("GATE 4", 0.85)], 20)
    assert (voting.best.text, len(voting), voting.agreeing) == ("GATE A", 1, 1)
    voting.add([voted("GAIE A", 0.8), voted("GATE 4", 0.88)], 20)
    assert (voting.best.text, len(voting), voting.agreeing) == ("GATE 4", 2, 2)
    assert voting.certainty == pytest.approx(0.88**6)


def test_voting_takes_the_surest_reading_of_each_letter() -> None:
    one = Decoded("GATE 4", 0.9, (0.99, 0.7, 0.99, 0.99, 0.9, 0.99))
    other = Decoded("GATE4", 0.9, (0.9, 0.95, 0.9, 0.9, 0.9))
    assert merge_agreeing([one, other]).char_confidences == (0.99, 0.95, 0.99, 0.99, 0.9, 0.99)


def test_combined_voting_equals_one_over_all_readings() -> None:
    readings = [("GATE 4", 0.9, 20), ("GATE A", 0.7, 30), ("GATE 4", 0.6, 12), ("CATE 4", 0.95, 15)]
    assert vote(*readings[:2]).combined(vote(*readings[2:])) == vote(*readings)


def test_voting_ignores_empty_readings() -> None:
    assert vote(("GATE 4", 0.5, 20), ("", 0.0, 20), ("", 0.0, 20)).best.text == "GATE 4"
