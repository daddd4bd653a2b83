"""Tuning values of text recognition."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RecognitionThresholds:
    """Thresholds around the recogniser network; chosen by hand unless noted otherwise."""

    # Resizing
    area_min_scale: float = 1.4
    """Crops taller than this many times the input height are shrunk by area averaging, others by interpolation."""

    # Further attempts at an unsure line
    retry_min_confidence: float = 0.2
    """A reading below this confidence is not retried: it is seldom text."""
    retry_max_confidence: float = 0.97
    """A reading from this confidence on is not retried."""
    retry_trims_and_stretches: tuple[tuple[float, float], ...] = ((0.05, 1.18), (0.1, 1.0))
    """The further inputs: this share of the crop's height is trimmed from every side, and the input made this many
    times as wide. A third one, padded instead of trimmed, gains nothing."""
    retry_min_side_px: int = 12
    """Crops with a side of up to this many pixels are too small to trim and are not retried."""
    candidates: int = 16
    """Texts that are taken from each input of an unsure line, at most."""
    candidate_min_probability: float = 3e-3
    """Classes below this probability are not tried at a step of the search for these texts."""

    # Confidence of a text
    length_exponent: float = 1 / 3
    """How much the errors of the characters of a text go together: 0, not at all; 1, a text is as likely right as its
    average character. Tuned on the validation sets of docs/training.md, 4,038 crops, with ``models: builtin`` and
    ``auto``: the calibration error falls from 7.6 and 3.3 % to 1.7 and 1.2 %; from 0.3 to 0.4 it is below 2.3 %."""

    # Splitting of lines that are too long for one input
    gap_height_ratio: float = 0.3
    """Width of the space between words, relative to the height of the line."""
    seam_height_ratio: float = 3.0
    """Width that is read again on each side of a cut, in heights of the line: three to eight letters."""
    seam_tolerance_ratio: float = 0.6
    """Maximum distance of a space from a cut, in heights of the line. With these two, all spaces at 178 cuts of
    generated lines were found, on plain and on striped ground (by contrast: all and 143), and in lines without spaces
    12 of 138 cuts got one, most after a full stop (by contrast: 14)."""

    # Beam search and patterns
    beam_min_probability: float = 1e-4
    """Classes below this probability are not tried at a step, unless they are among its best."""
    beam_min_classes: int = 8
    """So many of the best classes of a step are always tried."""
    pattern_min_beam: int = 16
    """Least beam width while readings must match a pattern."""
    pattern_timeout_s: float = 0.2
    """Maximum processor time for matching one text, in seconds. A line of 32 letters takes 15 ms with ``[\\w ]+``."""

    # Lexicon
    lexicon_max_candidates: int = 256
    """Words that are scored for one reading; the nearest by edit distance."""
    lexicon_max_length: int = 64
    """Longest word of a lexicon, in characters; longer ones are never read."""
    lexicon_max_log_loss: float = 5.0
    """Maximum log-probability that a word may lose against the reading and still replace it: a factor of 150.
    Tuned on labelled word crops (benchmarks/transcription.py): more gains nothing where the word is in the list, and
    ruins what is not."""

    # Prior for spaces, tuned on generated lines (see ``apply_space_prior``)
    space_boost: float = 4.0
    """Factor on the probability of a space where the letters are no farther apart than usual."""
    space_boost_per_gap: float = 4.0
    """Growth of that factor's logarithm for each further usual distance."""
    space_max_gap: float = 1.6
    """Largest distance that counts, in usual distances; beyond it a letter was most likely missed."""
    narrow_char_width: float = 0.55
    """Width of narrow characters, such as i, relative to other letters."""
    wide_char_width: float = 1.35
    """Width of wide characters, such as m, relative to other letters."""


@dataclass(frozen=True, slots=True)
class LanguageModelThresholds:
    """Assumptions of the language model about texts that are no words, and its weight.

    Costs are negative natural logarithms a character. Tuned on the labelled crops of SVT, ICDAR 2003 and ICDAR 2015,
    number plates and single characters (the validation sets of docs/training.md); the figures hardly depend on them.
    """

    weight: float = 0.4
    """Weight of the words' log probability; that of the network has 1. 0.3 to 0.5 are as good."""
    min_letters: int = 3
    """Shorter words are not judged: two letters may be any abbreviation."""
    unknown_share: float = 0.2
    """Probability that a word is a name or of another language."""
    unknown_cost: float = 2.8
    """Cost of each letter of such a word, and of its end."""
    space_cost: float = 1.5
    """Cost of a space, so that a name is not split into words."""
    unknown_letter_cost: float = 7.0
    """Cost of a letter that no training text has."""
    neutral_cost: float = 2.4
    """Average cost of a character in a known word. It is credited to every character, so that longer texts are not at
    a disadvantage."""
    short_word_cost: float = 2.5
    """Cost of a letter of a word that is not judged."""
    digit_cost: float = 2.8
    """Cost of a digit of a number."""
    code_cost: float = 3.5
    """Cost of a character of a word with both letters and digits."""
    punctuation_cost: float = 3.0
    """Cost of a punctuation mark."""


LANGUAGE_MODEL = LanguageModelThresholds()
THRESHOLDS = RecognitionThresholds()
