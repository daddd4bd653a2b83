"""Several looks at one text make one reading.

Each look votes for its text with the square of its confidence, so that two clear readings outweigh three blurred
ones. A look that is not expected to change the result is not read at all.
"""

from dataclasses import dataclass, field

from stream_ocr.recognition.ctc import Decoded

_CERTAIN = 0.98
_AGREED = 0.9


@dataclass(slots=True)
class Fusion:
    """The readings of one view of one text."""

    looks: list[Decoded] = field(default_factory=list)

    @property
    def decided(self) -> bool:
        """Whether a further look is not worth its time."""
        votes = [look for look in self.looks if look.text == self.best.text]
        if any(look.confidence >= _CERTAIN for look in votes):
            return True
        return len(votes) >= 2 and self.best.confidence >= _AGREED

    @property
    def best(self) -> Decoded:
        """The text with most votes, in its clearest look; empty when nothing has been read."""
        if not self.looks:
            return Decoded("", 0.0, ())
        weights: dict[str, float] = {}
        for look in self.looks:
            weights[look.text] = weights.get(look.text, 0.0) + look.confidence**2
        text = max(weights, key=lambda text: weights[text])
        return max((look for look in self.looks if look.text == text), key=lambda look: look.confidence)

    def add(self, look: Decoded) -> None:
        """Take in one more reading."""
        self.looks.append(look)
