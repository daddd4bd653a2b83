import pytest

from stream_ocr.readings.similarity import may_be_one


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
def test_what_is_sure_on_both_sides_is_another_text(a: str, b: str) -> None:
    assert not may_be_one(sure(a), sure(b))
    assert not may_be_one(sure(b), sure(a))


def test_an_unsure_letter_may_be_a_misreading() -> None:
    assert may_be_one(sure("Nobody knows when"), unsure("Nobody konows when", 8))
    assert may_be_one(unsure("Good moming", 7), sure("Good morning"))


def test_an_unsure_digit_is_a_digit_still() -> None:
    assert not may_be_one(sure("Room 1207 on the left"), unsure("Room 1208 on the left", 8))


def test_spaces_and_lookalikes_make_no_other_text() -> None:
    assert may_be_one(sure("LS15 EBC"), sure("LSI5EBC"))
    assert may_be_one(sure("ROOM 101"), sure("R0OM IOl"))
