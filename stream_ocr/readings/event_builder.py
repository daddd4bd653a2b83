"""Event builder: turns the readings of every frame into the events of a stream.

A reading becomes an event when it is reliable: clear at once, or confirmed by a second reading, or the best there was
when the text went. What was reported is replaced only for a reason: the pixels changed (``changed``), or the same
pixels were read better (``updated``).
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal, NamedTuple

import numpy as np
from msgspec import structs

from stream_ocr.config.settings import Settings
from stream_ocr.core.geometry import from_flat, side_lengths
from stream_ocr.core.messages import Reading, Readings, SourceChanged, Stamp
from stream_ocr.events import CONFIDENCE_DIGITS, Kind, SourceEvent, SourceKind, TextEvent, event_id, quad_to_polygon
from stream_ocr.events.polygon import FlatQuad
from stream_ocr.models.recognition.calibration import calibrate, text_confidence
from stream_ocr.models.recognition.ctc import mean_confidence
from stream_ocr.readings.continuations import Continuations, is_continued_by
from stream_ocr.readings.corrections import Corrections
from stream_ocr.readings.fields import Fields
from stream_ocr.readings.similarity import without_spaces
from stream_ocr.readings.thresholds import REPORT
from stream_ocr.readings.update_policy import classify_update, extends, is_counter_tick, is_fragment_of, is_remnant
from stream_ocr.readings.word_filter import is_single_glyph, is_text

_UNIX_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SOURCE_KINDS: Mapping[str, SourceKind] = {"up": "source.up", "down": "source.down", "gap": "source.gap"}


class NewEvent(NamedTuple):
    """An event, and the crop that its text was read from: WebP, only where crops are stored."""

    event: TextEvent
    crop: bytes | None


@dataclass(slots=True)
class _Reported:
    """State of one track.

    latest: last reading. reported: what was reported, None before the first event. cut_since_s: since when only a
    remnant of it is visible. fragment_s: when the text was last a fragment of another one. crop: of this revision.
    """

    latest: Reading
    reported: Reading | None = None
    cut_since_s: float | None = None
    fragment_s: float = float("-inf")
    counter_ticks: int = 0
    overlay: bool = False
    crop: bytes | None = None


class EventBuilder:
    """Builds the text events of one stream."""

    def __init__(
        self,
        settings: Settings,
        next_seq: Callable[[], int],
        *,
        durable: bool | None = None,
        assignment: int | None = None,
    ) -> None:
        """Create a builder.

        settings: of this stream, see ``Settings.for_stream``. next_seq: returns the number of the next event. durable:
        field of the events. assignment: with which their ids begin.
        """
        self._next_seq, self._durable, self._assignment = next_seq, durable, assignment
        self.configure(settings)
        self._tracks: dict[int, _Reported] = {}
        self._continuations = Continuations()
        self._last: Stamp | None = None

    def configure(self, settings: Settings) -> None:
        """Apply other settings from the next frame on."""
        self._settings, self._corrections = settings, Corrections(settings.events)
        self._fields = Fields(settings.events)

    @property
    def positions(self) -> tuple[tuple[int, FlatQuad], ...]:
        """Present quads of the texts that were reported, by track."""
        return tuple((id_, track.latest.quad) for id_, track in self._tracks.items() if track.reported is not None)

    def update(self, readings: Readings) -> Iterator[NewEvent]:
        """Yield the events that follow from the readings of the next frame."""
        yield from self._close_lost(readings, self._continuations.keep(each.track for each in readings.readings))
        for reading in readings.readings:
            renamed = self._continuations.rename(reading)
            if renamed is not None:
                yield from self._on_reading(readings, self._continued(self._corrected(renamed)))
        self._last = readings.stamp

    def _corrected(self, reading: Reading) -> Reading:
        text, confidences = self._corrections.correct(reading.text, reading.char_confidences)
        if text == reading.text:
            return reading
        return structs.replace(reading, text=text, char_confidences=confidences)

    def _continued(self, reading: Reading) -> Reading:
        """Return the reading of a new track under the id of the text that goes on in it, if there is one."""
        known = self._tracks.get(reading.track)
        if (known is not None and known.reported is not None) or not _is_reliable(reading):
            return reading
        for id_, other in self._tracks.items():
            if other.reported is None or other.cut_since_s is not None:
                continue
            if is_continued_by(other.latest, other.reported.text, reading):
                self._continuations.follow(id_, reading.track)
                self._tracks.pop(reading.track, None)
                other.latest = reading = structs.replace(reading, track=id_)
                before = other.reported
                other.reported = structs.replace(
                    reading,
                    start_s=before.start_s,
                    start_quad=before.start_quad,
                    text=before.text,
                    confidence=before.confidence,
                    char_confidences=before.char_confidences,
                )
                break
        return reading

    def _close_lost(self, readings: Readings, listed: Collection[int]) -> Iterator[NewEvent]:
        """Close tracks missing from the state (the tracker was restarted) at the last frame that listed them."""
        for id_ in [id_ for id_ in self._tracks if id_ not in listed]:
            assert self._last is not None, "an earlier frame listed the track"
            latest = structs.replace(self._tracks[id_].latest, end_s=self._last.end_s)
            yield from self._on_reading(readings, latest)

    def _on_reading(self, readings: Readings, reading: Reading) -> Iterator[NewEvent]:
        track = self._tracks.get(reading.track)
        if track is None:
            track = self._tracks[reading.track] = _Reported(reading)
        if reading.revision != track.latest.revision and reading.start_s > track.latest.start_s:
            # The last chance to report the revision before.
            yield from self._report(readings, track, track.latest, reading.start_s)
        track.crop = reading.crop or (track.crop if reading.revision == track.latest.revision else None)
        track.latest = reading
        if _is_reliable(reading) or reading.end_s is not None:
            known = (reading.end_s, reading.hidden_s, readings.stamp.time_s)
            until_s = next(time_s for time_s in known if time_s is not None)
            yield from self._report(readings, track, reading, until_s)
        if reading.overlay and not track.overlay and track.reported is not None:
            track.overlay = True
            yield NewEvent(self._emit(readings, "updated", track, track.reported.text, reading), None)
        if reading.end_s is not None:
            del self._tracks[reading.track]
            if track.reported is not None:
                end_s = reading.end_s if track.cut_since_s is None else track.cut_since_s
                now = structs.replace(reading, end_s=end_s)
                yield NewEvent(self._emit(readings, "ended", track, None, now), None)

    def _report(self, readings: Readings, track: _Reported, reading: Reading, until_s: float) -> Iterator[NewEvent]:
        """Yield an event if a reading, valid until ``until_s``, adds something to what was reported for its track."""
        reported = track.reported
        if reported is not None and _is_same(reported, reading):  # true in nearly all frames
            return
        if not self._is_reportable(reading) or (reported is None and self._is_fragment(readings.stamp, track, until_s)):
            return
        if reported is not None and is_remnant(reported, reading) and until_s - reading.start_s < REPORT.max_remnant_s:
            track.cut_since_s = reading.start_s if track.cut_since_s is None else track.cut_since_s
            return
        track.cut_since_s = None
        kind: Kind | Literal["nothing"] = "appeared" if reported is None else classify_update(reported, reading)
        if kind == "nothing" or (reported and kind == "updated" and not self._is_better(reported, reading)):
            return
        track.reported = reading
        track.counter_ticks += reported is not None and kind == "changed" and is_counter_tick(reported, reading)
        track.overlay |= track.counter_ticks >= REPORT.min_counter_ticks
        if reported is not None and kind == "updated" and reported.start_s < reading.start_s:
            track.reported = structs.replace(reading, start_s=reported.start_s, start_quad=reported.start_quad)
        event = self._emit(readings, kind, track, reported.text if reported else None, reading)
        yield NewEvent(event, track.crop)

    def _is_fragment(self, stamp: Stamp, track: _Reported, until_s: float) -> bool:
        """Return True if a text is, or was a moment ago, a fragment of a reported text."""
        for other in self._tracks.values():
            if other.reported is None or other.latest.hidden_s is not None:
                continue
            if is_fragment_of(track.latest, other.latest, other.reported.text):
                track.fragment_s = stamp.time_s
        return until_s - track.fragment_s < REPORT.max_fragment_s

    def _is_reportable(self, reading: Reading) -> bool:
        """Return True if a reading is a text, long enough and confident enough."""
        characters = len(without_spaces(reading.text))
        if characters < self._settings.events.min_characters or not is_text(reading.text):
            return False
        if self._corrections.ignores(reading.text):
            return False
        if is_single_glyph(reading.text):
            confident = reading.confidence >= REPORT.min_glyph_confidence and reading.crops_read >= REPORT.min_readings
        elif characters < REPORT.short_text:
            confident = reading.confidence >= REPORT.min_short_confidence
        elif reading.crops_read < REPORT.min_readings:
            confident = reading.confidence >= REPORT.min_single_reading_confidence
        else:
            confident = True
        return confident and self._is_confident(reading)

    def _is_confident(self, reading: Reading) -> bool:
        """Return True if a reading reaches both limits of the settings."""
        limits, characters = self._settings.events, self._calibrated(reading)
        return (
            mean_confidence(characters) >= limits.min_mean_confidence
            and text_confidence(characters) >= limits.min_confidence
        )

    def _is_better(self, reported: Reading, reading: Reading) -> bool:
        """Return True if a reading has all that was reported and more, or a higher confidence in the events."""
        return extends(reported, reading) or self._confidence(reading) > self._confidence(reported)

    def _confidence(self, reading: Reading) -> float:
        """Return the confidence that is published."""
        return round(text_confidence(self._calibrated(reading)), CONFIDENCE_DIGITS)

    def _calibrated(self, reading: Reading) -> tuple[float, ...]:
        temperature = self._settings.recognition.temperature
        return reading.char_confidences if temperature is None else calibrate(reading.char_confidences, temperature)

    def _emit(
        self, readings: Readings, kind: Kind, track: _Reported, previous: str | None, reading: Reading
    ) -> TextEvent:
        """Return a numbered event about what is reported for a track. reading: the present one."""
        stamp, reported = readings.stamp, track.reported
        assert reported is not None, "events are about reported texts"
        end_s = reading.end_s if kind == "ended" else None
        characters = self._calibrated(reported)
        start_s = round(reported.start_s, 6)
        facts = (reading.track, kind, reading.revision, reading.crops_read, start_s, reported.text, previous)
        return TextEvent(
            id=event_id(stamp.stream, *facts, assignment=self._assignment),
            seq=self._next_seq(),
            kind=kind,
            stream=stamp.stream,
            track=reading.track,
            text=reported.text,
            confidence=text_confidence(characters),
            char_confidences=characters,
            start=reported.start_s,
            end=end_s,
            start_utc=_utc_at(stamp, reported.start_s),
            end_utc=None if end_s is None else _utc_at(stamp, end_s),
            utc_source=stamp.utc_source,
            polygon=quad_to_polygon(_place(kind, reading)),
            size=readings.size,
            previous=previous,
            emitted_utc=datetime.now(UTC),
            durable=self._durable,
            overlay=track.overlay,
            field=self._fields.find(reported.text, reading.quad, readings.size),
        )


def _place(kind: Kind, reading: Reading) -> FlatQuad:
    """Return the place for an event: at the start or the end of the text, or where it rested soon after or before."""
    rest = reading.rest
    if kind in ("appeared", "changed"):
        soon = rest is not None and 0 <= rest.since_s - reading.start_s <= REPORT.max_flight_s
        return rest.quad if rest and soon and _has_flown(reading.start_quad, rest.quad) else reading.start_quad
    before = rest is not None and reading.end_s is not None and reading.end_s - rest.until_s <= REPORT.max_flight_s
    return rest.quad if rest and before and _has_flown(reading.quad, rest.quad) else reading.quad


def _has_flown(quad: FlatQuad, rest: FlatQuad) -> bool:
    """Return whether a text is further away from where it rests than slow motion could take it in that time."""
    centres = from_flat(quad).mean(axis=0), from_flat(rest).mean(axis=0)
    return float(np.linalg.norm(centres[0] - centres[1])) >= REPORT.min_flight * side_lengths(from_flat(rest))[1]


def build_source_event(
    change: SourceChanged, seq: int, *, durable: bool | None, assignment: int | None = None
) -> SourceEvent:
    """Return the event for a change of a source."""
    facts = (change.kind, change.epoch, round(change.start_s, 6), change.reason)
    return SourceEvent(
        id=event_id(change.stream, *facts, assignment=assignment),
        seq=seq,
        kind=_SOURCE_KINDS[change.kind],
        stream=change.stream,
        start=change.start_s,
        end=change.end_s,
        frames=change.frames,
        reason=change.reason,
        emitted_utc=datetime.now(UTC),
        start_utc=None if change.utc_ns is None else _from_unix(change.utc_ns),
        durable=durable,
    )


def _is_reliable(reading: Reading) -> bool:
    return reading.crops_read > 0 and (
        reading.confidence >= REPORT.clear_confidence or reading.crops_read >= REPORT.min_readings
    )


def _is_same(one: Reading, other: Reading) -> bool:
    return (one.revision, one.crops_read, one.text) == (other.revision, other.crops_read, other.text)


def _utc_at(stamp: Stamp, time_s: float) -> datetime | None:
    """Return UTC of a media time by the clock of a frame that is not far away, or None without a clock."""
    return None if stamp.utc_ns is None else _from_unix(stamp.utc_ns) + timedelta(seconds=time_s - stamp.time_s)


def _from_unix(unix_ns: int) -> datetime:
    return _UNIX_EPOCH + timedelta(microseconds=unix_ns // 1000)
