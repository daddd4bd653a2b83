"""Watch: from a live source to frames in slots; the part of decode for sources that never end.

What a frame is worth is decided as for files. The difference is what happens when the stages behind cannot keep up:
nobody waits. First the detector is asked more seldom, for all sources alike since all see the same slots fill; then
pictures that would be stale are dropped, which is counted and said.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from types import TracebackType
from typing import Any, Self

import structlog

from stream_ocr import logging_config
from stream_ocr.config.settings import Settings
from stream_ocr.core import frame as frames
from stream_ocr.core.messages import FrameRef, Message, SourceChanged, Stamp, StreamClosed
from stream_ocr.errors import SettingsError, WorkerError
from stream_ocr.gating.frame_policy import SKIP, FramePolicy
from stream_ocr.sources.frame_queue import QueuedFrame
from stream_ocr.sources.live import LiveSource
from stream_ocr.stages.base import EPOCHS_PER_INCARNATION, Slots, SourceStage, frame_ring

_PATIENCE_S = 0.1
_PAUSE_S = 1.0  # without pictures, from which that is a gap; also the least time between two gaps that are told
_LOG_S = 10.0  # between two lines of the log about dropped pictures; events tell of every gap
_HANG_S = 10.0  # beyond all time-outs
_BUSY, _EASY = 0.75, 0.5  # share of the slots that are taken, or of half the age at which pictures are stale
_STEP, _MOST = 1.5, 8.0
_SLOWER_AFTER_S, _FASTER_AFTER_S = 0.5, 3.0

log = structlog.get_logger(__name__)


class LoadShedder:
    """How much further apart the looks of the detector are while the stages behind are too slow: ``stretch``."""

    def __init__(self) -> None:
        self.stretch = 1.0
        self._changed_s = self._busy_s = float("-inf")

    def feel(self, load: float, now_s: float) -> bool:
        """Take in how full or how late things are, 0 to 1; whether that changed anything."""
        before = self.stretch
        if load > _EASY:
            self._busy_s = now_s
        if load > _BUSY and now_s - self._changed_s >= _SLOWER_AFTER_S:
            self.stretch = min(self.stretch * _STEP, _MOST)
        elif now_s - max(self._busy_s, self._changed_s) >= _FASTER_AFTER_S:
            self.stretch = max(self.stretch / _STEP, 1.0)
        if self.stretch == before:
            return False
        self._changed_s = now_s
        return True


class LiveDecodeStage(SourceStage):
    """A source stage: ``run`` gives the messages of one live source, ``StreamClosed`` last."""

    def __init__(
        self, stream: str, settings: Settings, slots: Slots, *, incarnation: int = 0, origin_s: float | None = None
    ) -> None:
        """stream: one of ``settings.sources``. incarnation: how often this stage has been replaced in a run.

        origin_s: monotonic time that is media time 0; None: when the first picture comes.
        """
        if stream not in settings.sources:
            raise SettingsError(f"There is no source {stream!r} in the settings; add it under sources.")
        source = settings.sources[stream]
        self._stream, self._settings, self._slots = stream, settings, slots
        self._max_per_s = source.max_fps or settings.detection.max_fps
        self._worth = FramePolicy(settings, source)
        self._relief = LoadShedder()
        self._source = LiveSource(
            stream,
            source,
            settings.live,
            settings.decode,
            epoch=incarnation * EPOCHS_PER_INCARNATION,
            origin_s=origin_s,
        )
        self._first: Stamp | None = None
        self._last: Stamp | None = None  # of a frame that was handed on
        self._seen = self._damaged = self._dropped = self._gaps = 0
        self._missing: tuple[float, int] | None = None  # since which media time, and how many
        self._gap_told_s = self._logged_s = float("-inf")

    def __enter__(self) -> Self:
        self._source.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._source.__exit__(kind, error, trace)

    @property
    def max_per_s(self) -> float:
        """Looks of the detector per second at most, now."""
        return self._max_per_s / self._relief.stretch

    @property
    def counters(self) -> dict[str, dict[str, int]]:
        """Of its one stream."""
        return {
            self._stream: {
                "frames": self._seen,
                "dropped": self._dropped,
                "damaged": self._damaged,
                "corrupt": self._source.corrupt,
                "gaps": self._gaps,
                "connections": self._source.connections,
            }
        }

    def run(self, stop: Callable[[], bool]) -> Iterator[Message]:
        """Every picture that is not stale, until ``stop()`` or until a file has been played."""
        reason = "interrupted"
        while not stop():
            ended = self._source.ended  # asked first: what came before the end is to be taken
            item = self._source.take(_PATIENCE_S)
            if isinstance(item, SourceChanged):
                yield from self._tell_gap(item.start_s)
                yield item
            elif item is not None:
                yield from self._show(item, stop)
            elif ended:
                reason = "end"
                break
            else:
                self._check_reader()
        start_s = self._first.time_s if self._first else 0.0
        end_s = self._last.end_s if self._last else start_s
        yield from self._tell_gap(end_s)
        yield StreamClosed(self._stream, reason, start_s, end_s, self.counters[self._stream])

    def _show(self, shown: QueuedFrame, stop: Callable[[], bool]) -> Iterator[Message]:
        picture, stamp = shown.picture, shown.picture.stamp
        self._first = self._first or stamp
        self._seen += 1 + shown.missed
        self._damaged += picture.damaged
        self._miss(shown.missed)
        work = SKIP
        if not picture.damaged:
            work = self._worth.look(picture.frame, stamp.time_s, stretch=self._relief.stretch)
        claim = None
        if work.action != "skip":
            claim = self._claim(shown.due_s, stop)
            self._feel(shown.arrived_s)
            if claim is None:
                self._worth.dropped(work.action)
                self._miss(0 if stop() else 1)
                return
            self._worth.handed_on(picture.frame)
        yield from self._tell_pause(stamp)
        slot = None
        if claim is not None:  # filled only now: nothing may be sent between that and the reference (see Marker)
            frames.write_frame(picture.frame, claim[1])
            slot = self._slots.commit(claim[0], frames.pack_header(picture.frame, stamp.time_s))
        frame = picture.frame
        yield FrameRef(stamp, frame.size, work.action, slot, frame.full_range, picture.damaged, work.cut, work.rows)
        self._last = stamp

    def _claim(self, due_s: float, stop: Callable[[], bool]) -> tuple[int, memoryview] | None:
        """A free slot; None when there is none until the picture is stale."""
        while not stop():
            left_s = due_s + self._settings.live.max_latency_s - time.monotonic()
            claim = self._slots.claim(timeout_s=min(max(left_s, 0.0), _PATIENCE_S))
            if claim is not None or left_s <= 0:
                return claim
        return None

    def _feel(self, arrived_s: float) -> None:
        """Ask the detector more seldom when slots run out, or pictures have to wait."""
        now_s = time.monotonic()
        late = 2 * (now_s - arrived_s) / self._settings.live.max_latency_s
        before = self._relief.stretch
        if self._relief.feel(max(late, self._slots.in_use / self._slots.slots), now_s):
            stretch = self._relief.stretch
            if before == 1 or stretch in (1, _MOST):  # not each step on the way
                sentence = "detection is slowed" if stretch > 1 else "detection is at full speed again"
                log.warning(sentence, stream=self._stream, looks_per_s=round(self.max_per_s, 2))

    def _miss(self, pictures: int) -> None:
        """Pictures will not be looked at."""
        if pictures:
            since_s, before = self._missing or (self._last.end_s if self._last else 0.0, 0)
            self._missing = since_s, before + pictures
            self._dropped += pictures

    def _tell_pause(self, stamp: Stamp) -> Iterator[SourceChanged]:
        """Say what is missing before a frame: pictures that were dropped, or that never came."""
        if self._missing is not None:
            if stamp.time_s - self._gap_told_s >= _PAUSE_S:
                yield from self._tell_gap(stamp.time_s)
        elif self._last and stamp.epoch == self._last.epoch and stamp.time_s - self._last.end_s >= _PAUSE_S:
            self._gaps += 1
            yield SourceChanged(
                self._stream, "gap", stamp.epoch, self._last.end_s, stamp.time_s, reason="No pictures came."
            )

    def _tell_gap(self, end_s: float) -> Iterator[SourceChanged]:
        if self._missing is None:
            return
        (start_s, missed), self._missing = self._missing, None
        self._gaps += 1
        self._gap_told_s = end_s
        epoch = self._last.epoch if self._last else 0
        if time.monotonic() - self._logged_s >= _LOG_S:
            self._logged_s = time.monotonic()
            log.warning("pictures were dropped", stream=self._stream, pictures=missed, so_far=self._dropped)
        yield SourceChanged(
            self._stream, "gap", epoch, start_s, max(start_s, end_s), missed, "Pictures were stale and were dropped."
        )

    def _check_reader(self) -> None:
        live = self._settings.live
        if self._source.silent_s > 2 * (live.connect_timeout_s + live.read_timeout_s) + live.frame_timeout_s + _HANG_S:
            raise WorkerError(f"The reader of source {self._stream!r} hangs.")


def build(
    settings: Mapping[str, Any],
    rings: Mapping[str, Slots],
    *,
    stream: str,
    incarnation: int = 0,
    origin_s: float | None = None,
) -> LiveDecodeStage:
    """The stage for a worker process."""
    typed = Settings.model_validate(settings)
    logging_config.configure(typed, stage="decode")
    return LiveDecodeStage(stream, typed, rings[frame_ring(stream)], incarnation=incarnation, origin_s=origin_s)
