"""Multi-frame voting: several readings of one text give one result.

The vote of a reading is its confidence, times its lowest character confidence, because a wrong character hides in a
long line, times the square of the height at which the text was read, so that a near view outweighs far ones. Two clear
readings outweigh three blurred ones.
"""

from dataclasses import dataclass, field

from stream_ocr.models.recognition.ctc import NO_TEXT, Decoded, min_char_confidence
from stream_ocr.readings.similarity import without_spaces
from stream_ocr.readings.thresholds import VOTING
from stream_ocr.readings.word_filter import is_single_glyph


@dataclass(slots=True)
class Voting:
    """The readings of one text while its content is the same. The length is their number."""

    best: Decoded = field(default=NO_TEXT, init=False)
    """Result: of the readings of the text with most votes, the one with most spaces, then the clearest."""
    _readings: list[tuple[Decoded, float]] = field(default_factory=list, init=False)

    def __len__(self) -> int:
        return len(self._readings)

    def wants(self, height: float) -> bool:
        """Return True if another reading may change the result. height: of the text now, in pixels."""
        if not self._readings or height > VOTING.taller_factor * max(read_height for _, read_height in self._readings):
            return True
        text, confidence = without_spaces(self.best.text), self.best.confidence
        agreeing = sum(without_spaces(reading.text) == text for reading, _ in self._readings)
        lowest = min_char_confidence(self.best.text, self.best.char_confidences)
        clear = confidence >= VOTING.certain_confidence and lowest >= VOTING.certain_char_confidence
        certain = clear and not is_single_glyph(text)  # one reading cannot tell it from a pole
        return not certain and (agreeing < VOTING.min_agreeing or confidence < VOTING.agreed_confidence)

    def add(self, reading: Decoded, height: float) -> None:
        """Add a reading of the text. height: of the text in its frame, in pixels."""
        self._readings.append((reading, height))
        votes: dict[str, float] = {}
        for each, each_height in self._readings:
            text = without_spaces(each.text)
            vote = each.confidence * min_char_confidence(each.text, each.char_confidences) * each_height**2
            votes[text] = votes.get(text, 0.0) + vote
        winner = max(votes, key=lambda text: votes[text])
        agreeing = [each for each, _ in self._readings if without_spaces(each.text) == winner]
        self.best = max(agreeing, key=lambda each: (each.text.count(" "), each.confidence))
