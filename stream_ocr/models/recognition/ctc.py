"""CTC decoding: from a recogniser's probabilities to text (Graves et al., ICML 2006).

Probabilities are ``p_TC``: a row for each step, rows summing to one, class 0 the blank.
"""

import math
from collections.abc import Callable, Sequence
from heapq import nlargest
from typing import NamedTuple

import numpy as np

from stream_ocr.models.recognition.charset import BLANK, Charset
from stream_ocr.models.recognition.thresholds import THRESHOLDS

# Numerical guards.
_MIN_PROBABILITY = 1e-12
_TINY = 1e-300
_STEPS_TO_RESCALE = 8


class Decoded(NamedTuple):
    """A reading of one line.

    confidence: geometric mean of ``char_confidences``, which has one probability per character; 0 for no text.
    """

    text: str
    confidence: float
    char_confidences: tuple[float, ...]


NO_TEXT = Decoded("", 0.0, ())

DecodeFn = Callable[[np.ndarray], Decoded]
"""Turns probabilities p_TC into a reading."""


def make_decoded(text: str, char_confidences: Sequence[float]) -> Decoded:
    """Return a reading from a text and the confidence of each of its characters."""
    if not text:
        return NO_TEXT
    return Decoded(text, mean_confidence(char_confidences), tuple(map(float, char_confidences)))


def mean_confidence(char_confidences: Sequence[float]) -> float:
    """Return the geometric mean of the confidences of several characters."""
    return float(np.exp(np.log(np.maximum(char_confidences, _MIN_PROBABILITY)).mean()))


def min_char_confidence(text: str, char_confidences: Sequence[float]) -> float:
    """Return the confidence of the least sure character that is not a space; 0 for no text.

    The mean would hide one wrong character in a long line.
    """
    return min((sure for c, sure in zip(text, char_confidences, strict=True) if not c.isspace()), default=0.0)


def greedy(p_TC: np.ndarray, charset: Charset) -> Decoded:
    """Return the best path: the best class of every step, with repeats collapsed and blanks dropped.

    A character's confidence is the highest probability in its run.
    """
    return best_path(p_TC, charset)[0]


def best_path(p_TC: np.ndarray, charset: Charset) -> tuple[Decoded, np.ndarray]:
    """Return the reading of ``greedy``, and the steps (N, 2) at which each of its characters begins and ends.

    Raise ValueError when the number of classes is not that of the charset.
    """
    if p_TC.ndim != 2 or p_TC.shape[1] != len(charset):
        raise ValueError(f"scores of shape {p_TC.shape} do not fit a charset of {len(charset)} classes")
    best_T = p_TC.argmax(axis=1)
    if not best_T.any():  # BLANK is 0
        return NO_TEXT, np.zeros((0, 2), int)
    starts = np.flatnonzero(np.concatenate(([True], best_T[1:] != best_T[:-1])))
    runs = best_T[starts]
    is_char = runs != BLANK
    peaks = np.maximum.reduceat(p_TC[np.arange(len(best_T)), best_T], starts)[is_char]
    spans = np.stack([starts, np.append(starts[1:], len(best_T))], axis=1)[is_char]
    return make_decoded(charset.decode(runs.tolist()), peaks), spans


def beam_search(
    p_TC: np.ndarray, charset: Charset, *, width: int, allows: Callable[[str, bool], bool] | None = None
) -> Decoded:
    """Return the most probable text, summed over all its alignments, found with a prefix beam of ``width``.

    allows: constraint on the text; called as ``allows(prefix, False)`` while a prefix may grow, which must be True if
    any extension is allowed, and as ``allows(text, True)`` for the final text.
    """
    best, _ = best_path(p_TC, charset)
    found = prefix_beam(p_TC, charset, width=width, allows=allows)
    texts = [text for text in found if allows is None or allows(text, True)]
    if not texts:
        return NO_TEXT
    text = max(texts, key=lambda text: found[text])
    return best if text == best.text else make_decoded(text, alignment_peaks(p_TC, charset.encode(text)))


def prefix_beam(
    p_TC: np.ndarray,
    charset: Charset,
    *,
    width: int,
    allows: Callable[[str, bool], bool] | None = None,
    min_probability: float = THRESHOLDS.beam_min_probability,
    min_classes: int = THRESHOLDS.beam_min_classes,
) -> dict[str, float]:
    """Return up to ``width`` of the most probable texts with their log probabilities, summed over their alignments.

    allows: constraint on prefixes, as in ``beam_search``. min_probability, min_classes: a step tries classes from this
    probability on, and so many of its best.
    """
    beams: dict[str, tuple[float, float]] = {"": (1.0, 0.0)}  # probability of ending in a blank, and in a character
    allowed: dict[str, bool] = {}
    log_scale = 0.0
    for p_C, classes in zip(p_TC, _candidate_classes(p_TC, min_probability, min_classes), strict=True):
        extended: dict[str, list[float]] = {}
        candidates = [(charset.characters[i - 1], float(p_C[i])) for i in classes.tolist() if i != BLANK]
        p_blank_now = float(p_C[BLANK])
        for prefix, (p_blank, p_char) in beams.items():
            p_prefix = p_blank + p_char
            unchanged = extended.setdefault(prefix, [0.0, 0.0])
            unchanged[0] += p_prefix * p_blank_now
            for character, p in candidates:
                repeats = prefix.endswith(character)
                if repeats:
                    unchanged[1] += p_char * p
                p_extended = (p_blank if repeats else p_prefix) * p
                longer = prefix + character
                if allows is not None and longer not in allowed:
                    allowed[longer] = allows(longer, False)
                if p_extended > 0 and allowed.get(longer, True):
                    extended.setdefault(longer, [0.0, 0.0])[1] += p_extended
        kept = nlargest(width, extended.items(), key=lambda item: sum(item[1]))
        scale = max(sum(kept[0][1]), _TINY)
        log_scale += math.log(scale)
        beams = {prefix: (p_blank / scale, p_char / scale) for prefix, (p_blank, p_char) in kept}
    return {text: math.log(max(sum(ends), _TINY)) + log_scale for text, ends in beams.items()}


def _candidate_classes(p_TC: np.ndarray, min_probability: float, min_classes: int) -> list[np.ndarray]:
    """Return the classes that the beam search tries at each step."""
    tried_TC = p_TC > min_probability
    best = -min(min_classes, p_TC.shape[1])
    np.put_along_axis(tried_TC, np.argpartition(p_TC, best, axis=1)[:, best:], values=True, axis=1)
    return [np.flatnonzero(tried_C) for tried_C in tried_TC]


def log_likelihoods(p_TA: np.ndarray, codes_NL: np.ndarray, lengths_N: np.ndarray) -> np.ndarray:
    """Return the log probability (N,) of each of N texts, all at once, by the forward algorithm.

    p_TA: probabilities of the classes that the texts use, the blank first. codes_NL: the texts as columns of p_TA, with
    any padding. lengths_N: their lengths.
    """
    count, longest = codes_NL.shape
    states_NS = np.zeros((count, 2 * longest + 1), np.intp)
    states_NS[:, 1::2] = codes_NL
    may_skip_NS = np.zeros(states_NS.shape)
    may_skip_NS[:, 3::2] = states_NS[:, 3::2] != states_NS[:, 1:-2:2]
    p_TA = np.maximum(p_TA, _MIN_PROBABILITY)
    alpha_NS, log_N = np.zeros(states_NS.shape), np.zeros(count)
    alpha_NS[:, 0] = 1.0  # before the first step
    for t, p_A in enumerate(p_TA):
        moved_NS = alpha_NS.copy() if t else np.zeros_like(alpha_NS)
        if t == 0:
            moved_NS[:, :2] = 1.0
        else:
            moved_NS[:, 1:] += alpha_NS[:, :-1]
            moved_NS[:, 2:] += alpha_NS[:, :-2] * may_skip_NS[:, 2:]
        alpha_NS = moved_NS * p_A[states_NS]
        if t % _STEPS_TO_RESCALE == _STEPS_TO_RESCALE - 1:
            scale_N = np.maximum(alpha_NS.max(axis=1), _TINY)
            alpha_NS /= scale_N[:, None]
            log_N += np.log(scale_N)
    rows = np.arange(count)
    ends_N = alpha_NS[rows, 2 * lengths_N] + np.where(lengths_N > 0, alpha_NS[rows, 2 * lengths_N - 1], 0.0)
    return np.asarray(np.log(np.maximum(ends_N, _TINY)) + log_N)


def alignment_peaks(p_TC: np.ndarray, ids: Sequence[int]) -> list[float]:
    """Return the highest probability of each class along the best alignment (Viterbi) of a text.

    ids: classes of the text. All are 0 if the text is too long to be aligned.
    """
    states_S = np.zeros(2 * len(ids) + 1, int)
    states_S[1::2] = ids
    may_skip_S = np.zeros(len(states_S), bool)
    may_skip_S[3::2] = states_S[3::2] != states_S[1:-2:2]
    log_TS = np.log(np.maximum(p_TC[:, states_S], _MIN_PROBABILITY))
    score_S = np.full(len(states_S), -np.inf)
    score_S[:2] = log_TS[0, :2]
    steps_back_TS = np.zeros(log_TS.shape, int)
    for t in range(1, len(log_TS)):
        one_S, two_S = np.full_like(score_S, -np.inf), np.full_like(score_S, -np.inf)
        one_S[1:], two_S[2:] = score_S[:-1], np.where(may_skip_S[2:], score_S[:-2], -np.inf)
        options = np.stack([score_S, one_S, two_S])
        steps_back_TS[t] = options.argmax(axis=0)
        score_S = options.max(axis=0) + log_TS[t]
    state = len(states_S) - 1 if score_S[-1] >= score_S[-2:].max() else len(states_S) - 2
    peaks = [0.0] * len(ids)
    if not np.isfinite(score_S[state]):
        return peaks
    for t in range(len(log_TS) - 1, -1, -1):
        if state % 2:
            peaks[state // 2] = max(peaks[state // 2], float(p_TC[t, states_S[state]]))
        state -= int(steps_back_TS[t, state])
    return peaks
