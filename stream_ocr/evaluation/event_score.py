"""How good events are, word by word, against a truth file.

Truth: {"video", "width", "height", "duration_s", "segments": [{"text", "start_s", "end_s", "box" [x, y, w, h], or
"boxes" [[time_s, x, y, w, h], ...] for text that moves, "alt" [other right readings], "hard": counted when read, not
missed when not}], "ignore": [{"box", "start_s", "end_s"}]: where other text is nobody's fault}.

Lines are split into words, so that nobody is punished for cutting a line in two or joining two. A predicted word
pairs with a true one of the same spelling (case and outer punctuation aside) when it stands in the same place at the
middle of their common time and their spans overlap with a temporal IoU of at least 0.5; most overlap first.
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
from stream_ocr.events import Event
from stream_ocr.events.spans import Span, Spans

_LEAST_IOU = 0.5
_LEAST_SHARE = 0.25  # of a line's time, for which a text must be there to be held against it

Box = tuple[float, float, float, float]
"""Left, top, width, height."""


@dataclass(frozen=True)
class Shown:
    """A text from ``start`` to ``end`` in media seconds. rows: (time, left, top, width, height), straight between."""

    text: str
    start: float
    end: float
    rows: tuple[tuple[float, ...], ...]
    readings: tuple[str, ...] = ()  # all that count as right
    hard: bool = False

    def box(self, time_s: float) -> Box:
        """Where it stands at a time."""
        n = bisect_right(self.rows, time_s, key=lambda row: row[0])
        if n in (0, len(self.rows)):
            x, y, width, height = self.rows[min(n, len(self.rows) - 1)][1:]
            return x, y, width, height
        (a, *before), (b, *after) = self.rows[n - 1 : n + 1]
        share = (time_s - a) / max(b - a, 1e-9)
        x, y, width, height = (p + share * (q - p) for p, q in zip(before, after, strict=True))
        return x, y, width, height


@dataclass(frozen=True)
class Truth:
    """What is to be read in a video."""

    video: str
    duration_s: float
    lines: tuple[Shown, ...]
    ignored: tuple[Shown, ...] = ()


@dataclass(frozen=True)
class Word:
    """A word of a text."""

    word: str
    text: Shown


@dataclass(frozen=True)
class Score:
    """What came of it. The errors are those of paired words, in milliseconds."""

    video: str
    true_words: int
    predicted_words: int
    paired: int
    precision: float
    recall: float
    f1: float
    cer: float | None  # of the lines that were found at the right place and time
    duplicates: float | None  # predicted spans per paired word, less one: 0 when every text is told once
    start_errors_ms: tuple[float, ...]
    end_errors_ms: tuple[float, ...]
    missed: tuple[Word, ...]
    extra: tuple[Word, ...]

    def figures(self) -> dict[str, Any]:
        """The numbers, rounded, errors as [median, 95th percentile]."""
        counts = {"true_words": self.true_words, "predicted_words": self.predicted_words, "paired": self.paired}
        shares = {name: _rounded(getattr(self, name)) for name in ("precision", "recall", "f1", "cer", "duplicates")}
        errors = {"start_ms": spread(self.start_errors_ms), "end_ms": spread(self.end_errors_ms)}
        return {"video": self.video, **counts, **shares, **errors}


def read_truth(path: Path) -> Truth:
    """The truth in a file. Raises SourceError when it cannot be read as such."""
    try:
        return as_truth(msgspec.json.decode(path.read_bytes()))
    except OSError as error:
        raise SourceError(f"The truth {path} cannot be read: {error.strerror}.") from error
    except (msgspec.DecodeError, KeyError, TypeError, ValueError) as error:
        raise SourceError(
            f"{path} is not a truth file ({type(error).__name__}: {error}); it holds a JSON object with segments, "
            "each with text, start_s, end_s and box."
        ) from error


def as_truth(document: Mapping[str, Any]) -> Truth:
    """The truth in the form of ``sources.synthetic.truth``. Raises KeyError where something is missing."""
    segments = document["segments"]
    duration_s = document.get("duration_s") or max((segment["end_s"] for segment in segments), default=1e9)

    def shown(segment: Mapping[str, Any]) -> Shown:
        start_s, end_s = segment.get("start_s", 0.0), segment.get("end_s", duration_s)
        rows = segment.get("boxes") or [[start_s, *segment["box"]]]
        text = segment.get("text", "")
        readings = (text, *segment.get("alt", ()))
        return Shown(text, start_s, end_s, tuple(tuple(row) for row in rows), readings, bool(segment.get("hard")))

    ignored = tuple(shown(segment) for segment in document.get("ignore", ()))
    return Truth(document.get("video", ""), duration_s, tuple(shown(segment) for segment in segments), ignored)


def score(truth: Truth, events: Iterable[Event]) -> Score:
    """Score events against the truth about their video."""
    predicted = list(predictions(events, truth.duration_s))
    said = [Word(word, text) for text in predicted for word in words(text.text)]
    lines = [replace(line, text=_best_reading(line, said)) for line in truth.lines]
    true = [Word(word, line) for line in lines for word in words(line.text)]
    pairs, meetings = _pair(true, said)
    told = set(pairs.values())
    excusing = [*truth.ignored, *(line for line in lines if line.hard)]
    left = [word for j, word in enumerate(said) if j not in told]
    extra = tuple(w for w in left if not any(_meet(w.text, other) for other in excusing))
    missed = tuple(word for i, word in enumerate(true) if i not in pairs and not word.text.hard)
    precision = _share(len(pairs), len(pairs) + len(extra), empty=0.0 if len(pairs) + len(missed) else 1.0)
    recall = _share(len(pairs), len(pairs) + len(missed), empty=1.0)
    return Score(
        video=truth.video,
        true_words=len(pairs) + len(missed),
        predicted_words=len(pairs) + len(extra),
        paired=len(pairs),
        precision=precision,
        recall=recall,
        f1=_share(2 * precision * recall, precision + recall, empty=0.0),
        cer=_character_errors(lines, predicted),
        duplicates=sum(len(meetings[i]) for i in pairs) / len(pairs) - 1 if pairs else None,
        start_errors_ms=tuple(abs(said[j].text.start - true[i].text.start) * 1000 for i, j in pairs.items()),
        end_errors_ms=tuple(abs(said[j].text.end - true[i].text.end) * 1000 for i, j in pairs.items()),
        missed=missed,
        extra=extra,
    )


def predictions(events: Iterable[Event], duration_s: float) -> Iterator[Shown]:
    """The texts that events tell of; those that never end last until the end of the video."""
    gathered = Spans()
    complete = [span for event in events for span in gathered.add(event)]
    for span in (*complete, *(replace(span, end=duration_s) for span in gathered.rest())):
        if span.end > span.start:
            yield Shown(span.text, span.start, span.end, (_row(span, span.start), _row(span, span.end)))


def words(text: str) -> list[str]:
    """The words of a text, without case and outer punctuation."""
    stripped = (re.sub(r"^\W+|\W+$", "", word) for word in text.casefold().split())
    return [word for word in stripped if word]


def spread(errors: Sequence[float]) -> list[float] | None:
    """Median and 95th percentile."""
    return [round(median(errors), 1), round(sorted(errors)[int(0.95 * (len(errors) - 1))], 1)] if errors else None


def _pair(true: Sequence[Word], said: Sequence[Word]) -> tuple[dict[int, int], dict[int, set[int]]]:
    """Which predicted word each true one pairs with, and all that meet it."""
    candidates = sorted(
        (
            (_iou(p.text, t.text), i, j)
            for j, p in enumerate(said)
            for i, t in enumerate(true)
            if p.word == t.word and _meet(p.text, t.text)
        ),
        reverse=True,
    )
    pairs: dict[int, int] = {}
    meetings: dict[int, set[int]] = {}
    taken: set[int] = set()
    for iou, i, j in candidates:
        meetings.setdefault(i, set()).add(j)
        if iou >= _LEAST_IOU and i not in pairs and j not in taken:
            pairs[i] = j
            taken.add(j)
    return pairs, meetings


def _best_reading(line: Shown, said: Iterable[Word]) -> str:
    """The right reading of a line of which most words were said there."""
    there = {word.word for word in said if _meet(word.text, line)}
    return max(line.readings, key=lambda text: sum(w in there for w in words(text)) / max(len(words(text)), 1))


def _character_errors(lines: Iterable[Shown], predicted: Sequence[Shown]) -> float | None:
    wrong = total = 0
    for line in lines:
        least_s = _LEAST_SHARE * (line.end - line.start)
        found = [text for text in predicted if _common_s(text, line) > least_s and _near(text, line)]
        if line.hard or not found:
            continue
        want = _bare(line.text)
        wrong += min(Levenshtein.distance(want, _bare(guess)) for guess in (*_guesses(line, found), "")) if want else 0
        total += len(want)
    return wrong / total if total else None


def _guesses(line: Shown, found: Sequence[Shown]) -> tuple[str, str]:
    """What was read of a line: all that stood there at the same time, from left to right, or the longest-lived."""
    best = max(found, key=lambda text: _common_s(text, line))
    together = [text for text in found if _common_s(text, best) > 0.5 * _common_s(best, line)]
    together.sort(key=lambda text: text.box(_middle_s(text, line))[0])
    return "".join(text.text for text in together), best.text


def _near(said: Shown, true: Shown) -> bool:
    """Whether the middle of one lies in the other: of what was said in the true box, grown by half its height."""
    time_s = _middle_s(said, true)
    left, top, wide, tall = said.box(time_s)
    x, y, width, height = true.box(time_s)
    in_x = x - height / 2 <= left + wide / 2 <= x + width + height / 2
    in_y = y - height / 2 <= top + tall / 2 <= y + 1.5 * height
    return (in_x and in_y) or (left <= x + width / 2 <= left + wide and top <= y + height / 2 <= top + tall)


def _meet(a: Shown, b: Shown) -> bool:
    return _common_s(a, b) > 0 and _near(a, b)


def _middle_s(a: Shown, b: Shown) -> float:
    return (max(a.start, b.start) + min(a.end, b.end)) / 2


def _common_s(a: Shown, b: Shown) -> float:
    return max(0.0, min(a.end, b.end) - max(a.start, b.start))


def _iou(a: Shown, b: Shown) -> float:
    union = max(a.end, b.end) - min(a.start, b.start)
    return _common_s(a, b) / union if union > 0 else 0.0


def _row(span: Span, time_s: float) -> tuple[float, ...]:
    xs, ys = zip(*span.polygon_at(time_s), strict=True)
    return time_s, min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys)


def _bare(text: str) -> str:
    return re.sub(r"\s", "", text.casefold())


def _share(part: float, whole: float, empty: float) -> float:
    return part / whole if whole else empty


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
