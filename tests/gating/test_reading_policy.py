"""Reading policy: back-off of illegible tracks, and when enough has been read."""

from itertools import pairwise

import pytest

from stream_ocr.gating.reading_policy import RereadBackoff, may_change_result
from stream_ocr.models.recognition.ctc import Decoded, make_decoded

JUNK, TEXT = make_decoded("mDDm", [0.4] * 4), make_decoded("HOTEL", [0.95] * 5)


def read_times(readings: list, height: float = 20.0) -> list[float]:
    """Return the times at which a text that changes with every frame is read; its last reading repeats for ever."""
    backoff, times = RereadBackoff(), []
    for frame in range(25 * 12):
        if not backoff.defers(frame / 25, height):
            backoff.add(readings[min(len(times), len(readings) - 1)].confidence, frame / 25, height)
            times.append(frame / 25)
    return times


def test_backoff_doubles_the_pause_after_each_illegible_reading() -> None:
    assert [b - a for a, b in pairwise(read_times([JUNK]))][:4] == pytest.approx([0.5, 1.0, 2.0, 4.0], abs=0.05)


def test_backoff_never_defers_legible_text() -> None:
    assert len(read_times([TEXT])) == 300


def test_backoff_ends_with_a_legible_reading() -> None:
    waited = 25 * (0.5 + 1.0 + 2.0)
    assert len(read_times([JUNK, JUNK, JUNK, TEXT])) == pytest.approx(300 - waited, abs=3)


def test_backoff_does_not_defer_text_that_has_come_closer() -> None:
    backoff = RereadBackoff()
    for _ in range(8):
        backoff.add(JUNK.confidence, 1.0, 20.0)
    assert backoff.defers(1.04, 25.0)
    assert not backoff.defers(1.04, 27.0)


def line(*confidences: float) -> Decoded:
    return make_decoded("THE OPEN MOVIE"[: len(confidences)], confidences)


@pytest.mark.parametrize(
    ("best", "agreeing", "growth", "ambiguous", "expected"),
    [
        (line(), 0, 1.0, False, True),  # nothing has been read yet
        (line(), 2, 1.0, False, True),  # nothing could be read
        (line(*[0.96] * 6), 1, 1.0, False, True),  # no other reading agrees yet
        (line(*[0.85] * 6), 2, 1.0, False, True),  # agreed, not clear
        (line(*[0.99] * 6), 1, 1.0, False, False),  # certain
        (line(*[0.99] * 6), 1, 1.0, True, True),  # certain, but one reading cannot tell it from a pole
        (line(*[0.99] * 6), 2, 1.0, True, False),
        (line(*[0.95] * 6), 2, 1.0, False, False),  # agreed
        (line(*[0.99] * 6), 2, 1.25, False, False),
        (line(*[0.99] * 6), 2, 1.35, False, True),  # much taller than before
        (line(*[1.0] * 13, 0.7), 1, 1.0, False, True),  # one unsure letter
    ],
)
def test_may_change_result(best, agreeing, growth, ambiguous, expected) -> None:
    assert may_change_result(best, agreeing=agreeing, growth=growth, ambiguous=ambiguous) is expected
