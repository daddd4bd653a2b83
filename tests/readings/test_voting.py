import pytest

from stream_ocr.models.recognition.ctc import NOTHING, Decoded
from stream_ocr.readings.voting import Voting


def look(text: str, confidence: float) -> Decoded:
    return Decoded(text, confidence, (confidence,) * len(text))


def fused(*looks: tuple[str, float, float]) -> Voting:
    """Of looks given as (text, confidence, height in pixels)."""
    fusion = Voting()
    for text, confidence, height in looks:
        fusion.add(look(text, confidence), height)
    return fusion


def test_nothing_has_been_read_before_the_first_look() -> None:
    fusion = Voting()
    assert fusion.best == NOTHING
    assert len(fusion) == 0
    assert fusion.wants(1.0)


def test_the_clearest_look_at_the_text_with_most_votes_is_the_reading() -> None:
    fusion = fused(("GATE 4", 0.7, 20), ("GATE A", 0.8, 20), ("GATE 4", 0.75, 20))
    assert fusion.best == look("GATE 4", 0.75)
    assert len(fusion) == 3


def test_two_clear_looks_outweigh_three_blurred_ones() -> None:
    blurred = [("CATE 4", 0.6, 20.0)] * 3
    assert fused(*blurred, ("GATE 4", 0.95, 20)).best.text == "CATE 4"
    assert fused(*blurred, ("GATE 4", 0.95, 20), ("GATE 4", 0.95, 20)).best.text == "GATE 4"


def test_a_near_look_outweighs_far_ones() -> None:
    assert fused(("CATE 4", 0.8, 10), ("CATE 4", 0.8, 10), ("GATE 4", 0.8, 24)).best.text == "GATE 4"


def test_the_reading_does_not_depend_on_the_order_of_the_looks() -> None:
    looks = [("GATE 4", 0.9, 20), ("GATE A", 0.7, 30), ("GATE 4", 0.6, 12), ("CATE 4", 0.95, 15)]
    assert fused(*looks).best == fused(*reversed(looks)).best


def test_a_look_that_shows_nothing_does_not_unsay_a_text() -> None:
    assert fused(("GATE 4", 0.5, 20), ("", 0.0, 20), ("", 0.0, 20)).best.text == "GATE 4"


@pytest.mark.parametrize(
    "looks",
    [
        [("GATE 4", 0.96, 20.0)],  # nobody has agreed yet
        [("GATE 4", 0.85, 20.0), ("GATE 4", 0.8, 20.0)],  # agreed, not clear
        [("GATE 4", 0.95, 20.0), ("GATE A", 0.94, 20.0)],  # disagreed
        [("", 0.0, 20.0)],
    ],
)
def test_a_further_look_is_read_where_it_may_change_something(looks: list[tuple[str, float, float]]) -> None:
    assert fused(*looks).wants(20.0)


@pytest.mark.parametrize("looks", [[("GATE 4", 0.99, 20.0)], [("GATE 4", 0.95, 20.0), ("GATE 4", 0.92, 20.0)]])
def test_no_further_look_is_read_once_the_text_is_certain_or_agreed(looks: list[tuple[str, float, float]]) -> None:
    assert not fused(*looks).wants(20.0)


def test_a_clearly_nearer_look_is_always_wanted() -> None:
    certain = fused(("GATE 4", 0.99, 20), ("GATE 4", 0.99, 24))
    assert not certain.wants(24 * 1.25)
    assert certain.wants(24 * 1.35)


def test_one_weak_letter_in_a_long_line_is_worth_another_look_and_loses_to_a_surer_one() -> None:
    def line(text: str, weak: float) -> Decoded:
        sure = [1.0] * len(text)
        sure[16] = weak
        return Decoded(text, 0.99, tuple(sure))

    fusion = Voting()
    fusion.add(line("THE OPEN MOVIE PROIECT", 0.7), 30)
    assert fusion.wants(30)
    fusion.add(line("THE OPEN MOVIE PROJECT", 0.9), 30)
    assert fusion.best.text == "THE OPEN MOVIE PROJECT"
    assert not fusion.wants(30)


def test_a_lone_character_is_looked_at_twice_however_sure_it_is() -> None:
    assert not fused(("GATE 4", 0.99, 20)).wants(20)
    assert fused(("A", 0.99, 20)).wants(20)
    assert not fused(("A", 0.99, 20), ("A", 0.99, 20)).wants(20)
    assert fused(("A", 0.85, 20), ("A", 0.85, 20)).wants(20), "as any text that is unsure"
