"""Which looks are put off."""

from itertools import pairwise

import pytest

from stream_ocr.gating.reread_backoff import RereadBackoff
from stream_ocr.models.recognition.ctc import decoded

JUNK, TEXT = decoded("mDDm", [0.4] * 4), decoded("HOTEL", [0.95] * 5)


def looks(readings: list, height: float = 20.0) -> list[float]:
    """The times at which a text is read that changes with every frame; its last reading goes on for ever."""
    doubt, seen = RereadBackoff(), []
    for frame in range(25 * 12):
        if not doubt.defers(frame / 25, height):
            doubt.add(readings[min(len(seen), len(readings) - 1)], frame / 25, height)
            seen.append(frame / 25)
    return seen


def test_what_is_never_legible_is_read_less_and_less_often() -> None:
    assert [b - a for a, b in pairwise(looks([JUNK]))][:4] == pytest.approx([0.5, 1.0, 2.0, 4.0], abs=0.05)


def test_what_is_legible_is_always_read() -> None:
    assert len(looks([TEXT])) == 300


def test_one_legible_look_ends_all_doubt() -> None:
    waited = 25 * (0.5 + 1.0 + 2.0)
    assert len(looks([JUNK, JUNK, JUNK, TEXT])) == pytest.approx(300 - waited, abs=3)


def test_what_comes_nearer_is_read_again() -> None:
    doubt = RereadBackoff()
    for _ in range(8):
        doubt.add(JUNK, 1.0, 20.0)
    assert doubt.defers(1.04, 25.0)
    assert not doubt.defers(1.04, 27.0)
