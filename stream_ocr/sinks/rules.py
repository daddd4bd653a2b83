"""Rules that select the events a sink receives."""

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
from stream_ocr.sinks.base import CropSink, OriginSink, Sink

_PUNCTUATION = ".,;:!?\"'()[]{}«»„“”‘’…"


class RuledSink:
    """Passes events that match any of its rules to a sink."""

    def __init__(self, sink: Sink, rules: Sequence[Rule]) -> None:
        self.name = sink.name
        self._sink = sink
        self._rules = [RuleFilter(rule) for rule in rules]

    def open(self) -> None:
        self._sink.open()

    def set_origin(self, stream: str, origin_s: float) -> None:
        if isinstance(self._sink, OriginSink):
            self._sink.set_origin(stream, origin_s)

    def set_crop(self, event_id: str, webp: bytes) -> None:
        if isinstance(self._sink, CropSink):
            self._sink.set_crop(event_id, webp)

    def write(self, event: Event) -> None:
        accepted = [rule.accepts(event) for rule in self._rules]  # every rule must see the event: each has state
        if any(accepted):
            self._sink.write(event)

    def close(self) -> None:
        self._sink.close()


class RuleFilter:
    """Applies one rule and keeps track of the texts it has accepted.

    A sink that received a text also receives its updates and its end, even if the text has left the region or the hours
    are over: once accepted, events of a text are accepted until it ends or another text replaces it.
    """

    def __init__(self, rule: Rule) -> None:
        self._matcher = Matcher(rule.match)
        self._kinds = rule.kinds
        self._accepted: defaultdict[str, set[int]] = defaultdict(set)  # tracks by stream

    def accepts(self, event: Event) -> bool:
        """Return whether the rule's sinks receive the event."""
        accepted = self._matcher.matches(event)
        if isinstance(event, TextEvent):
            tracks = self._accepted[event.stream]
            was_accepted = event.track in tracks
            if (accepted or (was_accepted and event.kind == "updated")) and event.kind != "ended":
                tracks.add(event.track)
            else:
                tracks.discard(event.track)
            accepted = accepted or was_accepted
        return accepted and (not self._kinds or event.kind in self._kinds)


class Matcher:
    """The conditions of a rule; every one that is given must hold."""

    def __init__(self, match: Match) -> None:
        self._match = match
        self._regex = _compile(match.regex)
        self._watch = WordList(match.watch, match.distance) if match.watch else None
        self._zone = ZoneInfo(match.zone) if match.zone else None

    def matches(self, event: Event) -> bool:
        """Return whether the event meets all conditions."""
        if self._match.stream is not None and not fnmatchcase(event.stream, self._match.stream):
            return False
        if self._match.hours is not None and not in_time_range(self._match.hours, self._time_of(event)):
            return False
        if self._regex is None and self._watch is None and self._match.region is None:
            return True
        if not isinstance(event, TextEvent):
            return False
        if self._match.region is not None and not contains_point(self._match.region, centroid(event.polygon)):
            return False
        return self._matches_regex(event.text) and self._matches_words(event.text)

    def _matches_regex(self, text: str) -> bool:
        return self._regex is None or self._regex.search(text) is not None

    def _matches_words(self, text: str) -> bool:
        return self._watch is None or self._watch.found_in(text)

    def _time_of(self, event: Event) -> time:
        """Return the local time of the event by the clock of the recording, or else by ours."""
        utc = event.start_utc or event.emitted_utc
        return (utc or datetime.now().astimezone()).astimezone(self._zone).time()


class WordList:
    """Words and phrases to find with up to ``distance`` wrong, missing or surplus letters (Levenshtein)."""

    def __init__(self, phrases: Sequence[str], distance: int) -> None:
        from rapidfuzz import process
        from rapidfuzz.distance import Levenshtein

        self._phrases = [" ".join(phrase.casefold().split()) for phrase in phrases]
        self._best_match = partial(process.extractOne, scorer=Levenshtein.distance, score_cutoff=distance)
        counts = [phrase.count(" ") + 1 for phrase in self._phrases]
        # A space may be wrong as well, so a phrase may match fewer or more words than it has.
        self._lengths = range(max(1, min(counts) - distance), max(counts) + distance + 1)

    def found_in(self, text: str) -> bool:
        """Return whether adjacent whole words of the text match a phrase; punctuation around them is ignored."""
        words = text.casefold().split()
        parts = {
            " ".join(words[first : first + length])
            for length in self._lengths
            for first in range(len(words) - length + 1)
        }
        parts |= {part.strip(_PUNCTUATION) for part in parts}
        return any(self._best_match(part, self._phrases) is not None for part in parts)


def centroid(polygon: Polygon) -> Point:
    """Return the mean of the corners, in source pixels."""
    return sum(x for x, _ in polygon) / len(polygon), sum(y for _, y in polygon) / len(polygon)


def _compile(pattern: str | None) -> Any:
    """Compile a pattern with RE2, whose matching time is linear in the text for every pattern."""
    if pattern is None:
        return None
    import re2

    return re2.compile(pattern)
