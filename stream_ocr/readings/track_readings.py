"""Readings of one track: which of them read the same letters, and therefore vote together.

The tracker starts a revision when pixels change. Here a text begins only when *letters* change: what looks the same to
the pixel, or reads differently without a difference that can be seen, is another vote for the text before.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from stream_ocr.core.messages import Reading, TrackState
from stream_ocr.models.recognition.calibration import joint_probability
from stream_ocr.readings.counter import predict, with_prior
from stream_ocr.readings.crop_comparison import compare_crops
from stream_ocr.readings.second_reader import Crop
from stream_ocr.readings.similarity import different_parts, is_small_difference, may_match
from stream_ocr.readings.thresholds import COMPARISON, COUNTER
from stream_ocr.readings.voting import Vote, Voting


@dataclass(slots=True)
class _Text:
    """A text of the track. state: of the track in the first message that showed it. crop: the last one of it."""

    state: TrackState
    votes: Voting = field(default_factory=Voting)
    crop: Crop | None = None


class TrackReadings:
    """Combines the readings of one track.

    A revision whose letters are not certainly the same as before, but seem to be, is a candidate: its readings vote for
    the text, and become a text of their own if further ones show another one after all.
    """

    def __init__(self, state: TrackState) -> None:
        """state: of the track in its first message."""
        self._text = _Text(state)
        self._candidate: _Text | None = None
        self._revision = state.revision  # the last one that has been compared
        self._past: deque[tuple[str, float]] = deque(maxlen=COUNTER.min_texts - 1)  # texts before, and their starts
        self._predicted: str | None = None  # what the candidate shows if the track is a counter
        self.votes = Voting()
        """Readings of the present text, those of the candidate included."""

    def shows_new_text(self, state: TrackState, crop: Crop) -> bool:
        """Return True unless a crop of the track, which is in ``state``, certainly shows the same letters as before."""
        if state.revision == self._revision:
            return False
        known = self._candidate or self._text
        similarity = compare_crops(known.crop.pixels, crop.pixels) if known.crop else None
        if similarity is None or not similarity.is_same:
            return True
        self._revision, known.crop = state.revision, _copy(crop)
        return False

    def add(self, votes: Sequence[Vote], height: float, state: TrackState, crop: Crop) -> None:
        """Add what was read in a crop of the track, which is in ``state``. height: of the text, in pixels."""
        if state.revision != self._revision:
            self._text.votes, self._candidate = self.votes, _Text(state)
            self._revision = state.revision
            self._predicted = predict([*self._past, self._dated_text()], state.start_s)
        current = self._candidate or self._text
        current.votes.add([_with_prior(vote, self._predicted) for vote in votes], height)
        if self._candidate and not (self._text.votes and self._is_same_text(self._candidate, crop)):
            self._past.append(self._dated_text())
            self._text, self._candidate = self._candidate, None
        current.crop = _copy(crop)
        self.votes = self._text.votes.combined(self._candidate.votes) if self._candidate else self._text.votes

    def reading(self, state: TrackState, crop: bytes | None) -> Reading:
        """Return the best reading of a track. crop: picture of it for the events, if there is a new one.

        Its revision and its start are those of the text.
        """
        best, text = self.votes.best, self._text.state
        return Reading(
            track=state.id,
            quad=state.quad,
            revision=text.revision,
            start_s=text.start_s,
            start_quad=text.start_quad,
            end_s=state.end_s,
            text=best.text,
            confidence=best.confidence,
            char_confidences=best.char_confidences,
            crops_read=len(self.votes),
            hidden_s=state.hidden_s,
            overlay=state.overlay,
            crop=crop,
            rest=state.rest,
        )

    def _dated_text(self) -> tuple[str, float]:
        return self._text.votes.best.text, self._text.state.start_s

    def _is_same_text(self, new: _Text, crop: Crop) -> bool:
        """Return True if two readings are of the same letters.

        One is unsure where they differ, or nothing has visibly changed there. Short texts, digits and texts that have
        little in common must be the same to the pixel. In a long one a letter may look different because of what moves
        behind it, unless both readings are sure.
        """
        old, old_best, best = self._text, self._text.votes.best, new.votes.best
        if not old_best.text or not best.text:
            return False
        if may_match((best.text, best.char_confidences), (old_best.text, old_best.char_confidences)):
            return True
        similarity = compare_crops(old.crop.pixels, crop.pixels) if old.crop else None
        if similarity is None:
            return False
        spans = [_place(part, len(best.text), crop) for part in different_parts(old_best.text, best.text)]
        if similarity.is_same_at(spans):
            return True
        sure = min(old.votes.certainty, new.votes.certainty) >= COMPARISON.sure_certainty
        lenient = not sure and is_small_difference(old_best.text, best.text) and similarity.shows(spans)
        return lenient and not similarity.has_changed_at(spans)


def _with_prior(vote: Vote, predicted: str | None) -> Vote:
    """Return a vote of which the text is predicted, without spaces; None: nothing is."""
    if predicted is None or not vote.reading.text:
        return vote
    reading = with_prior(vote.reading, predicted)
    gained = joint_probability(reading.char_confidences) / max(joint_probability(vote.reading.char_confidences), 1e-9)
    return Vote(reading, min(vote.certainty * gained, 1.0))


def _copy(crop: Crop) -> Crop:
    """Return a copy of a crop, whose slot is reused."""
    return crop._replace(pixels=crop.pixels.copy())


def _place(part: tuple[int, int], length: int, crop: Crop) -> tuple[float, float]:
    """Return where characters of a text are, and one more on each side, as fractions of the length of its crop."""
    height, width = crop.pixels.shape
    margin = height * crop.margin / (1 + 2 * crop.margin) / width
    first, last = ((n / length) * (1 - 2 * margin) + margin for n in (part[0] - 1, part[1] + 1))
    return first, last
