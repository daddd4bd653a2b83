"""Decode stage for live sources: reads a camera and puts the frames that need work into slots.

The frame policy decides as for files. The difference is what happens when later stages cannot keep up: the reader never
waits. First the detector runs less often, for all sources alike since all see the same slots fill; then frames that are
too old are dropped, which is counted and reported.
"""

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from types import TracebackType
from typing import Any, Self

from stream_ocr import logging_config
from stream_ocr.config.settings import Settings
from stream_ocr.core.frame import pack_header, write_frame
from stream_ocr.core.messages import FrameRef, Message, SourceChanged, Stamp, StreamClosed
from stream_ocr.core.thresholds import FRAMES
from stream_ocr.errors import SettingsError, WorkerError
from stream_ocr.gating.frame_policy import SKIP, FramePolicy
from stream_ocr.logs import get_logger
from stream_ocr.sources.frame_queue import QueuedFrame
from stream_ocr.sources.live import LiveSource
from stream_ocr.stages.base import EPOCHS_PER_INCARNATION, Slots, SourceStage, frame_ring
from stream_ocr.stages.thresholds import DECODE, LIVE, LOAD

log = get_logger(__name__)


class LoadShedder:
    """Runs the detector less often while later stages are too slow.

    After a moment of load, as when a worker is replaced, it soon runs as before. When the load returns with a step to
    shorter intervals, the machine is too slow, and the next step waits twice as long.

    interval_scale: factor by which its runs are further apart than usual.
    """

    def __init__(self) -> None:
        self.interval_scale = 1.0
        self._changed_s = self._loaded_s = self._sped_up_s = float("-inf")
        self._wait_s = LOAD.first_speed_up_s

    def update(self, load: float, now_s: float) -> bool:
        """Update with the load, 0 to 1, and return whether ``interval_scale`` changed. now_s: monotonic time."""
        before = self.interval_scale
        if load > LOAD.low_load:
            self._loaded_s = now_s
        if load > LOAD.high_load and now_s - self._changed_s >= LOAD.slow_down_after_s:
            self.interval_scale = min(self.interval_scale * LOAD.scale_step, LOAD.max_scale)
            if now_s - self._sped_up_s < LOAD.relapse_s:
                self._wait_s = min(2 * self._wait_s, LOAD.longest_speed_up_s)
            self._sped_up_s = float("-inf")  # the steps that follow belong to the same load
        elif before > 1 and now_s - max(self._loaded_s, self._changed_s) >= self._wait_s:
            self.interval_scale = max(self.interval_scale / LOAD.scale_step, 1.0)
            self._sped_up_s = now_s
        if before == 1 and now_s - self._changed_s > LOAD.calm_s:
            self._wait_s = LOAD.first_speed_up_s
        if self.interval_scale == before:
            return False
        self._changed_s = now_s
        return True


class LiveDecodeStage(SourceStage):
    """Decodes one live source."""

    def __init__(
        self, stream: str, settings: Settings, slots: Slots, *, incarnation: int = 0, origin_s: float | None = None
    ) -> None:
        """Create the stage. Raise SettingsError if ``stream`` is not one of ``settings.sources``.

        incarnation: number of restarts of this stage in the run. origin_s: monotonic time of media time 0; None: the
        first arrival.
        """
        if stream not in settings.sources:
            raise SettingsError(f"There is no source {stream!r} in the settings; add it under sources.")
        source = settings.sources[stream]
        self._stream, self._settings, self._slots = stream, settings, slots
        self._max_fps = source.max_fps or settings.detection.max_fps
        self._policy = FramePolicy(settings, source)
        self._shedder = LoadShedder()
        self._source = LiveSource(
            stream,
            source,
            settings.live,
            settings.decode,
            epoch=incarnation * EPOCHS_PER_INCARNATION,
            origin_s=origin_s,
        )
        self._first: Stamp | None = None
        self._last: Stamp | None = None  # of the last frame that went on
        self._frames = self._damaged = self._dropped = self._gaps = 0
        self._pending_gap: tuple[float, int] | None = None  # start in media time, number of dropped frames
        self._gap_reported_s = self._logged_s = float("-inf")

    def __enter__(self) -> Self:
        self._source.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._source.__exit__(kind, error, trace)

    @property
    def max_fps(self) -> float:
        """Return the current limit of detector runs per second."""
        return self._max_fps / self._shedder.interval_scale

    @property
    def counters(self) -> dict[str, dict[str, int]]:
        """Return the counters of the stream."""
        return {
            self._stream: {
                "frames": self._frames,
                "dropped": self._dropped,
                "damaged": self._damaged,
                "corrupt": self._source.corrupt,
                "gaps": self._gaps,
                "connections": self._source.connections,
            }
        }

    def run(self, stop: Callable[[], bool]) -> Iterator[Message]:
        """Yield the frames that are not too old, and changes of the source, until ``stop()`` or the end of a file."""
        reason = "interrupted"
        while not stop():
            ended = self._source.ended  # before take(): what came before the end must still be taken
            item = self._source.take(DECODE.poll_s)
            if isinstance(item, SourceChanged):
                self._count_dropped_last()
                yield from self._report_dropped(item.start_s)
                yield item
            elif item is not None:
                yield from self._process_frame(item, stop)
            elif ended:
                reason = "end"
                break
            else:
                self._check_reader()
        self._count_dropped_last()
        start_s = self._first.time_s if self._first else 0.0
        end_s = self._last.end_s if self._last else start_s
        yield from self._report_dropped(end_s)
        yield StreamClosed(self._stream, reason, start_s, end_s, self.counters[self._stream])

    def _process_frame(self, queued: QueuedFrame, stop: Callable[[], bool]) -> Iterator[Message]:
        stamp, frame, damaged = queued.decoded.stamp, queued.decoded.frame, queued.decoded.damaged
        self._first = self._first or stamp
        self._frames += 1 + queued.dropped_before
        self._damaged += damaged
        self._count_dropped(queued.dropped_before)
        decision = SKIP
        if not damaged and min(frame.size) >= FRAMES.min_side_px:
            decision = self._policy.decide(frame, stamp.time_s, interval_scale=self._shedder.interval_scale)
        claim = None
        if decision.action != "skip":
            claim = self._claim(queued.due_s, stop)
            self._update_load(queued.arrived_s)
            if claim is None:
                self._policy.cancel(decision)
                self._count_dropped(0 if stop() else 1)
                return
            self._policy.commit(frame)
        yield from self._report_gap(stamp)
        slot = None
        if claim is not None:
            # Written only now: nothing may be sent between the write and the reference (see WatermarkEmitter).
            write_frame(frame, claim[1])
            slot = self._slots.commit(claim[0], pack_header(frame, stamp.time_s))
        action, cut, rows = decision
        yield FrameRef(stamp, frame.size, action, slot, frame.full_range, damaged, cut, rows)
        self._last = stamp

    def _claim(self, due_s: float, stop: Callable[[], bool]) -> tuple[int, memoryview] | None:
        """Return a free slot, or None if there is none before the frame is too old. due_s: monotonic time."""
        while not stop():
            left_s = due_s + self._settings.live.max_latency_s - time.monotonic()
            claim = self._slots.claim(timeout_s=min(max(left_s, 0.0), DECODE.poll_s))
            if claim is not None or left_s <= 0:
                return claim
        return None

    def _update_load(self, arrived_s: float) -> None:
        """Run the detector less often when slots run out or frames have to wait. arrived_s: monotonic time."""
        now_s = time.monotonic()
        lateness = 2 * (now_s - arrived_s) / self._settings.live.max_latency_s
        before = self._shedder.interval_scale
        if self._shedder.update(max(lateness, self._slots.in_use / self._slots.slots), now_s):
            scale = self._shedder.interval_scale
            if before == 1 or scale in (1, LOAD.max_scale):  # not each step on the way
                level, sentence = logging.INFO, "detection is at full speed again"
                if scale > 1:
                    level, sentence = logging.WARNING, "detection is slowed"
                log.log(level, sentence, stream=self._stream, max_fps=round(self.max_fps, 2))

    def _count_dropped(self, frames: int) -> None:
        if frames:
            start_s, before = self._pending_gap or (self._last.end_s if self._last else 0.0, 0)
            self._pending_gap = start_s, before + frames
            self._dropped += frames

    def _report_gap(self, stamp: Stamp) -> Iterator[SourceChanged]:
        """Yield the gap before a frame, if any: frames that were dropped, or that never arrived."""
        if self._pending_gap is not None:
            if stamp.time_s - self._gap_reported_s >= LIVE.min_gap_s:
                yield from self._report_dropped(stamp.time_s)
        elif self._last and stamp.epoch == self._last.epoch and stamp.time_s - self._last.end_s >= LIVE.min_gap_s:
            self._gaps += 1
            yield SourceChanged(
                self._stream, "gap", stamp.epoch, self._last.end_s, stamp.time_s, reason="No frames arrived."
            )

    def _count_dropped_last(self) -> None:
        """Count frames that were dropped and that no frame followed."""
        dropped = self._source.take_dropped()
        self._frames += dropped
        self._count_dropped(dropped)

    def _report_dropped(self, end_s: float) -> Iterator[SourceChanged]:
        if self._pending_gap is None:
            return
        (start_s, frames), self._pending_gap = self._pending_gap, None
        self._gaps += 1
        self._gap_reported_s = end_s
        epoch = self._last.epoch if self._last else 0
        if time.monotonic() - self._logged_s >= LIVE.log_interval_s:
            self._logged_s = time.monotonic()
            log.warning("frames were dropped", stream=self._stream, frames=frames, total=self._dropped)
        yield SourceChanged(
            self._stream, "gap", epoch, start_s, max(start_s, end_s), frames, "Frames were too old and were dropped."
        )

    def _check_reader(self) -> None:
        live = self._settings.live
        timeouts_s = 2 * (live.connect_timeout_s + live.read_timeout_s) + live.frame_timeout_s
        if self._source.busy_s > timeouts_s + LIVE.hang_margin_s:
            raise WorkerError(f"The reader of source {self._stream!r} hangs.")


def build(
    settings: Mapping[str, Any],
    rings: Mapping[str, Slots],
    *,
    stream: str,
    incarnation: int = 0,
    origin_s: float | None = None,
) -> LiveDecodeStage:
    """Return the stage for a worker process."""
    typed = Settings.model_validate(settings)
    logging_config.configure(typed, stage="decode")
    return LiveDecodeStage(stream, typed, rings[frame_ring(stream)], incarnation=incarnation, origin_s=origin_s)
