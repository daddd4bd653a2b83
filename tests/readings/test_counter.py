"""Prediction of clocks and counters."""

import pytest

from stream_ocr.models.recognition.ctc import Decoded, make_decoded
from stream_ocr.readings.counter import predict, with_prior


@pytest.mark.parametrize(
    ("texts", "time_s", "expected"),
    [
        ([("12:00:07", 1.0), ("12:00:08", 2.0), ("12:00:09", 3.0)], 4.0, "12:00:10"),
        ([("12:00:07", 1.0), ("12:00:08", 2.04), ("12:00:09", 2.96)], 5.0, "12:00:11"),  # a tick was missed
        ([("23:59:57", 1.0), ("23:59:58", 2.0), ("23:59:59", 3.0)], 4.0, "00:00:00"),
        ([("CAM 4 9:58", 1.0), ("CAM 4 9:59", 2.0), ("CAM 4 10:00", 3.0)], 4.0, "CAM410:01"),
        ([("0:03", 1.0), ("0:02", 2.0), ("0:01", 3.0)], 4.0, "0:00"),  # counts down
        ([("0:02", 1.0), ("0:01", 2.0), ("0:00", 3.0)], 4.0, None),
        ([("TAKE 8", 0.0), ("TAKE 9", 0.4), ("TAKE 10", 0.8)], 1.2, "TAKE11"),
        ([("007", 0.0), ("008", 0.4), ("009", 0.8)], 1.2, "010"),
        ([("12:00:07", 1.0), ("12:00:08", 2.0)], 3.0, None),  # too few
        ([("12:00:07", 1.0), ("12:00:08", 2.0), ("12:00:09", 3.0)], 3.5, None),  # between two ticks
        ([("12:00:07", 1.0), ("12:00:18", 2.0), ("12:00:09", 3.0)], 4.0, None),  # one was misread
        ([("GATE 1", 1.0), ("ROOM 2", 2.0), ("GATE 3", 3.0)], 4.0, None),
        ([("GATE", 1.0), ("ROOM", 2.0), ("GATE", 3.0)], 4.0, None),
        ([("5", 1.0), ("5", 2.0), ("5", 3.0)], 4.0, None),
        ([], 1.0, None),
    ],
)
def test_predict(texts: list[tuple[str, float]], time_s: float, expected: str | None) -> None:
    assert predict(texts, time_s) == expected


def reading(text: str, last: float) -> Decoded:
    return make_decoded(text, [0.98] * (len(text) - 1) + [last])


def test_counter_raises_the_confidence_of_a_predicted_digit() -> None:
    kept = with_prior(reading("12:00:09", 0.6), "12:00:09")
    assert kept.text == "12:00:09"
    assert kept.char_confidences[-1] == pytest.approx(0.6 * 0.95 / (0.6 * 0.95 + 0.4 * 0.05))


def test_counter_replaces_an_unsure_digit_by_the_predicted_one() -> None:
    assert with_prior(reading("CAM 4 12:00:08", 0.6), "CAM412:00:09").text == "CAM 4 12:00:09"


@pytest.mark.parametrize("text", ["12:00:03", "12:00:0", "120009"])
def test_counter_leaves_sure_digits_and_other_texts(text: str) -> None:
    sure = reading(text, 0.97)
    assert with_prior(sure, "12:00:09") == sure
