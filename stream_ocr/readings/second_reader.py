"""Second reader: what the built-in recogniser is unsure of, or cannot spell, a stronger and slower one reads as well.

Both confidences are calibrated on the same crops, so they can be compared: each reading is a vote (``voting.py``).
Where the readers differ, the votes follow the language model as well.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np

from stream_ocr.config.settings import Settings
from stream_ocr.models import presets, zoo
from stream_ocr.models.recognition.calibration import calibrate, joint_probability
from stream_ocr.models.recognition.ctc import Decoded, DecodeFn, make_decoded
from stream_ocr.models.recognition.decoding import source_decoders
from stream_ocr.models.recognition.language_model import LanguageModel
from stream_ocr.models.recognition.recognizer import Recognizer
from stream_ocr.readings.similarity import without_spaces
from stream_ocr.readings.thresholds import SECOND_READER, TWO_LINES, SecondReaderThresholds
from stream_ocr.readings.two_lines import join_lines, split_lines
from stream_ocr.readings.voting import Vote, merge_agreeing

_ReadFn = Callable[[Sequence[np.ndarray], DecodeFn | None], list[Decoded]]


class Crop(NamedTuple):
    """A rectified text: grey pixels (H, W) uint8, and the margin round its box, in box heights."""

    pixels: np.ndarray
    margin: float


class Readers:
    """The recognisers of a run: the first reads every crop, the second what the first is unsure of.

    first_margin: margin in box heights that the first wants; None: whatever crops have. load_second: returns the second
    reader when it is needed for the first time, which spares the start of a run and runs without unsure texts.
    language_model: weighs the texts of the two.
    """

    def __init__(
        self,
        first: Recognizer,
        settings: Settings,
        *,
        first_margin: float | None = None,
        load_second: Callable[[], Recognizer] | None = None,
        language_model: LanguageModel | None = None,
        thresholds: SecondReaderThresholds = SECOND_READER,
    ) -> None:
        self.first = first
        self._first_margin = first_margin
        self._load_second = load_second
        self._second: Recognizer | None = None
        self._language_model = language_model
        self._thresholds = thresholds
        self.configure(settings)

    def configure(self, settings: Settings) -> None:
        """Take over other lexicons and patterns of sources. Raises SettingsError."""
        self._settings = settings
        self._temperature = settings.recognition.temperature or 1.0
        self._first_modes = source_decoders(settings, self.first.charset)
        self._second_modes: Mapping[str, DecodeFn] | None = None

    def read(self, crops: Sequence[Crop], stream: str = "") -> tuple[list[list[Vote]], int]:
        """Return what each reader read in each crop, and how many crops the second reader read as well.

        stream: its lexicon or pattern holds; by default that of the settings.
        """
        pixels = [trimmed(crop, self._first_margin) for crop in crops]
        decode = self._first_modes.get(stream)
        if self._load_second is None:
            return [[vote] for vote in self._votes_line_by_line(self.first.read, pixels, decode)], 0
        votes = [[self._vote(reading)] for reading in self.first.read(pixels, decode)]
        unsure = [i for i, (first,) in enumerate(votes) if first.certainty < self._thresholds.min_certainty]
        if unsure:
            second = self._loaded_second()
            modes = self._second_modes or {}
            others = self._votes_line_by_line(
                partial(self._read_second, second), [crops[i].pixels for i in unsure], modes.get(stream)
            )
            has_mode = stream in self._first_modes
            for i, other in zip(unsure, others, strict=True):
                both = self._with_second(votes[i][0], other)
                votes[i] = both if has_mode else self._weighed(both)
        return votes, len(unsure)

    def read_once(self, crops: Sequence[Crop]) -> list[Decoded]:
        """Return the surest reading of each crop, where there is only one crop of each text."""
        votes, _ = self.read(crops)
        return [max(each, key=lambda vote: vote.certainty).reading for each in votes]

    def _votes_line_by_line(self, read: _ReadFn, crops: Sequence[np.ndarray], decode: DecodeFn | None) -> list[Vote]:
        """Return the vote of the last reader for each crop; those that hold two lines are read line by line.

        With a pattern or a lexicon (``decode``) a text is one line.
        """
        votes = [self._vote(reading) for reading in read(crops, decode)]
        if decode is not None:
            return votes
        unsure = [i for i, vote in enumerate(votes) if vote.certainty < TWO_LINES.max_certainty]
        parts = {i: lines for i in unsure if (lines := split_lines(crops[i])) is not None}
        if not parts:
            return votes
        readings = iter(read([line for lines in parts.values() for line in lines], None))
        for i in parts:
            joined = join_lines([next(readings), next(readings)])
            if joined is not None and (vote := self._vote(joined)).certainty > votes[i].certainty:
                votes[i] = vote
        return votes

    def _read_second(self, second: Recognizer, crops: Sequence[np.ndarray], decode: DecodeFn | None) -> list[Decoded]:
        return [self._rescaled(reading) for reading in second.read(crops, decode)]

    def _loaded_second(self) -> Recognizer:
        if self._second is None:
            assert self._load_second is not None
            self._second = self._load_second()
        if self._second_modes is None:
            self._second_modes = source_decoders(self._settings, self._second.charset)
        return self._second

    def _vote(self, reading: Decoded) -> Vote:
        certainty = joint_probability(calibrate(reading.char_confidences, self._temperature)) if reading.text else 0.0
        return Vote(reading, certainty)

    def _rescaled(self, reading: Decoded) -> Decoded:
        """Return the reading with confidences as the first recogniser would give them, for all that follows."""
        ratio = self._thresholds.temperature / self._temperature
        return make_decoded(reading.text, calibrate(reading.char_confidences, ratio)) if reading.text else reading

    def _with_second(self, first: Vote, second: Vote) -> list[Vote]:
        """Return both votes, or one if the readers agree but for spaces: the first is the better one at those."""
        if first.reading.text and without_spaces(first.reading.text) == without_spaces(second.reading.text):
            return [self._vote(merge_agreeing([first.reading, second.reading]))]
        return [first, second]

    def _weighed(self, votes: list[Vote]) -> list[Vote]:
        """Return the votes of both readers, the one with the less likely words with less certainty."""
        if self._language_model is None or len(votes) < 2 or not all(vote.reading.text for vote in votes):
            return votes
        scores_V = np.array(self._language_model.text_scores([vote.reading.text for vote in votes]))
        shares_V = np.exp(self._thresholds.language_model_weight * (scores_V - scores_V.max()))
        return [
            Vote(vote.reading, vote.certainty * share) for vote, share in zip(votes, shares_V.tolist(), strict=True)
        ]


def load_readers(settings: Settings) -> Readers:
    """Return the recognisers that these settings select, ready to run. Raises WeightsError and DeviceError."""
    preset = presets.select_preset(settings)
    uses_preset_margin = settings.recognition.margin == preset.crop_margin  # else the settings give one for all
    return Readers(
        zoo.load_recognizer(settings),
        settings,
        first_margin=preset.recognizer.margin if uses_preset_margin else None,
        load_second=partial(zoo.load_second_reader, settings) if preset.second_reader else None,
        language_model=zoo.load_language_model(settings.recognition) if preset.second_reader else None,
    )


def trimmed(crop: Crop, margin: float | None) -> np.ndarray:
    """Return the pixels of a crop with a smaller margin, in box heights; None, or a larger one, changes nothing."""
    if margin is None or margin >= crop.margin:
        return crop.pixels
    height, width = crop.pixels.shape
    edge = round(height * (crop.margin - margin) / (1 + 2 * crop.margin))
    if not edge or width <= 2 * edge + 1:
        return crop.pixels
    return crop.pixels[edge : height - edge, edge : width - edge]
