import pytest

from stream_ocr.readings.similarity import may_match


def sure(text: str) -> tuple[str, list[float]]:
    return text, [0.99] * len(text)


def unsure(text: str, *places: int) -> tuple[str, list[float]]:
    return text, [0.6 if i in places else 0.99 for i in range(len(text))]


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ("I can do it", "I can't do it"),
        ("They were late", "They are late"),
        ("Score A", "Score B"),
        ("12:01", "12:02"),
        ("Chapter 1", "Chapter 11"),
        ("Platform 5 to Leeds", "Platform 6 to Leeds"),
        ("", "Gate"),
    ],
)
def test_may_match_rejects_differences_that_are_sure_in_both(a: str, b: str) -> None:
    assert not may_match(sure(a), sure(b))
    assert not may_match(sure(b), sure(a))


def test_may_match_accepts_an_unsure_letter() -> None:
    assert may_match(sure("Nobody knows when"), unsure("Nobody konows when", 8))
    assert may_match(unsure("Good moming", 7), sure("Good morning"))


def test_may_match_rejects_another_digit_even_if_unsure() -> None:
    assert not may_match(sure("Room 1207 on the left"), unsure("Room 1208 on the left", 8))


def test_may_match_ignores_spaces_and_confusable_characters() -> None:
    assert may_match(sure("LS15 EBC"), sure("LSI5EBC"))
    assert may_match(sure("ROOM 101"), sure("R0OM IOl"))


def test_may_match_ignores_marks_between_digits() -> None:
    assert may_match(sure("10:48:03"), sure("1048:03"))
    assert may_match(sure("2026-11-29"), sure("2026-1129"))
    assert not may_match(sure("1 234.50"), sure("1 234.05"))
    assert not may_match(sure("Wait!"), sure("Wait?"))


def test_may_match_ignores_marks_in_long_texts() -> None:
    assert may_match(sure("Je pense qu'il aurait"), sure("Je pense qu il aurait"))
    assert not may_match(sure("Je pense qu'il aurait"), sure("Je pense qu'elle aurait"))
