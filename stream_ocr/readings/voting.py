"""Multi-frame voting: several readings of one text, by one reader or by two, give one result.

The vote of a reading is the probability that all of it is right, because a wrong character hides in a long line, times
the square of the height at which the text was read, so that a near view outweighs far ones. Two clear readings outweigh
three blurred ones.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from stream_ocr.models.recognition.ctc import NO_TEXT, Decoded, make_decoded
from stream_ocr.readings.similarity import drop_spaces, without_spaces
from stream_ocr.readings.word_filter import drop_unsure_ends


class Vote(NamedTuple):
    """A reading of a crop, and the calibrated probability that all of it is right."""

    reading: Decoded
    certainty: float


@dataclass(slots=True)
class Voting:
    """The readings of one text while its content is the same. The length is the number of crops."""

    best: Decoded = field(default=NO_TEXT, init=False)
    """Result: the text with most votes, with the spaces of the reading that has most of them; each letter is as sure
    as the surest reading of it."""
    certainty: float = field(default=0.0, init=False)
    """Probability that the surest reading of the result is right."""
    agreeing: int = field(default=0, init=False)
    """Number of readings of the result, which may differ in spaces."""
    tallest: float = field(default=0.0, init=False)
    """Largest height at which the text was read, in pixels."""
    _votes: list[tuple[Vote, float]] = field(default_factory=list, init=False)
    _crops: int = field(default=0, init=False)

    def __len__(self) -> int:
        return self._crops

    def add(self, votes: Sequence[Vote], height: float) -> None:
        """Add what the readers read in one crop. height: of the text in its frame, in pixels."""
        self._crops += 1
        self._votes += [(vote._replace(reading=drop_unsure_ends(vote.reading)), height) for vote in votes]
        self._count()

    def combined(self, other: "Voting") -> "Voting":
        """Return the voting over the readings of both."""
        both = Voting()
        both._crops, both._votes = self._crops + other._crops, self._votes + other._votes
        both._count()
        return both

    def _count(self) -> None:
        totals: dict[str, float] = {}
        for vote, height in self._votes:
            text = without_spaces(vote.reading.text)
            totals[text] = totals.get(text, 0.0) + vote.certainty * height**2
        winner = max(totals, key=lambda text: totals[text])
        agreeing = [vote for vote, _ in self._votes if without_spaces(vote.reading.text) == winner]
        readings = sorted((vote.reading for vote in agreeing), key=_spaces_then_confidence, reverse=True)
        self.best, self.agreeing = merge_agreeing(readings), len(agreeing)
        self.certainty = max(vote.certainty for vote in agreeing)
        self.tallest = max(height for _, height in self._votes)


def merge_agreeing(readings: Sequence[Decoded]) -> Decoded:
    """Return the first of readings that differ only in spaces; its letters are as sure as the surest of them says."""
    first = readings[0]
    letters = (drop_spaces((reading.text, reading.char_confidences))[1] for reading in readings)
    surest = iter([max(sure) for sure in zip(*letters, strict=True)])
    return make_decoded(
        first.text,
        [
            sure if character.isspace() else next(surest)
            for character, sure in zip(first.text, first.char_confidences, strict=True)
        ],
    )


def _spaces_then_confidence(reading: Decoded) -> tuple[int, float]:
    return reading.text.count(" "), reading.confidence
