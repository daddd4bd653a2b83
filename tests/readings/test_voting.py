import pytest

from stream_ocr.models.recognition.ctc import NO_TEXT, Decoded
from stream_ocr.readings.voting import Voting


def decoded(text: str, confidence: float) -> Decoded:
    return Decoded(text, confidence, (confidence,) * len(text))


def vote(*readings: tuple[str, float, float]) -> Voting:
    """Return the voting over readings given as (text, confidence, height in pixels)."""
    voting = Voting()
    for text, confidence, height in readings:
        voting.add(decoded(text, confidence), height)
    return voting


def test_voting_is_empty_without_readings() -> None:
    voting = Voting()
    assert voting.best == NO_TEXT
    assert len(voting) == 0
    assert voting.wants(1.0)


def test_voting_returns_the_clearest_reading_of_the_winner() -> None:
    voting = vote(("GATE 4", 0.7, 20), ("GATE A", 0.8, 20), ("GATE 4", 0.75, 20))
    assert voting.best == decoded("GATE 4", 0.75)
    assert len(voting) == 3


def test_voting_weighs_readings_by_confidence() -> None:
    blurred = [("CATE 4", 0.6, 20.0)] * 3
    assert vote(*blurred, ("GATE 4", 0.95, 20)).best.text == "CATE 4"
    assert vote(*blurred, ("GATE 4", 0.95, 20), ("GATE 4", 0.95, 20)).best.text == "GATE 4"


def test_voting_weighs_readings_by_height() -> None:
    assert vote(("CATE 4", 0.8, 10), ("CATE 4", 0.8, 10), ("GATE 4", 0.8, 24)).best.text == "GATE 4"


def test_voting_is_independent_of_the_order() -> None:
    readings = [("GATE 4", 0.9, 20), ("GATE A", 0.7, 30), ("GATE 4", 0.6, 12), ("CATE 4", 0.95, 15)]
    assert vote(*readings).best == vote(*reversed(readings)).best


def test_voting_ignores_empty_readings() -> None:
    assert vote(("GATE 4", 0.5, 20), ("", 0.0, 20), ("", 0.0, 20)).best.text == "GATE 4"


@pytest.mark.parametrize(
    "readings",
    [
        [("GATE 4", 0.96, 20.0)],  # nobody has agreed yet
        [("GATE 4", 0.85, 20.0), ("GATE 4", 0.8, 20.0)],  # agreed, not clear
        [("GATE 4", 0.95, 20.0), ("GATE A", 0.94, 20.0)],  # disagreed
        [("", 0.0, 20.0)],
    ],
)
def test_voting_wants_another_reading_that_may_change_the_result(readings: list[tuple[str, float, float]]) -> None:
    assert vote(*readings).wants(20.0)


@pytest.mark.parametrize("readings", [[("GATE 4", 0.99, 20.0)], [("GATE 4", 0.95, 20.0), ("GATE 4", 0.92, 20.0)]])
def test_voting_wants_no_reading_once_certain_or_agreed(readings: list[tuple[str, float, float]]) -> None:
    assert not vote(*readings).wants(20.0)


def test_voting_wants_a_reading_of_a_much_taller_text() -> None:
    certain = vote(("GATE 4", 0.99, 20), ("GATE 4", 0.99, 24))
    assert not certain.wants(24 * 1.25)
    assert certain.wants(24 * 1.35)


def test_voting_wants_another_reading_for_one_unsure_letter() -> None:
    def line(text: str, weak: float) -> Decoded:
        sure = [1.0] * len(text)
        sure[16] = weak
        return Decoded(text, 0.99, tuple(sure))

    voting = Voting()
    voting.add(line("THE OPEN MOVIE PROIECT", 0.7), 30)
    assert voting.wants(30)
    voting.add(line("THE OPEN MOVIE PROJECT", 0.9), 30)
    assert voting.best.text == "THE OPEN MOVIE PROJECT"
    assert not voting.wants(30)


def test_voting_wants_two_readings_of_a_single_glyph() -> None:
    assert not vote(("GATE 4", 0.99, 20)).wants(20)
    assert vote(("A", 0.99, 20)).wants(20)
    assert not vote(("A", 0.99, 20), ("A", 0.99, 20)).wants(20)
    assert vote(("A", 0.85, 20), ("A", 0.85, 20)).wants(20), "as any text that is unsure"
