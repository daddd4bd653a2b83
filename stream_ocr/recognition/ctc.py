"""From a recogniser's scores to text: connectionist temporal classification (Graves et al., ICML 2006)."""

from typing import NamedTuple

import numpy as np

from stream_ocr.recognition.charset import BLANK, Charset


class Decoded(NamedTuple):
    """A reading. `confidence` is the geometric mean of `characters`, one probability per character; 0 for no text."""

    text: str
    confidence: float
    characters: tuple[float, ...]


NOTHING = Decoded("", 0.0, ())


def greedy(p_TC: np.ndarray, charset: Charset) -> Decoded:
    """The best class of every step, repeats collapsed, blanks dropped.

    `p_TC` are probabilities (rows sum to one). A character's confidence is the highest probability in its run.
    """
    if p_TC.ndim != 2 or p_TC.shape[1] != len(charset):
        raise ValueError(f"scores of shape {p_TC.shape} do not fit a charset of {len(charset)} classes")
    best_T = p_TC.argmax(axis=1)
    if not best_T.any():  # BLANK is 0
        return NOTHING
    starts = np.flatnonzero(np.concatenate(([True], best_T[1:] != best_T[:-1])))
    runs = best_T[starts]
    peaks = np.maximum.reduceat(p_TC[np.arange(len(best_T)), best_T], starts)[runs != BLANK]
    confidence = float(np.exp(np.log(np.maximum(peaks, 1e-12)).mean()))
    return Decoded(charset.decode(runs.tolist()), confidence, tuple(float(p) for p in peaks))
