"""Several looks at one text make one reading.

Each look votes for its text with the square of its confidence, so that two clear readings outweigh three blurred
ones, and of the height at which the text was seen, so that a near view outweighs far ones. The weakest character counts
as much as all together: one that is wrong hides in a long line. A look that is not expected to change the result is not
read at all.
"""

from dataclasses import dataclass, field

from stream_ocr.models.recognition.ctc import NOTHING, Decoded, weakest
from stream_ocr.readings.similarity import without_spaces
from stream_ocr.readings.word_filter import is_lone

_CERTAIN, _EACH = 0.97, 0.8  # all characters together, and every one
_AGREED = 0.9
_NEARER = 1.3


@dataclass(slots=True)
class Voting:
    """The readings of one text while it stays the same."""

    best: Decoded = field(default=NOTHING, init=False)
    """The text with most votes, in its look with most spaces, then the clearest; empty when nothing was read."""
    _looks: list[tuple[Decoded, float]] = field(default_factory=list, init=False)

    def __len__(self) -> int:
        return len(self._looks)

    def wants(self, height: float) -> bool:
        """Whether a further look, at text of ``height`` pixels, may still change the result."""
        if not self._looks or height > _NEARER * max(seen for _, seen in self._looks):
            return True
        words, confidence = without_spaces(self.best.text), self.best.confidence
        votes = [look for look, _ in self._looks if without_spaces(look.text) == words]
        clear = confidence >= _CERTAIN and weakest(self.best.text, self.best.char_confidences) >= _EACH
        certain = clear and not is_lone(words)  # one look does not tell it from a pole
        return not certain and (len(votes) < 2 or confidence < _AGREED)

    def add(self, look: Decoded, height: float) -> None:
        """Take in one more reading, of text that was ``height`` pixels high in its frame."""
        self._looks.append((look, height))
        votes: dict[str, float] = {}
        for each, seen in self._looks:
            words = without_spaces(each.text)
            votes[words] = votes.get(words, 0.0) + each.confidence * weakest(each.text, each.char_confidences) * seen**2
        most = max(votes, key=lambda words: votes[words])
        alike = [each for each, _ in self._looks if without_spaces(each.text) == most]
        self.best = max(alike, key=lambda each: (each.text.count(" "), each.confidence))
