from stream_ocr.evaluation.metamorphic import compare
from stream_ocr.evaluation.timed_text import TimedText

FRAME_S = 0.04


def text(text: str, start: float, end: float, x: float = 100) -> TimedText:
    return TimedText(text, start, end, ((start, x, 50, 200, 30),))


def test_equal_texts_have_no_differences_within_a_frame() -> None:
    assert not compare([text("Exit", 1.0, 2.0)], [text("Exit", 1.04, 1.96)], FRAME_S)


def test_compare_lists_lost_new_and_retimed_texts() -> None:
    original = [text("Exit", 1.0, 2.0), text("Gate 7", 3.0, 4.0), text("Cafe", 5.0, 6.0)]
    variant = [text("Exit", 1.0, 2.08), text("Gale 7", 3.0, 4.0), text("Cafe", 5.0, 6.0, x=600)]
    found = compare(original, variant, FRAME_S)
    assert [one.text for one in found.lost] == ["Gate 7", "Cafe"]
    assert [one.text for one in found.new] == ["Gale 7", "Cafe"]
    assert [(a.end, b.end) for a, b in found.retimed] == [(2.0, 2.08)]
    assert [line.split()[0] for line in found.lines()] == ["lost"] * 2 + ["new"] * 2 + ["retimed"]
    assert found.to_json()["retimed"] == [["Exit", 1.0, 2.0, 1.0, 2.08]]


def test_compare_pairs_a_text_reported_twice_with_the_longer_part() -> None:
    found = compare([text("Exit", 0.0, 4.0)], [text("Exit", 0.0, 1.0), text("Exit", 1.0, 4.0)], FRAME_S)
    assert [(one.start, one.end) for one in found.new] == [(0.0, 1.0)]
    assert not found.lost
