"""Which events a sink gets, told by rules about the texts as they were published."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, time
from fnmatch import fnmatchcase
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

from stream_ocr.config.base import in_time_range
from stream_ocr.config.sinks import Match, Rule
from stream_ocr.events import Event, Polygon, TextEvent
from stream_ocr.events.polygon import Point, contains_point
from stream_ocr.sinks.base import Sink

_PUNCTUATION = ".,;:!?\"'()[]{}«»„“”‘’…"


class RuledSink:
    """Hands to a sink what matches any of its rules."""

    def __init__(self, sink: Sink, rules: Sequence[Rule]) -> None:
        self.name = sink.name
        self._sink = sink
        self._rules = [Filter(rule) for rule in rules]

    def open(self) -> None:
        self._sink.open()

    def write(self, event: Event) -> None:
        wanted = [rule.wants(event) for rule in self._rules]  # each is asked, since each keeps its own tracks
        if any(wanted):
            self._sink.write(event)

    def close(self) -> None:
        self._sink.close()


class Filter:
    """A rule at work.

    Who is told that a text is there is also told what becomes of it, though it has left the region by then, or the
    hours are over: an event of a text that was passed on is passed on, too, until that text ends or is another.
    """

    def __init__(self, rule: Rule) -> None:
        self._matcher = Matcher(rule.match)
        self._kinds = rule.kinds
        self._told: defaultdict[str, set[int]] = defaultdict(set)

    def wants(self, event: Event) -> bool:
        """Whether the rule's sinks get it."""
        wanted = self._matcher.matches(event)
        if isinstance(event, TextEvent):
            told = self._told[event.stream]
            was_told = event.track in told
            if (wanted or (was_told and event.kind == "updated")) and event.kind != "ended":
                told.add(event.track)
            else:
                told.discard(event.track)
            wanted = wanted or was_told
        return wanted and (not self._kinds or event.kind in self._kinds)


class Matcher:
    """The conditions of a rule; all that are given must hold."""

    def __init__(self, match: Match) -> None:
        self._match = match
        self._regex = _compiled(match.regex)
        self._watch = Watch(match.watch, match.distance) if match.watch else None
        self._zone = ZoneInfo(match.zone) if match.zone else None

    def matches(self, event: Event) -> bool:
        """Whether the event is like that."""
        if self._match.stream is not None and not fnmatchcase(event.stream, self._match.stream):
            return False
        if self._match.hours is not None and not in_time_range(self._match.hours, self._time_of(event)):
            return False
        if self._regex is None and self._watch is None and self._match.region is None:
            return True
        if not isinstance(event, TextEvent):
            return False
        if self._match.region is not None and not contains_point(self._match.region, middle(event.polygon)):
            return False
        return self._regex_found(event.text) and self._watched_found(event.text)

    def _regex_found(self, text: str) -> bool:
        return self._regex is None or self._regex.search(text) is not None

    def _watched_found(self, text: str) -> bool:
        return self._watch is None or self._watch.found_in(text)

    def _time_of(self, event: Event) -> time:
        """By the clock of the recording where that is known, or else by ours."""
        utc = event.start_utc or event.emitted_utc
        return (utc or datetime.now().astimezone()).astimezone(self._zone).time()


class Watch:
    """A list of words and phrases, found with ``distance`` wrong, missing or surplus letters (Levenshtein)."""

    def __init__(self, phrases: Sequence[str], distance: int) -> None:
        from rapidfuzz import process
        from rapidfuzz.distance import Levenshtein

        self._phrases = [" ".join(phrase.casefold().split()) for phrase in phrases]
        self._near = partial(process.extractOne, scorer=Levenshtein.distance, score_cutoff=distance)
        counts = [phrase.count(" ") + 1 for phrase in self._phrases]
        # A space may be wrong as well, so that a phrase may be in fewer or more words than it has.
        self._lengths = range(max(1, min(counts) - distance), max(counts) + distance + 1)

    def found_in(self, text: str) -> bool:
        """Whether some whole words of the text, side by side, are one of them, punctuation around it or not."""
        words = text.casefold().split()
        parts = {
            " ".join(words[first : first + length])
            for length in self._lengths
            for first in range(len(words) - length + 1)
        }
        parts |= {part.strip(_PUNCTUATION) for part in parts}
        return any(self._near(part, self._phrases) is not None for part in parts)


def middle(polygon: Polygon) -> Point:
    """The mean of the corners."""
    return sum(x for x, _ in polygon) / len(polygon), sum(y for _, y in polygon) / len(polygon)


def _compiled(pattern: str | None) -> Any:
    """The pattern for RE2, which needs time in proportion to the text, whatever pattern and text are."""
    if pattern is None:
        return None
    import re2

    return re2.compile(pattern)
