"""From a recogniser's scores to text: connectionist temporal classification (Graves et al., ICML 2006).

Scores are probabilities ``p_TC``, one row a step, rows summing to one, class 0 the blank.
"""

from collections.abc import Callable, Sequence
from heapq import nlargest
from typing import NamedTuple

import numpy as np

from stream_ocr.models.recognition.charset import BLANK, Charset

_LEAST = 1e-12
_WORTH_TRYING = 1e-4  # classes below are not tried by the beam, unless they are among the best few of their step
_ALWAYS_TRIED = 8
_STEPS_TO_RESCALE = 8


class Decoded(NamedTuple):
    """A reading. `confidence` is the geometric mean of `char_confidences`, one probability per character; 0 for no text."""

    text: str
    confidence: float
    char_confidences: tuple[float, ...]


NOTHING = Decoded("", 0.0, ())

Transcribe = Callable[[np.ndarray], Decoded]
"""From scores p_TC to a reading."""


def decoded(text: str, char_confidences: Sequence[float]) -> Decoded:
    """A reading from the confidence of its characters."""
    if not text:
        return NOTHING
    return Decoded(text, confidence(char_confidences), tuple(map(float, char_confidences)))


def confidence(char_confidences: Sequence[float]) -> float:
    """Of several characters together: their geometric mean."""
    return float(np.exp(np.log(np.maximum(char_confidences, _LEAST)).mean()))


def weakest(text: str, char_confidences: Sequence[float]) -> float:
    """Of the letter that is read least surely, 0 of no text: the mean would hide one that is wrong in a line."""
    return min((sure for c, sure in zip(text, char_confidences, strict=True) if not c.isspace()), default=0.0)


def greedy(p_TC: np.ndarray, charset: Charset) -> Decoded:
    """The best class of every step, repeats collapsed, blanks dropped.

    A character's confidence is the highest probability in its run.
    """
    return best_path(p_TC, charset)[0]


def best_path(p_TC: np.ndarray, charset: Charset) -> tuple[Decoded, np.ndarray]:
    """The reading of ``greedy``, and the steps (N, 2) from and to which each of its characters runs."""
    if p_TC.ndim != 2 or p_TC.shape[1] != len(charset):
        raise ValueError(f"scores of shape {p_TC.shape} do not fit a charset of {len(charset)} classes")
    best_T = p_TC.argmax(axis=1)
    if not best_T.any():  # BLANK is 0
        return NOTHING, np.zeros((0, 2), int)
    starts = np.flatnonzero(np.concatenate(([True], best_T[1:] != best_T[:-1])))
    runs = best_T[starts]
    inked = runs != BLANK
    peaks = np.maximum.reduceat(p_TC[np.arange(len(best_T)), best_T], starts)[inked]
    spans = np.stack([starts, np.append(starts[1:], len(best_T))], axis=1)[inked]
    return decoded(charset.decode(runs.tolist()), peaks), spans


def beam_search(
    p_TC: np.ndarray, charset: Charset, *, width: int, allows: Callable[[str, bool], bool] | None = None
) -> Decoded:
    """The most probable text, all ways of spelling it out taken together, among ``width`` that are kept at a time.

    allows: whether a text may be read, told the text and whether it is whole; a text that is not may grow further.
    """
    plain, _ = best_path(p_TC, charset)
    beams: dict[str, tuple[float, float]] = {"": (1.0, 0.0)}  # probability of ending in a blank, and in a letter
    known: dict[str, bool] = {}
    for p_C in p_TC:
        grown: dict[str, list[float]] = {}
        tried = [(charset.characters[i - 1], float(p_C[i])) for i in _worth_trying(p_C)]
        for text, (blank, letter) in beams.items():
            both = blank + letter
            stays = grown.setdefault(text, [0.0, 0.0])
            stays[0] += both * float(p_C[BLANK])
            for character, p in tried:
                repeats = text.endswith(character)
                if repeats:
                    stays[1] += letter * p
                mass = (blank if repeats else both) * p
                longer = text + character
                if allows is not None and longer not in known:
                    known[longer] = allows(longer, False)
                if mass > 0 and known.get(longer, True):
                    grown.setdefault(longer, [0.0, 0.0])[1] += mass
        best = nlargest(width, grown.items(), key=lambda item: sum(item[1]))
        most = max(sum(best[0][1]), 1e-300)
        beams = {text: (blank / most, letter / most) for text, (blank, letter) in best}
    whole = [text for text in beams if allows is None or allows(text, True)]
    if not whole:
        return NOTHING
    text = max(whole, key=lambda text: sum(beams[text]))
    return plain if text == plain.text else decoded(text, peaks(p_TC, charset.encode(text)))


def _worth_trying(p_C: np.ndarray) -> list[int]:
    best = np.argpartition(p_C, -_ALWAYS_TRIED)[-_ALWAYS_TRIED:] if len(p_C) > _ALWAYS_TRIED else np.arange(len(p_C))
    more = np.flatnonzero(p_C > _WORTH_TRYING)
    return [int(i) for i in np.union1d(best, more) if i != BLANK]


def log_likelihoods(p_TA: np.ndarray, codes_NL: np.ndarray, lengths_N: np.ndarray) -> np.ndarray:
    """Log probability (N,) of each of N texts, all at once by the forward algorithm.

    p_TA: scores of the classes that the texts use, the blank first. codes_NL: the texts as columns of p_TA, filled up
    with anything. lengths_N: their lengths.
    """
    count, longest = codes_NL.shape
    states_NS = np.zeros((count, 2 * longest + 1), np.intp)
    states_NS[:, 1::2] = codes_NL
    may_skip_NS = np.zeros(states_NS.shape)
    may_skip_NS[:, 3::2] = states_NS[:, 3::2] != states_NS[:, 1:-2:2]
    p_TA = np.maximum(p_TA, _LEAST)
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
            most_N = np.maximum(alpha_NS.max(axis=1), 1e-300)
            alpha_NS /= most_N[:, None]
            log_N += np.log(most_N)
    rows = np.arange(count)
    ends_N = alpha_NS[rows, 2 * lengths_N] + np.where(lengths_N > 0, alpha_NS[rows, 2 * lengths_N - 1], 0.0)
    return np.asarray(np.log(np.maximum(ends_N, 1e-300)) + log_N)


def peaks(p_TC: np.ndarray, ids: Sequence[int]) -> list[float]:
    """The highest probability of each class along the best alignment of a text; 0 for all if it does not fit."""
    states_S = np.zeros(2 * len(ids) + 1, int)
    states_S[1::2] = ids
    may_skip_S = np.zeros(len(states_S), bool)
    may_skip_S[3::2] = states_S[3::2] != states_S[1:-2:2]
    log_TS = np.log(np.maximum(p_TC[:, states_S], _LEAST))
    score_S = np.full(len(states_S), -np.inf)
    score_S[:2] = log_TS[0, :2]
    came_TS = np.zeros(log_TS.shape, int)
    for t in range(1, len(log_TS)):
        one_S, two_S = np.full_like(score_S, -np.inf), np.full_like(score_S, -np.inf)
        one_S[1:], two_S[2:] = score_S[:-1], np.where(may_skip_S[2:], score_S[:-2], -np.inf)
        ways = np.stack([score_S, one_S, two_S])
        came_TS[t] = ways.argmax(axis=0)
        score_S = ways.max(axis=0) + log_TS[t]
    state = len(states_S) - 1 if score_S[-1] >= score_S[-2:].max() else len(states_S) - 2
    highest = [0.0] * len(ids)
    if not np.isfinite(score_S[state]):
        return highest
    for t in range(len(log_TS) - 1, -1, -1):
        if state % 2:
            highest[state // 2] = max(highest[state // 2], float(p_TC[t, states_S[state]]))
        state -= int(came_TS[t, state])
    return highest
