"""Score events as tracks: CLEAR-MOT and identity measures, as in papers on video text spotting.

An object is a true word; a track is a word of a text that events report, from its appearance or change to its next
change or its end. They correspond at a moment if they are spelt alike and stand in the same place. Moments are samples
at a fixed rate, so that the frame rate of a video does not count.

CLEAR-MOT (Bernardin and Stiefelhagen, 2008): a correspondence holds as long as it is valid, the other words are
assigned anew at each moment. MOTA = 1 − (misses + false positives + identity switches) / true words, over all moments.

Identities (Ristani et al., 2016): each object is assigned to one track for the whole video, so that most moments
correspond. IDF1 = 2 × corresponding moments / (moments of objects + moments of tracks).

Unread "hard" words and words in ignored places count in neither.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import linear_sum_assignment

from stream_ocr.evaluation.event_score import rounded
from stream_ocr.evaluation.timed_text import TimedText, agreement, moments, predicted_texts
from stream_ocr.evaluation.truth import Truth
from stream_ocr.evaluation.words import Word, best_readings, words_of
from stream_ocr.events import Event


@dataclass(frozen=True)
class TrackScore:
    """Track measures of one video. mota: None without true words. idf1: None without any words."""

    mota: float | None
    idf1: float | None
    id_switches: int

    def metrics(self) -> dict[str, Any]:
        """Return the rounded numbers for JSON."""
        return {"mota": rounded(self.mota), "idf1": rounded(self.idf1), "id_switches": self.id_switches}


@dataclass(frozen=True)
class _Samples:
    """Visibility at N moments, as booleans.

    true: (true words, N). predicted: (predicted words, N). excused: predicted words in ignored places, (predicted
    words, N). hard: (true words,). valid: (N,), by true word i and predicted word j: when these correspond.
    """

    true: np.ndarray
    predicted: np.ndarray
    excused: np.ndarray
    hard: np.ndarray
    valid: Mapping[tuple[int, int], np.ndarray]


def track_score(truth: Truth, events: Iterable[Event]) -> TrackScore:
    """Return the track measures of events against the truth about their video."""
    predicted = words_of(predicted_texts(events, truth.duration_s))
    lines = best_readings(truth.lines, predicted)
    samples = _sample(words_of(lines), predicted, [*truth.ignored, *(line for line in lines if line.hard)])
    mota, switches = _clear_mot(samples)
    return TrackScore(mota, _idf1(samples), switches)


def _sample(true: Sequence[Word], predicted: Sequence[Word], excuses: Sequence[TimedText]) -> _Samples:
    times = moments(word.text for word in (*true, *predicted))
    excused = {text: agreement(text, excuses, times) for text in {word.text for word in predicted}}
    return _Samples(
        true=_rows((word.text.visible_at(times) for word in true), times),
        predicted=_rows((word.text.visible_at(times) for word in predicted), times),
        excused=_rows((excused[word.text] for word in predicted), times),
        hard=np.array([word.text.hard for word in true], bool),
        valid={
            (i, j): agreed
            for i, t in enumerate(true)
            for j, p in enumerate(predicted)
            if t.word == p.word and (agreed := agreement(p.text, [t.text], times)).any()
        },
    )


def _rows(rows: Iterable[np.ndarray], times: np.ndarray) -> np.ndarray:
    return np.vstack([np.zeros((0, len(times)), bool), *rows])


def _clear_mot(samples: _Samples) -> tuple[float | None, int]:
    """Return MOTA, None without true words, and the number of identity switches."""
    latest: dict[int, int] = {}  # the track of each object, from its latest correspondence
    matched_true, matched_predicted = np.zeros_like(samples.true), np.zeros_like(samples.predicted)
    switches = 0
    for n in range(samples.true.shape[1]):
        valid = [pair for pair, at in samples.valid.items() if at[n]]
        kept = [(i, j) for i, j in valid if latest.get(i) == j]
        for i, j in (*kept, *_assign(valid, kept)):
            switches += latest.get(i, j) != j
            latest[i] = j
            matched_true[i, n] = matched_predicted[j, n] = True
    misses = (samples.true & ~matched_true)[~samples.hard].sum()
    false_positives = (samples.predicted & ~samples.excused & ~matched_predicted).sum()
    true = matched_true.sum() + misses
    return float(1 - (misses + false_positives + switches) / true) if true else None, switches


def _assign(valid: Sequence[tuple[int, int]], kept: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return as many valid pairs as possible, one to one, of words that are not in a kept pair."""
    taken_true, taken_predicted = ({pair[side] for pair in kept} for side in (0, 1))
    free = [(i, j) for i, j in valid if i not in taken_true and j not in taken_predicted]
    return _best_pairs(dict.fromkeys(free, 1.0))


def _idf1(samples: _Samples) -> float | None:
    """Return IDF1, None without objects and tracks."""
    counted = samples.predicted & ~samples.excused
    gains = {
        (i, j): float(at.sum() * (not samples.hard[i]) + (at & counted[j]).sum())
        for (i, j), at in samples.valid.items()
    }
    pairs = _best_pairs(gains)
    corresponding = sum(samples.valid[pair].sum() for pair in pairs)
    errors = samples.true[~samples.hard].sum() + counted.sum() - sum(gains[pair] for pair in pairs)
    return float(2 * corresponding / (2 * corresponding + errors)) if corresponding + errors else None


def _best_pairs(gains: Mapping[tuple[int, int], float]) -> list[tuple[int, int]]:
    """Return the one-to-one pairs with the largest sum of gains; those that gain nothing are left out."""
    if not gains:
        return []
    left, right = (sorted({pair[side] for pair in gains}) for side in (0, 1))
    matrix = np.zeros((len(left), len(right)))
    for (i, j), gain in gains.items():
        matrix[left.index(i), right.index(j)] = gain
    rows, columns = linear_sum_assignment(matrix, maximize=True)
    return [(left[r], right[c]) for r, c in zip(rows, columns, strict=True) if matrix[r, c] > 0]
