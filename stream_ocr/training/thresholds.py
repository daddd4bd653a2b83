"""Tuning values of both trainings, one frozen dataclass per concern; those of the data are in ``data/thresholds.py``.

What tells one training from another (rates, steps, batches) is in its configuration. Unless a field says otherwise its
value was chosen by hand and not searched for.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TargetThresholds:
    """Target maps of the detector (``targets.py``)."""

    threshold_low: float = 0.3
    """Threshold map far from an outline; DBNet (arXiv 1911.08947)."""

    threshold_high: float = 0.7
    """Threshold map on an outline; DBNet."""

    min_height_px: float = 7.0
    """Least text height at the size that the network sees; lower lines are neither learned nor counted."""


@dataclass(frozen=True, slots=True)
class LossWeights:
    """Losses of the detector (``losses.py``); weights and ratio as in the released code of DBNet."""

    bce: float = 5.0
    """Weight of the cross entropy of the probability map, relative to the dice losses."""

    threshold: float = 10.0
    """Weight of the L1 loss of the threshold map, relative to the dice losses."""

    negatives_per_positive: float = 3.0
    """Hardest background pixels that count, per text pixel."""

    pixels_per_negative: int = 200
    """At least one background pixel in so many counts, so that a batch without text teaches its worst false alarms."""


@dataclass(frozen=True, slots=True)
class CalibrationBounds:
    """Search for the temperature (``fit_temperature.py``)."""

    temperature: tuple[float, float] = (0.3, 5.0)
    """Range of the search; the weights that are shipped lie well inside it."""

    min_likelihood: float = 1e-6
    """Keeps the logarithm finite where a sure reading is wrong."""


@dataclass(frozen=True, slots=True)
class ValidationRecipe:
    """Validation sets of the recogniser (``recognizer_sets.py``).

    To change a value makes figures incomparable with those of the training log (``docs/lab/training-log.md``).
    """

    western_lines: int = 360
    """Subtitle lines in English, German and French together."""

    czech_lines: int = 120
    """Subtitle lines in Czech: as many as of each other language."""

    max_line_characters: int = 42
    """Longest subtitle line: a usual limit of subtitles."""

    chars74k_every: int = 5
    """Of so many single characters of Chars74K one is read, which leaves 600."""

    clip_repeats: int = 3
    """Maximum number of crops of one text of the clips: clocks and channel names recur in every frame."""

    procedural_share: float = 0.1
    """Share of the subtitles on generated surfaces instead of photographs."""


@dataclass(frozen=True, slots=True)
class ReportIntervals:
    """How often a training writes, and how much."""

    detector_steps: int = 50
    """Steps between two rows of losses in the curve of the detector."""

    exported_every: int = 40
    """One row of losses in so many goes into the exported curve, which has to stay small."""

    recognizer_s: float = 60.0
    """Time between two log lines of the recogniser, in seconds."""

    recognizer_loss_steps: int = 500
    """Steps over which the reported loss of the recogniser is averaged."""

    shown_pictures: int = 6
    """Pictures on the sheet of a validation of the detector."""


@dataclass(frozen=True, slots=True)
class LanguageModelTraining:
    """Recipe of the language model (``language_model.py``)."""

    order: int = 7
    """Letters of the longest n-grams; eight gain nothing."""

    temper: float = 0.5
    """Exponent of the counts of words; 0.25 is as good."""

    words_per_language: float = 1e5
    """Weight of all words of a language."""

    english_weight: float = 4.0
    """Weight of English, relative to another language."""

    reserve: float = 3.0
    """Weight that is kept for unseen letters after a context, for each kind of letter seen after it. Witten-Bell has 1,
    for counts of at least 1; the weights here are mostly smaller."""

    prune_below: float = 12.0
    """An n-gram stays if its absence costs more than this: its weight, times what the natural logarithm of its
    probability falls by."""


TARGETS = TargetThresholds()
LOSSES = LossWeights()
CALIBRATION = CalibrationBounds()
VALIDATION = ValidationRecipe()
REPORTS = ReportIntervals()
LANGUAGE_MODEL_TRAINING = LanguageModelTraining()
