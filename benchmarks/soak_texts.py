"""Judge the texts of the soak: events of the run against what its cameras showed.

Each text that a camera showed completely, over one connection that the run held meanwhile, is judged; texts that a
fault hid are excluded and counted by reason. A text is

* right, if one track, and no second one, has it, and its last reading is exactly the text;
* emitted in time, if the first event with exactly this text was emitted at most 0.25 s after the text was steady, which
  is ``tracking.min_age_s`` (0.2 s) after the camera sent the first frame that shows it. ``stream-ocr bench live``
  measures from the same moment. Only texts that are right count, and none that began while a fault of a worker or of
  the network kept events or frames back;
* and its start error is that between ``start`` of its first event and the media time of its first frame.

Media times of a camera count from the ``source.up`` of its connection, which is the first frame that it sent.
"""

import statistics
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby, pairwise
from typing import Any

from rapidfuzz import fuzz
from soak_faults import CLOCK_STEPS_S, Fault
from soak_truth import Connection, Showing

from stream_ocr.events import Event, SourceEvent, TextEvent

MAX_START_ERROR_S = 0.25
EMITTED_WITHIN_S = 0.25
MIN_AGE_S = 0.2  # tracking.min_age_s
MAX_LOST_S = 1.0  # tracking.max_lost_s
MIN_SIMILARITY = 80  # per cent
MATCH_S = 3.0  # between the first frame of a connection and the estimate of its time from the events
EXAMPLES = 20


@dataclass
class Verdict:
    """Outcome of the judgement of a camera. not_right: descriptions of texts. gaps: those that no fault explains."""

    shown: int = 0
    judged: int = 0
    right: int = 0
    excluded: Counter[str] = field(default_factory=Counter)
    not_right: list[str] = field(default_factory=list)
    start_errors_s: list[float] = field(default_factory=list)
    delays_s: list[float] = field(default_factory=list)
    late: list[str] = field(default_factory=list)
    without_delay: int = 0
    false: list[str] = field(default_factory=list)
    gaps: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _Span:
    """A connection as the run saw it, in media seconds, and what the camera sent over it, if that is known."""

    up_s: float
    down_s: float
    sent: Connection | None


def judge(
    events: Sequence[Event], shown: Sequence[Connection], words: Iterable[str], faults: Sequence[Fault], origin_s: float
) -> Verdict:
    """Judge one camera. events: of its stream, in order. words: all texts that it shows.

    origin_s: approximate Unix time of media time 0.
    """
    verdict, stream = Verdict(), events[0].stream if events else ""
    texts = [event for event in events if isinstance(event, TextEvent)]
    gaps = [event for event in events if isinstance(event, SourceEvent) and event.kind == "source.gap"]
    spans = list(_spans(events, shown, origin_s))
    known = {id(span.sent) for span in spans}
    for connection in shown:
        if id(connection) not in known:
            verdict.shown += len(connection.showings)
            verdict.excluded["the run did not hold the connection"] += len(connection.showings)
    for span in spans:
        for showing in span.sent.showings if span.sent else ():
            verdict.shown += 1
            if (reason := _hidden(showing, span, stream, gaps, faults)) is not None:
                verdict.excluded[reason] += 1
            else:
                _judge_showing(verdict, showing, span, texts, faults, stream, origin_s)
    verdict.false = [
        f"{event.kind} {event.text!r} at {event.start:.2f} s"
        for event in texts
        if event.kind != "ended" and not any(similar(event.text, word) for word in words)
    ]
    verdict.gaps = [
        f"{stream}: {gap.start:.2f} to {gap.end:.2f} s, {gap.frames} frames: {gap.reason}"
        for gap in gaps
        if not _explained(gap, stream, faults, origin_s)
    ]
    return verdict


def similar(one: str, other: str) -> bool:
    return fuzz.ratio(one, other) >= MIN_SIMILARITY


def _spans(events: Sequence[Event], shown: Sequence[Connection], origin_s: float) -> Iterator[_Span]:
    changes = [event for event in events if event.kind in ("source.up", "source.down")]
    end_s = max((event.start for event in events if event.start is not None), default=0.0)
    free = list(shown)
    for change, following in pairwise([*changes, None]):
        if change.kind != "source.up":
            continue
        up_s = change.start
        nearest = min(free, key=lambda connection: abs(connection.wall_s - origin_s - up_s), default=None)
        if nearest is not None and abs(nearest.wall_s - origin_s - up_s) > MATCH_S:
            nearest = None
        if nearest is not None:
            free.remove(nearest)
        yield _Span(up_s, end_s if following is None else following.start, nearest)


def _hidden(
    showing: Showing, span: _Span, stream: str, gaps: Sequence[SourceEvent], faults: Sequence[Fault]
) -> str | None:
    """Return why a text cannot be judged, or None."""
    if not showing.is_complete:
        return "the camera did not send all of its frames undamaged"
    if span.up_s + showing.end_s > span.down_s:
        return "the connection ended meanwhile"
    meanwhile = [fault for fault in faults if fault.covers(stream, showing.wall_s, showing.wall_end_s)]
    for hidden, reason in (
        ("packets", "packets were lost on the way"),
        ("time stamps", "time stamps jumped meanwhile"),
    ):
        if any(fault.hides == hidden for fault in meanwhile):
            return reason
    begin_s, end_s = span.up_s + showing.start_s, span.up_s + showing.end_s
    # Right after a gap, a text is taken for the same text that was there before.
    missing = [gap for gap in gaps if gap.start <= end_s and begin_s <= gap.end + MAX_LOST_S]
    if missing and any(fault.hides == "frames" for fault in meanwhile):
        return "frames were lost to a worker that was killed or stopped, and reported as a gap"
    return None


def _explained(gap: SourceEvent, stream: str, faults: Sequence[Fault], origin_s: float) -> bool:
    begin_s, end_s = origin_s + (gap.start or 0.0), origin_s + (gap.end or 0.0)
    return any(fault.covers(stream, begin_s - 1, end_s + 1) for fault in faults)


def _judge_showing(
    verdict: Verdict,
    showing: Showing,
    span: _Span,
    texts: Sequence[TextEvent],
    faults: Sequence[Fault],
    stream: str,
    origin_s: float,
) -> None:
    verdict.judged += 1
    start_s, end_s = span.up_s + showing.start_s, span.up_s + showing.end_s
    meanwhile = [
        event
        for event in texts
        if start_s - MAX_START_ERROR_S <= event.start < end_s
        and event.kind != "ended"
        and similar(event.text, showing.text)
    ]
    name = f"{stream}: {showing.text!r} at {start_s:.2f} s (Unix {showing.wall_s:.1f})"
    if not meanwhile:
        verdict.not_right.append(f"{name}: not reported")
        return
    verdict.start_errors_s.append(min(abs(event.start - start_s) for event in meanwhile))
    tracks = {event.track for event in meanwhile}
    if len(tracks) > 1:
        verdict.not_right.append(f"{name}: reported as {len(tracks)} tracks")
        return
    if (last := meanwhile[-1].text) != showing.text:
        verdict.not_right.append(f"{name}: read as {last!r}")
        return
    verdict.right += 1
    steady_s = showing.wall_s + MIN_AGE_S
    if any(fault.delays and fault.covers(stream, showing.wall_s, steady_s + EMITTED_WITHIN_S) for fault in faults):
        verdict.without_delay += 1
        return
    first = next(event for event in meanwhile if event.text == showing.text)
    delay_s = emitted_s(first, origin_s) - steady_s
    verdict.delays_s.append(delay_s)
    if delay_s > EMITTED_WITHIN_S:
        verdict.late.append(f"{name}: {delay_s:.2f} s after it was steady")


def emitted_s(event: TextEvent, origin_s: float) -> float:
    """Return the Unix time of emission by a clock that was not set. The clock of the run may have been stepped."""
    if event.emitted_utc is None:
        return float("inf")
    stamp_s = event.emitted_utc.timestamp()
    return min((stamp_s - step_s for step_s in (0, *CLOCK_STEPS_S)), key=lambda s: abs(s - origin_s - event.start))


def tracks_that_do_not_end_once(events: Sequence[Event], publisher_kills: int) -> list[str]:
    """Return tracks that have no end or several, or that appeared more often than the publisher was killed allows."""
    kinds: defaultdict[int, Counter[str]] = defaultdict(Counter)
    for event in events:
        if isinstance(event, TextEvent):
            kinds[event.track][event.kind] += 1
    return [
        f"{events[0].stream}: track {track} appeared {count['appeared']} times, ended {count['ended']} times"
        for track, count in kinds.items()
        if count["ended"] != 1 or not 1 <= count["appeared"] <= 1 + publisher_kills
    ]


def by_stream(events: Iterable[Event]) -> dict[str, list[Event]]:
    ordered = sorted(events, key=lambda event: (event.stream, event.seq))
    return {stream: list(own) for stream, own in groupby(ordered, key=lambda event: event.stream)}


def figures(verdict: Verdict) -> dict[str, Any]:
    """Return the figures of a camera, or of all, for the report."""
    errors, delays = verdict.start_errors_s, verdict.delays_s
    return {
        "shown": verdict.shown,
        "excluded": dict(verdict.excluded),
        "judged": verdict.judged,
        "right": verdict.right,
        "not_right": verdict.not_right[:EXAMPLES],
        "false": verdict.false[:EXAMPLES],
        "started_within_a_quarter_of_a_second": sum(error <= MAX_START_ERROR_S for error in errors),
        "start_error_ms": percentiles_ms(errors),
        "emitted_in_time": sum(delay <= EMITTED_WITHIN_S for delay in delays),
        "emitted_while_a_fault_kept_events_back": verdict.without_delay,
        "delay_after_steady_ms": percentiles_ms(delays),
        "late": verdict.late[:EXAMPLES],
        "gaps_without_a_fault": verdict.gaps[:EXAMPLES],
    }


def percentiles_ms(seconds: Sequence[float]) -> dict[str, int] | None:
    if len(seconds) < 2:
        return None
    hundredths = statistics.quantiles(seconds, n=100, method="inclusive")
    values = {"median": hundredths[49], "p95": hundredths[94], "p99": hundredths[98], "max": max(seconds)}
    return {name: round(1000 * value) for name, value in values.items()}


def total(verdicts: Mapping[str, Verdict]) -> Verdict:
    """Return the sum over all cameras."""
    whole = Verdict()
    for verdict in verdicts.values():
        for name, value in vars(verdict).items():
            setattr(whole, name, getattr(whole, name) + value)
    return whole
