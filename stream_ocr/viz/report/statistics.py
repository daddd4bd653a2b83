"""The content of a report as plain values: timelines, histograms, summary metrics."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from statistics import fmean, median

from stream_ocr.core.timestamps import format_timestamp
from stream_ocr.events import Event, SourceEvent
from stream_ocr.events.spans import Span
from stream_ocr.viz.thresholds import REPORT


@dataclass(frozen=True)
class Metric:
    """One value of the summary."""

    name: str
    value: str
    unit: str = ""


@dataclass(frozen=True)
class Tick:
    """A tick of the time axis; x in percent."""

    x: float
    name: str


@dataclass(frozen=True)
class Bar:
    """A span on the timeline; x and width in percent. ``style`` is a CSS class."""

    number: int
    x: float
    width: float
    style: str
    start: str
    text: str


@dataclass(frozen=True)
class Row:
    """A track on the timeline, named after the text that it showed longest."""

    name: str
    bars: list[Bar]


@dataclass(frozen=True)
class StreamTimeline:
    """The timeline of a stream."""

    name: str
    ticks: list[Tick]
    rows: list[Row]


def summary_metrics(spans: Sequence[Span]) -> list[Metric]:
    """Return the metrics at the top of a report."""
    if not spans:
        return []
    tracks = {(span.stream, span.track) for span in spans}
    begin, end = min(span.start for span in spans), max(span.end for span in spans)
    durations = [span.end - span.start for span in spans]
    return [
        Metric("texts", f"{len(spans):,}"),
        Metric("tracks", f"{len(tracks):,}"),
        Metric("duration", format_timestamp(end - begin)),
        Metric("median time on screen", f"{median(durations):.2f}", "s"),
        Metric("characters", f"{sum(len(span.text) for span in spans):,}"),
        Metric("mean confidence", f"{fmean(span.confidence for span in spans):.3f}"),
    ]


def timelines(spans: Sequence[Span]) -> Iterator[StreamTimeline]:
    """Yield the timeline of each stream. Spans are numbered by their index in the sequence."""
    by_stream: dict[str, list[tuple[int, Span]]] = defaultdict(list)
    for number, span in enumerate(spans):
        by_stream[span.stream].append((number, span))
    for name, members in sorted(by_stream.items()):
        begin, end = min(span.start for _, span in members), max(span.end for _, span in members)
        begin = min(begin, 0.0) if begin < REPORT.max_leading_gap * end else begin
        length = max(end - begin, 1e-6)
        yield StreamTimeline(name, list(_ticks(begin, length)), list(_rows(members, begin, length)))


def duration_histogram(spans: Sequence[Span]) -> list[tuple[str, int]]:
    """Count texts by their time on screen."""
    labels: dict[tuple[float, float], str] = {(0, 1): "under 1 s", (60, float("inf")): "over 1 min"}
    return [
        (
            labels.get(interval, f"{interval[0]}–{interval[1]} s"),
            sum(interval[0] <= s.end - s.start < interval[1] for s in spans),
        )
        for interval in REPORT.duration_bins_s
    ]


def confidence_histogram(spans: Sequence[Span]) -> list[tuple[str, int]]:
    """Count texts by their confidence."""
    return [
        (f"{low:g}–{min(high, 1):g}" if low else f"under {high:g}", sum(low <= s.confidence < high for s in spans))
        for low, high in REPORT.confidence_bins
    ]


def source_events(events: Iterable[Event]) -> Iterator[SourceEvent]:
    """Yield the events of sources."""
    return (event for event in events if isinstance(event, SourceEvent))


def _ticks(begin: float, length: float) -> Iterator[Tick]:
    steps_s = REPORT.tick_steps_s
    step = next((step for step in steps_s if length / step <= REPORT.max_ticks), steps_s[-1])
    number = -(-begin // step)
    while number * step <= begin + length * REPORT.last_tick_share:
        time_s = number * step
        yield Tick(_percent(time_s - begin, length), format_timestamp(time_s).removesuffix(".00"))
        number += 1


def _rows(members: Sequence[tuple[int, Span]], begin: float, length: float) -> Iterator[Row]:
    tracks: dict[int, list[tuple[int, Span]]] = defaultdict(list)
    for number, span in members:
        tracks[span.track].append((number, span))
    for track in tracks.values():
        longest = max((span for _, span in track), key=lambda span: span.end - span.start)
        yield Row(
            longest.text[: REPORT.max_row_chars],
            [
                Bar(
                    number,
                    _percent(span.start - begin, length),
                    max(_percent(span.end - span.start, length), REPORT.min_bar_width),
                    "unsure" if span.confidence < REPORT.low_confidence else "alternate" if index % 2 else "",
                    format_timestamp(span.start),
                    span.text[: REPORT.max_bar_chars],
                )
                for index, (number, span) in enumerate(track)
            ],
        )


def _percent(part: float, whole: float) -> float:
    return round(100 * part / whole, 3)
