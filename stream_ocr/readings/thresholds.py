"""Tuning values for combining, comparing and reporting readings, one frozen dataclass per concern.

Confidences are probabilities, 0 to 1, as the recogniser gives them, before calibration. Unless a field says otherwise
its value was chosen by hand and checked on the generated scenario suite (``tests/scenarios``).
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class WordFilterThresholds:
    """Words of a reading that are kept, and strings that count as text (``word_filter.py``)."""

    sure_confidence: float = 0.85
    """Mean confidence of a word beside which unsure words are dropped."""

    unsure_confidence: float = 0.7
    """Mean confidence below which a word at an end of the line is dropped."""

    min_sure_letters: int = 2
    """Letters and digits that the sure word must have."""

    min_repeated_share: float = 0.75
    """Share of one letter from which a string of letters may be a row of windows."""

    min_discs: int = 4
    """Zeros from which they may be a row of discs, such as the balls of an over on a real score board."""

    min_alphanumeric_share: float = 0.4
    """Share of letters and digits from which a string is text; excludes rows of dots."""


@dataclass(frozen=True, slots=True)
class SimilarityThresholds:
    """Differences of two readings that may be of the same text (``similarity.py``)."""

    long_text: int = 6
    """Number of characters from which a few may be misread."""

    min_agreement: float = 0.6
    """Share of the characters of the longer reading that must agree."""

    sure_confidence: float = 0.9
    """Confidence from which characters of a long text are sure."""

    sure_new_confidence: float = 0.8
    """Confidence from which the new characters of a short text, or digits, are sure."""


@dataclass(frozen=True, slots=True)
class UpdateThresholds:
    """Comparison of a new reading with the reported one (``update_policy.py``; decision 0018)."""

    min_improvement: float = 0.02
    """Increase of the lowest character confidence that makes a reading better."""

    min_added_confidence: float = 0.8
    """Mean confidence that characters must have to be added to a text."""

    cut_confidence: float = 0.7
    """A shorter reading whose lowest character confidence is below this may be cut through a letter."""

    min_cut_decrease: float = 0.1
    """Decrease of the lowest character confidence that it must show as well."""

    max_kept_length_change: float = 0.5
    """Letters by which the length of a line may vary that has kept all its letters. Checked on a real lyrics video."""

    min_motion: float = 1.0
    """Heights by which a text must have moved to be something in the scene, which does not change its letters."""

    min_blurred_similarity: float = 0.5
    """Similarity (difflib) of two readings from which the less sure one may be the same text, blurred by its motion."""

    growth_s: float = 0.75
    """Time in seconds after its start in which a text may still fade in or be written."""

    min_growth: int = 2
    """Characters by which such a text becomes longer."""

    fragment_overlap: float = 0.5
    """Share of a box within that of another text from which it may be a fragment of it."""

    fragment_similarity: float = 0.7
    """Similarity of both texts (``difflib`` ratio) from which it is a fragment."""


@dataclass(frozen=True, slots=True)
class ReportThresholds:
    """Conditions for a reading to become an event (``event_builder.py``)."""

    min_flight: float = 1.0
    """Distance in heights that such a flight has at least."""

    max_flight_s: float = 0.6
    """Longest time in seconds in which a text flies to where it then rests, or away from there: its place is where it
    rests. Chosen on titles in a real clip."""

    clear_confidence: float = 0.9
    """Confidence from which a text is reported after one reading."""

    min_readings: int = 2
    """Number of readings after which any text is reported."""

    min_glyph_confidence: float = 0.97
    """Confidence that a single glyph needs: poles and windows read like letters."""

    short_text: int = 4
    """Number of characters below which a text is short."""

    min_short_confidence: float = 0.8
    """Confidence that a short text needs."""

    min_single_reading_confidence: float = 0.75
    """Confidence that a longer text needs if it was read only once."""

    max_remnant_s: float = 0.5
    """Seconds for which the rest of a text that is wiped out is no text of its own."""

    max_fragment_s: float = 0.5
    """Seconds for which a fragment of a text is no text of its own after the text has gone (decision 0018)."""

    min_counter_ticks: int = 3
    """Number of changes of digits alone after which a text counts as a display and is an overlay."""


@dataclass(frozen=True, slots=True)
class ContinuationThresholds:
    """A text that goes on as another track (``continuations.py``).

    Chosen on a real news clip at 12.5 and 60 frames a second, in which a graphic flies over a subtitle.
    """

    max_gap_s: float = 0.2
    """Seconds for which nothing may show the text. Captions that follow each other are at least two frames apart."""

    max_gap_in_motion_s: float = 1.0
    """The same for a text that moves: as long as the tracker waits for it. Chosen on a real sign, panned over at 12.5
    frames a second."""

    min_motion: float = 0.5
    """Heights by which a text must move on during the gap to count as moving."""

    max_distance: float = 0.7
    """Heights by which each corner of a text may be off the place where it is expected."""

    max_distance_long: float = 3.0
    """The same for a long text: a short one may also stand beside itself, as on score boards. Chosen on a real title
    that flies out at 12.5 frames a second."""

    long_text: int = 6
    """Number of characters from which a text is long."""


@dataclass(frozen=True, slots=True)
class ComparisonThresholds:
    """Comparison of two crops of one text (``crop_comparison.py``)."""

    height_px: int = 48
    """Height at which crops are compared."""

    window_px: int = 24
    """Width of a window: about one letter."""

    step_px: int = 12
    """Distance of windows: half a letter."""

    edge_px: int = 6
    """Pixels of a crop that only serve as neighbourhood, above, below and at its ends."""

    min_std: float = 1.0
    """Standard deviation in grey levels below which a window is empty."""

    same_score: float = 0.93
    """Correlation from which a letter may be the same."""

    max_outlier: float = 4.0
    """Multiples of the usual lack of correlation that a letter that is the same may have."""

    max_difference: float = 0.02
    """Lack of correlation that it may have in addition."""

    min_decrease: float = 0.05
    """Correlation by which a letter that has changed must be lower than anything else in the line."""

    min_contrast: float = 0.3
    """Standard deviation relative to that of the crop below which a window is a gap between words."""

    sure_certainty: float = 0.9
    """Probability of both readings from which they are trusted although the pixels cannot decide."""

    scales: tuple[float, ...] = (1.0, 0.93, 1.07, 0.86, 1.15)
    """Sizes that are tried: heights of the boxes of one text differ by so much."""


@dataclass(frozen=True, slots=True)
class CounterThresholds:
    """Prediction of clocks and counters (``counter.py``)."""

    min_texts: int = 3
    """Number of texts that must have grown evenly."""

    max_deviation: float = 0.2
    """Steps of the number by which one of them may be early or late, and the prediction, too."""

    prior: float = 0.95
    """Probability that a predicted character is right."""

    alternatives: float = 3.0
    """Number of characters that an unsure one may be instead, equally likely."""

    min_posterior: float = 0.5
    """Probability from which a character is corrected."""


@dataclass(frozen=True, slots=True)
class CorrectionThresholds:
    """Corrections by the user (``corrections.py``). Chosen by hand."""

    timeout_s: float = 0.1
    """Processor time in seconds that the replacements in one text may take."""

    cached_texts: int = 256
    """Number of corrected texts that are kept: a text is corrected in every frame that shows it."""


@dataclass(frozen=True, slots=True)
class SecondReaderThresholds:
    """Which crops the second reader reads as well (``second_reader.py``; decision 0020).

    Tuned on 3,208 real word and line crops that the recogniser was not trained on: ICDAR 2015 and IIIT5K (validation
    parts), ICDAR 2003, SVT, number plates, SROIE.
    """

    min_certainty: float = 0.9
    """Calibrated probability that a whole text is right, from which the first reading needs no second one."""

    temperature: float = 1.4
    """Temperature of the second reader's confidences beside the built-in ones; alone, that of its preset applies."""

    language_model_weight: float = 0.12
    """Weight of the language model in the choice between the readers, beside that in each of them (recognition's
    ``LANGUAGE_MODEL.weight``). Tuned on the validation sets of docs/training.md; 0.1 to 0.2 are as good, and from 0.3
    on number plates and ICDAR 2015 lose."""


@dataclass(frozen=True, slots=True)
class TwoLinesThresholds:
    """Crops that may hold two lines (``two_lines.py``).

    Chosen on 7,072 real crops of one line (IIIT5K, ICDAR 2003 and 2015, SVT, sets of receipts), of which one is read
    as two, and on 300 pairs of them, one below the other (decision 43).
    """

    max_certainty: float = 0.5
    """Certainty of a reading from which a crop holds one line."""

    min_confidence: float = 0.9
    """Mean confidence of the characters of each line; both together must also be more certain than the whole crop."""

    min_aspect: float = 1.0
    """Width relative to the height: two lines of two or three letters."""

    max_aspect: float = 4.0
    """The same for two lines of a dozen letters. Longer crops take 60 ms each: at 8, a clip took twice as long."""

    min_letters: int = 3
    """Letters that each line must have."""

    cut_between: tuple[float, float] = (0.4, 0.6)
    """Shares of the height between which the lines meet."""


WORD_FILTER = WordFilterThresholds()
SIMILARITY = SimilarityThresholds()
UPDATE = UpdateThresholds()
REPORT = ReportThresholds()
CONTINUATION = ContinuationThresholds()
COMPARISON = ComparisonThresholds()
COUNTER = CounterThresholds()
CORRECTIONS = CorrectionThresholds()
SECOND_READER = SecondReaderThresholds()
TWO_LINES = TwoLinesThresholds()
