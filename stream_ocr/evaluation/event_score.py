"""Score events word by word against a truth file.

Truth: {"video", "width", "height", "duration_s", "segments": [{"text", "start_s", "end_s", "box" [x, y, w, h], or
"boxes" [[time_s, x, y, w, h], ...] for moving text, "alt" [other correct readings], "hard": counted when read, not
missed when not}], "ignore": [{"box", "start_s", "end_s"}]: places where other text does not count}.

Lines are split into words, so that cutting a line in two or joining two lines costs nothing. A predicted word matches a
true one of the same spelling (without case and outer punctuation) if it stands in the same place at the middle of their
common time and their spans have a temporal IoU of at least 0.5. Matches with a higher IoU are taken first.
"""

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any

import msgspec
from rapidfuzz.distance import Levenshtein

from stream_ocr.errors import SourceError
from stream_ocr.evaluation.thresholds import THRESHOLDS
from stream_ocr.events import Event
from stream_ocr.events.spans import Span, SpanBuilder

_NO_END_S = 1e9  # of a truth file without segments and duration

Box = tuple[float, float, float, float]
"""Left, top, width, height in pixels."""


@dataclass(frozen=True)
class TimedText:
    """A text that is visible from ``start`` to ``end``, in media seconds.

    keyframes: (time, left, top, width, height), interpolated linearly. accepted: all readings that count as correct.
    hard: counted when read, not missed when not.
    """

    text: str
    start: float
    end: float
    keyframes: tuple[tuple[float, ...], ...]
    accepted: tuple[str, ...] = ()
    hard: bool = False

    def box_at(self, time_s: float) -> Box:
        """Return the box at a media time."""
        n = bisect_right(self.keyframes, time_s, key=lambda keyframe: keyframe[0])
        if n in (0, len(self.keyframes)):
            x, y, width, height = self.keyframes[min(n, len(self.keyframes) - 1)][1:]
            return x, y, width, height
        (a, *before), (b, *after) = self.keyframes[n - 1 : n + 1]
        share = (time_s - a) / max(b - a, 1e-9)
        x, y, width, height = (p + share * (q - p) for p, q in zip(before, after, strict=True))
        return x, y, width, height


@dataclass(frozen=True)
class Truth:
    """The true texts of a video. ignored: places and times where other text does not count."""

    video: str
    duration_s: float
    lines: tuple[TimedText, ...]
    ignored: tuple[TimedText, ...] = ()


@dataclass(frozen=True)
class Word:
    """A word, without case and outer punctuation, and the text that holds it."""

    word: str
    text: TimedText


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
        ratios = {name: _rounded(getattr(self, name)) for name in ("precision", "recall", "f1", "cer", "duplicates")}
        errors = {"start_ms": median_and_p95(self.start_errors_ms), "end_ms": median_and_p95(self.end_errors_ms)}
        return {"video": self.video, **counts, **ratios, **errors}


def read_truth(path: Path) -> Truth:
    """Return the truth in a file. Raise SourceError when it cannot be read or is not a truth file."""
    try:
        return parse_truth(msgspec.json.decode(path.read_bytes()))
    except OSError as error:
        raise SourceError(f"The truth {path} cannot be read: {error.strerror}.") from error
    except (msgspec.DecodeError, KeyError, TypeError, ValueError) as error:
        raise SourceError(
            f"{path} is not a truth file ({type(error).__name__}: {error}); it must be a JSON object with segments, "
            "each with text, start_s, end_s and box."
        ) from error


def parse_truth(document: Mapping[str, Any]) -> Truth:
    """Return the truth of a document as ``synthetic.scene.truth`` writes it. Raise KeyError for missing keys."""
    segments = document["segments"]
    duration_s = document.get("duration_s") or max((segment["end_s"] for segment in segments), default=_NO_END_S)

    def timed_text(segment: Mapping[str, Any]) -> TimedText:
        start_s, end_s = segment.get("start_s", 0.0), segment.get("end_s", duration_s)
        keyframes = segment.get("boxes") or [[start_s, *segment["box"]]]
        text = segment.get("text", "")
        accepted = (text, *segment.get("alt", ()))
        return TimedText(text, start_s, end_s, tuple(map(tuple, keyframes)), accepted, bool(segment.get("hard")))

    ignored = tuple(timed_text(segment) for segment in document.get("ignore", ()))
    return Truth(document.get("video", ""), duration_s, tuple(timed_text(segment) for segment in segments), ignored)


def score(truth: Truth, events: Iterable[Event]) -> Score:
    """Return the score of events against the truth about their video."""
    texts = list(predicted_texts(events, truth.duration_s))
    predicted = [Word(word, text) for text in texts for word in split_words(text.text)]
    lines = [replace(line, text=_best_accepted(line, predicted)) for line in truth.lines]
    true = [Word(word, line) for line in lines for word in split_words(line.text)]
    pairs, candidates = _match_words(true, predicted)
    matched = set(pairs.values())
    excused_by = [*truth.ignored, *(line for line in lines if line.hard)]
    unmatched = [word for j, word in enumerate(predicted) if j not in matched]
    extra = tuple(w for w in unmatched if not any(_coincide(w.text, other) for other in excused_by))
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


def predicted_texts(events: Iterable[Event], duration_s: float) -> Iterator[TimedText]:
    """Yield the texts that events report; those that never end last until the end of the video."""
    spans = SpanBuilder()
    complete = [span for event in events for span in spans.add(event)]
    for span in (*complete, *(replace(span, end=duration_s) for span in spans.finish())):
        if span.end > span.start:
            keyframes = (_keyframe(span, span.start), _keyframe(span, span.end))
            yield TimedText(span.text, span.start, span.end, keyframes)


def split_words(text: str) -> list[str]:
    """Return the words of a text, case-folded and without outer punctuation."""
    stripped = (re.sub(r"^\W+|\W+$", "", word) for word in text.casefold().split())
    return [word for word in stripped if word]


def median_and_p95(errors: Sequence[float]) -> list[float] | None:
    """Return [median, 95th percentile]; None without values."""
    return [round(median(errors), 1), round(sorted(errors)[int(0.95 * (len(errors) - 1))], 1)] if errors else None


def _match_words(true: Sequence[Word], predicted: Sequence[Word]) -> tuple[dict[int, int], dict[int, set[int]]]:
    """Return the predicted word of each matched true one, and all predicted words that coincide with a true one."""
    candidates = sorted(
        (
            (_temporal_iou(p.text, t.text), i, j)
            for j, p in enumerate(predicted)
            for i, t in enumerate(true)
            if p.word == t.word and _coincide(p.text, t.text)
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


def _best_accepted(line: TimedText, predicted: Iterable[Word]) -> str:
    """Return the accepted reading of a line of which the largest share of words was predicted there."""
    present = {word.word for word in predicted if _coincide(word.text, line)}

    def share(text: str) -> float:
        return sum(word in present for word in split_words(text)) / max(len(split_words(text)), 1)

    return max(line.accepted, key=share)


def _character_error_rate(lines: Iterable[TimedText], predicted: Sequence[TimedText]) -> float | None:
    wrong = total = 0
    for line in lines:
        min_overlap_s = THRESHOLDS.line_min_overlap * (line.end - line.start)
        found = [text for text in predicted if _overlap_s(text, line) > min_overlap_s and _same_place(text, line)]
        if line.hard or not found:
            continue
        reference = _without_spaces(line.text)
        if reference:
            hypotheses = (*_hypotheses(line, found), "")
            wrong += min(Levenshtein.distance(reference, _without_spaces(text)) for text in hypotheses)
        total += len(reference)
    return wrong / total if total else None


def _hypotheses(line: TimedText, found: Sequence[TimedText]) -> tuple[str, str]:
    """Return what was read of a line: the texts present at the same time, from left to right; the longest-lived one."""
    best = max(found, key=lambda text: _overlap_s(text, line))
    min_overlap_s = THRESHOLDS.together_min_overlap * _overlap_s(best, line)
    together = [text for text in found if _overlap_s(text, best) > min_overlap_s]
    together.sort(key=lambda text: text.box_at(_overlap_centre_s(text, line))[0])
    return "".join(text.text for text in together), best.text


def _same_place(predicted: TimedText, true: TimedText) -> bool:
    """Return True if the centre of one box lies in the other, the true one grown by half its height."""
    time_s = _overlap_centre_s(predicted, true)
    left, top, wide, tall = predicted.box_at(time_s)
    x, y, width, height = true.box_at(time_s)
    in_x = x - height / 2 <= left + wide / 2 <= x + width + height / 2
    in_y = y - height / 2 <= top + tall / 2 <= y + 1.5 * height
    return (in_x and in_y) or (left <= x + width / 2 <= left + wide and top <= y + height / 2 <= top + tall)


def _coincide(a: TimedText, b: TimedText) -> bool:
    return _overlap_s(a, b) > 0 and _same_place(a, b)


def _overlap_centre_s(a: TimedText, b: TimedText) -> float:
    return (max(a.start, b.start) + min(a.end, b.end)) / 2


def _overlap_s(a: TimedText, b: TimedText) -> float:
    return max(0.0, min(a.end, b.end) - max(a.start, b.start))


def _temporal_iou(a: TimedText, b: TimedText) -> float:
    union = max(a.end, b.end) - min(a.start, b.start)
    return _overlap_s(a, b) / union if union > 0 else 0.0


def _keyframe(span: Span, time_s: float) -> tuple[float, ...]:
    xs, ys = zip(*span.polygon_at(time_s), strict=True)
    return time_s, min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys)


def _without_spaces(text: str) -> str:
    return re.sub(r"\s", "", text.casefold())


def _ratio(part: float, whole: float, empty: float) -> float:
    return part / whole if whole else empty


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
