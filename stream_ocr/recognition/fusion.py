"""Several looks at one text make one reading.

Each look votes for its text with the square of its confidence, so that two clear readings outweigh three blurred
ones, and of the height at which the text was seen, so that a near view outweighs far ones. A look that is not
expected to change the result is not read at all.
"""

from dataclasses import dataclass, field

from stream_ocr.recognition.ctc import NOTHING, Decoded
from stream_ocr.recognition.likeness import without_spaces

_CERTAIN = 0.98
_AGREED = 0.9
_NEARER = 1.3


@dataclass(slots=True)
class Fusion:
    """The readings of one text while it stays the same."""

    _looks: list[tuple[Decoded, float]] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self._looks)

    @property
    def best(self) -> Decoded:
        """The text with most votes, in its look with most spaces, then the clearest; empty when nothing was read."""
        votes: dict[str, float] = {}
        for look, height in self._looks:
            words = without_spaces(look.text)
            votes[words] = votes.get(words, 0.0) + (look.confidence * height) ** 2
        if not votes:
            return NOTHING
        best = max(votes, key=lambda words: votes[words])
        alike = [look for look, _ in self._looks if without_spaces(look.text) == best]
        return max(alike, key=lambda look: (look.text.count(" "), look.confidence))

    def wants(self, height: float) -> bool:
        """Whether a further look, at text of ``height`` pixels, may still change the result."""
        if not self._looks or height > _NEARER * max(seen for _, seen in self._looks):
            return True
        best = self.best
        votes = [look for look, _ in self._looks if without_spaces(look.text) == without_spaces(best.text)]
        return best.confidence < _CERTAIN and (len(votes) < 2 or best.confidence < _AGREED)

    def add(self, look: Decoded, height: float) -> None:
        """Take in one more reading, of text that was ``height`` pixels high in its frame."""
        self._looks.append((look, height))
