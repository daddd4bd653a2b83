"""Time-weighted character error rate: which share of the characters on the screen is reported wrongly at any moment.

At each moment, a true line is compared with the texts that are reported in its place: the pieces from left to right, or
the best one of them. Its errors are the edit distance, at most its length, which it has where nothing is reported. A
reported text in a place without a true line adds its length. The rate is the sum of errors over all moments divided by
the sum of true characters, so that late starts, late ends, misreadings, misses and false texts all count, by the time
that they last. It exceeds 1 where more is wrong than there is to read. Case and spaces do not count.
"""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from rapidfuzz.distance import Levenshtein

from stream_ocr.evaluation.timed_text import TimedText, agreement, moments, predicted_texts
from stream_ocr.evaluation.truth import Truth
from stream_ocr.evaluation.words import without_spaces
from stream_ocr.events import Event


def time_weighted_cer(truth: Truth, events: Iterable[Event]) -> float | None:
    """Return the time-weighted character error rate of events; None if the truth has no texts but "hard" ones."""
    texts = list(predicted_texts(events, truth.duration_s))
    times = moments([*truth.lines, *texts])
    placed = np.array([[agreement(text, [line], times) for text in texts] for line in truth.lines], bool)
    placed = placed.reshape(len(truth.lines), len(texts), len(times))
    wrong = total = 0
    for line, present in zip(truth.lines, placed, strict=True):
        if not line.hard:
            visible = line.visible_at(times)
            wrong += sum(_line_errors(line, texts, present[:, visible], times[visible]))
            total += len(without_spaces(line.text)) * int(visible.sum())
    for text, on_lines in zip(texts, np.logical_or.reduce(placed, axis=0), strict=True):
        false = text.visible_at(times) & ~on_lines & ~agreement(text, truth.ignored, times)
        wrong += len(without_spaces(text.text)) * int(false.sum())
    return wrong / total if total else None


def _line_errors(line: TimedText, texts: Sequence[TimedText], present: np.ndarray, times: np.ndarray) -> Iterator[int]:
    """Yield the errors of a line at each moment (N,). present: which texts stand in its place, (texts, N)."""
    known: dict[tuple[str, ...], int] = {}
    for moment, time_s in zip(present.T, times, strict=True):
        there = [texts[n] for n in np.flatnonzero(moment).tolist()]
        pieces = tuple(text.text for text in sorted(there, key=lambda text: text.box_at(time_s)[0]))
        if pieces not in known:
            known[pieces] = _errors(line, pieces)
        yield known[pieces]


def _errors(line: TimedText, pieces: Sequence[str]) -> int:
    hypotheses = [without_spaces(piece) for piece in ("".join(pieces), *pieces)]
    references = [without_spaces(text) for text in line.accepted or (line.text,)]
    least = min(Levenshtein.distance(reference, text) for reference in references for text in hypotheses)
    return min(least, len(without_spaces(line.text)))
