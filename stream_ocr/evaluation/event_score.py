"""Score events word by word against a truth file.

Lines are split into words, so that cutting a line in two or joining two lines costs nothing. A predicted word matches a
true one of the same spelling (without case and outer punctuation) if it stands in the same place at the middle of their
common time and their spans have a temporal IoU of at least 0.5. Matches with a higher IoU are taken first.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from rapidfuzz.distance import Levenshtein

from stream_ocr.evaluation.thresholds import THRESHOLDS
from stream_ocr.evaluation.timed_text import (
    TimedText,
    coincide,
    overlap_centre_s,
    overlap_s,
    predicted_texts,
    same_place,
    temporal_iou,
)
from stream_ocr.evaluation.truth import Truth
from stream_ocr.evaluation.words import Word, best_readings, without_spaces, words_of
from stream_ocr.events import Event


@dataclass(frozen=True)
class Score:
    """Scores of one video. The errors are those of matched words, in milliseconds.

    cer: character error rate of the lines that were found at the right place and time; None if none was. duplicates:
    predicted spans per matched word, less one; 0 when every text is reported once.
    """

    video: str
    true_words: int
    predicted_words: int
    paired: int
    precision: float
    recall: float
    f1: float
    cer: float | None
    duplicates: float | None
    start_errors_ms: tuple[float, ...]
    end_errors_ms: tuple[float, ...]
    missed: tuple[Word, ...]
    extra: tuple[Word, ...]

    def metrics(self) -> dict[str, Any]:
        """Return the rounded numbers for JSON, errors as [median, 95th percentile]."""
        counts = {"true_words": self.true_words, "predicted_words": self.predicted_words, "paired": self.paired}
        ratios = {name: rounded(getattr(self, name)) for name in ("precision", "recall", "f1", "cer", "duplicates")}
        errors = {"start_ms": median_and_p95(self.start_errors_ms), "end_ms": median_and_p95(self.end_errors_ms)}
        return {"video": self.video, **counts, **ratios, **errors}


def score(truth: Truth, events: Iterable[Event]) -> Score:
    """Return the score of events against the truth about their video."""
    texts = list(predicted_texts(events, truth.duration_s))
    predicted = words_of(texts)
    lines = best_readings(truth.lines, predicted)
    true = words_of(lines)
    pairs, candidates = _match_words(true, predicted)
    matched = set(pairs.values())
    excused_by = [*truth.ignored, *(line for line in lines if line.hard)]
    unmatched = [word for j, word in enumerate(predicted) if j not in matched]
    extra = tuple(w for w in unmatched if not any(coincide(w.text, other) for other in excused_by))
    missed = tuple(word for i, word in enumerate(true) if i not in pairs and not word.text.hard)
    precision = _ratio(len(pairs), len(pairs) + len(extra), empty=0.0 if len(pairs) + len(missed) else 1.0)
    recall = _ratio(len(pairs), len(pairs) + len(missed), empty=1.0)
    return Score(
        video=truth.video,
        true_words=len(pairs) + len(missed),
        predicted_words=len(pairs) + len(extra),
        paired=len(pairs),
        precision=precision,
        recall=recall,
        f1=_ratio(2 * precision * recall, precision + recall, empty=0.0),
        cer=_character_error_rate(lines, texts),
        duplicates=sum(len(candidates[i]) for i in pairs) / len(pairs) - 1 if pairs else None,
        start_errors_ms=tuple(abs(predicted[j].text.start - true[i].text.start) * 1000 for i, j in pairs.items()),
        end_errors_ms=tuple(abs(predicted[j].text.end - true[i].text.end) * 1000 for i, j in pairs.items()),
        missed=missed,
        extra=extra,
    )


def median_and_p95(errors: Sequence[float]) -> list[float] | None:
    """Return [median, 95th percentile]; None without values."""
    return [round(median(errors), 1), round(sorted(errors)[int(0.95 * (len(errors) - 1))], 1)] if errors else None


def _match_words(true: Sequence[Word], predicted: Sequence[Word]) -> tuple[dict[int, int], dict[int, set[int]]]:
    """Return the predicted word of each matched true one, and all predicted words that coincide with a true one."""
    candidates = sorted(
        (
            (temporal_iou(p.text, t.text), i, j)
            for j, p in enumerate(predicted)
            for i, t in enumerate(true)
            if p.word == t.word and coincide(p.text, t.text)
        ),
        reverse=True,
    )
    pairs: dict[int, int] = {}
    coinciding: dict[int, set[int]] = {}
    taken: set[int] = set()
    for iou, i, j in candidates:
        coinciding.setdefault(i, set()).add(j)
        if iou >= THRESHOLDS.word_min_iou and i not in pairs and j not in taken:
            pairs[i] = j
            taken.add(j)
    return pairs, coinciding


def _character_error_rate(lines: Iterable[TimedText], predicted: Sequence[TimedText]) -> float | None:
    wrong = total = 0
    for line in lines:
        min_overlap_s = THRESHOLDS.line_min_overlap * (line.end - line.start)
        found = [text for text in predicted if overlap_s(text, line) > min_overlap_s and same_place(text, line)]
        if line.hard or not found:
            continue
        reference = without_spaces(line.text)
        if reference:
            hypotheses = (*_hypotheses(line, found), "")
            wrong += min(Levenshtein.distance(reference, without_spaces(text)) for text in hypotheses)
        total += len(reference)
    return wrong / total if total else None


def _hypotheses(line: TimedText, found: Sequence[TimedText]) -> tuple[str, str]:
    """Return what was read of a line: the texts present at the same time, from left to right; the longest-lived one."""
    best = max(found, key=lambda text: overlap_s(text, line))
    min_overlap_s = THRESHOLDS.together_min_overlap * overlap_s(best, line)
    together = [text for text in found if overlap_s(text, best) > min_overlap_s]
    together.sort(key=lambda text: text.box_at(overlap_centre_s(text, line))[0])
    return "".join(text.text for text in together), best.text


def _ratio(part: float, whole: float, empty: float) -> float:
    return part / whole if whole else empty


def rounded(value: float | None) -> float | None:
    """Return a value with four digits after the point."""
    return None if value is None else round(value, 4)
