"""The texts of a span of time, such as a day: in pages, and counted by hour.

Every answer examines a bounded number of events and says where the next one continues.
"""

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import msgspec

from stream_ocr.events import assignment_of
from stream_ocr.viz.dashboard.history_sources import HistorySource, Numbered, StoredEvent
from stream_ocr.viz.thresholds import DASHBOARD

_BEGINS = ("appeared", "changed")
_DELAY = timedelta(seconds=DASHBOARD.max_publication_delay_s)
_HOUR = timedelta(hours=1)

_Key = tuple[str, int | None, int]


@dataclass(frozen=True, slots=True)
class DayQuery:
    """Texts that appeared from ``since`` until before ``until``.

    stream: None for all. text: they contain this, ignoring case. after: number of the last event that an earlier
    answer examined.
    """

    since: datetime
    until: datetime
    stream: str | None = None
    text: str = ""
    after: int = -1


class DayText(msgspec.Struct):
    """A text. ``start`` and ``end`` are media seconds, ``end`` is None if it is still there or its end is not known.

    start_utc, end_utc: the same as UTC. previous: the text whose place it took. crop_seq: ``seq`` of the event whose
    crop is stored.
    """

    stream: str
    track: int
    text: str
    confidence: float
    start: float
    end: float | None
    start_utc: datetime
    end_utc: datetime | None
    on_screen: bool
    previous: str | None
    crop_seq: int | None


class DayPage(msgspec.Struct):
    """Texts in the order in which they were published. next: for ``DayQuery.after``, None after the last page."""

    texts: list[DayText]
    next: int | None


class HourCounts(msgspec.Struct):
    """Texts by the hours from ``since`` on: (hour, texts). next: as ``DayPage.next``; the counts add up.

    The others are None but in the first answer. earlier, later: when the nearest texts outside the span of time were
    published.
    """

    hours: list[tuple[int, int]]
    next: int | None
    streams: list[str] | None = None
    earlier: datetime | None = None
    later: datetime | None = None


def read_page(source: HistorySource, query: DayQuery) -> DayPage:
    """Return the next texts of a query. Raises StoreError."""
    return _PageReader(source, query).read()


def count_hours(source: HistorySource, query: DayQuery) -> HourCounts:
    """Count texts by the hour, whatever their text. Raises StoreError."""
    first, last = _numbers(source, query)
    counts: Counter[int] = Counter()
    position, examined, more = max(first - 1, query.after), 0, True
    while more and position < last and examined < DASHBOARD.day_count_events:
        records, end = source.read(position)
        for record in records:
            if record.number <= last and _begins_within(record, query):
                counts[(start_of(record) - query.since) // _HOUR] += 1
        examined += end - position
        position, more = end, end > position
    rest = position if more and position < last else None
    if query.after >= 0:
        return HourCounts(sorted(counts.items()), rest)
    earlier, later = source.neighbours(query.since, query.until)
    return HourCounts(sorted(counts.items()), rest, source.streams(), earlier, later)


def start_of(record: Numbered) -> datetime:
    """Return when a text appeared.

    That is up to a minute before its publication. Beyond that the clock of its camera is wrong, or it is of a file.
    """
    start, published = record.event.start_utc, record.published
    if start is None or record.event.utc_source == "file":
        return published
    return min(max(start, published - _DELAY), published)


class _Candidate(NamedTuple):
    """A text of a page that is being read. number: of the event it begins with. seqs: its readings by number."""

    number: int
    text: DayText
    seqs: dict[int, int]


class _PageReader:
    """Reads one page: the texts that begin in some events, then the events that follow for their ends."""

    def __init__(self, source: HistorySource, query: DayQuery) -> None:
        self._source, self._query, self._folded = source, query, query.text.casefold()
        self._found: list[_Candidate] = []
        self._open: dict[_Key, _Candidate] = {}
        self._matching = self._chars = 0

    def read(self) -> DayPage:
        position, rest = self._read_beginnings()
        self._read_ends(position)
        matching = [each for each in self._found if self._matches(each.text.text)]
        if len(matching) > DASHBOARD.day_texts:
            rest = matching[DASHBOARD.day_texts].number - 1
        page = matching[: DASHBOARD.day_texts]
        self._add_crops(page)
        self._mark_on_screen()
        return DayPage([each.text for each in page], rest)

    def _read_beginnings(self) -> tuple[int, int | None]:
        """Return the number of the last event read, and the same if texts of the query may follow, else None."""
        first, last = _numbers(self._source, self._query)
        begin = position = max(first - 1, self._query.after)
        while position < last:
            records, end = self._source.read(position)
            if end == position:
                return position, None
            for record in records:
                if record.number > last:
                    return record.number - 1, None
                if self._is_full or record.number - begin > DASHBOARD.day_events:
                    return record.number - 1, record.number - 1
                self._follow(record.event)
                if _begins_within(record, self._query):
                    self._begin(record)
                elif record.event.kind == "updated":
                    self._revise(record)
            position = end
        return position, None

    def _read_ends(self, position: int) -> None:
        begin, more = position, True
        while self._open and more and position - begin < DASHBOARD.day_events:
            records, end = self._source.read(position)
            for record in records:
                self._follow(record.event)
                if record.event.kind == "updated":
                    self._revise(record)
            position, more = end, end > position

    @property
    def _is_full(self) -> bool:
        return self._matching >= DASHBOARD.day_texts or self._chars >= DASHBOARD.day_text_chars

    def _matches(self, text: str) -> bool:
        return self._folded in text.casefold()

    def _begin(self, record: Numbered) -> None:
        event, start = record.event, start_of(record)
        text = DayText(
            stream=event.stream,
            track=event.track,
            text=event.text,
            confidence=event.confidence,
            start=event.start or 0.0,
            end=None,
            start_utc=start.astimezone(UTC),
            end_utc=None,
            on_screen=False,
            previous=event.previous if event.kind == "changed" else None,
            crop_seq=None,
        )
        self._found.append(_Candidate(record.number, text, {record.number: event.seq}))
        self._open[_key(event)] = self._found[-1]
        self._matching += self._matches(event.text)
        self._chars += len(event.text)

    def _revise(self, record: Numbered) -> None:
        """Take over a better reading."""
        if (candidate := self._open.get(_key(record.event))) is not None:
            candidate.text.text, candidate.text.confidence = record.event.text, record.event.confidence
            candidate.seqs[record.number] = record.event.seq

    def _follow(self, event: StoredEvent) -> None:
        """End the texts that an event ends."""
        if event.kind == "source.up":  # the run before did not report their ends
            for key in [key for key in self._open if key[0] == event.stream]:
                del self._open[key]
        ends = event.end if event.kind == "ended" else event.start if event.kind in _BEGINS else None
        if ends is None or (candidate := self._open.pop(_key(event), None)) is None:
            return
        text = candidate.text
        text.end = max(ends, text.start)
        text.end_utc = text.start_utc + timedelta(seconds=text.end - text.start)
        if event.kind == "ended":
            text.text, text.confidence = event.text, event.confidence

    def _add_crops(self, page: list[_Candidate]) -> None:
        numbers = [number for candidate in page for number in candidate.seqs]
        if not numbers:
            return
        stored = self._source.with_crop(min(numbers), max(numbers))
        for candidate in page:
            seqs = [seq for number, seq in candidate.seqs.items() if number in stored]
            candidate.text.crop_seq = seqs[-1] if seqs else None

    def _mark_on_screen(self) -> None:
        on_screen = self._source.on_screen({stream for stream, *_ in self._open}) if self._open else ()
        for candidate in self._open.values():
            text = candidate.text
            text.on_screen = (text.stream, text.track, text.start) in on_screen


def _numbers(source: HistorySource, query: DayQuery) -> tuple[int, int]:
    return source.numbers(query.since, query.until + _DELAY)


def _begins_within(record: Numbered, query: DayQuery) -> bool:
    event = record.event
    return (
        event.kind in _BEGINS and query.stream in (None, event.stream) and query.since <= start_of(record) < query.until
    )


def _key(event: StoredEvent) -> _Key:
    """Return what is common to the events of a text. Hosts of a fleet, one after the other, number tracks alike."""
    return event.stream, assignment_of(event.id), event.track
