"""A live source: reconnects for ever, is always read, and never falls behind.

One thread does nothing but read and decode, so that neither the camera nor the network ever waits for later stages.
A source is up when its first frame has been decoded, and down as soon as no more arrive, for whatever reason. It is
then tried again after a pause that grows and varies at random, so that many cameras do not reconnect at the same time.
"""

import gc
import logging
import threading
import time
from contextlib import closing
from datetime import datetime
from types import TracebackType
from typing import Literal, Self

from stream_ocr.config.sources import LiveSettings, SourceSettings
from stream_ocr.config.stages import DecodeSettings
from stream_ocr.core.backoff import Backoff
from stream_ocr.core.messages import SourceChanged, Stamp
from stream_ocr.errors import SourceError
from stream_ocr.logs import get_logger
from stream_ocr.sources.camera import CameraReader, CapturedFrame, FileReplay, Pace, PacketLossMonitor
from stream_ocr.sources.connect import UnreachableError, camera_name, is_video_file, open_camera
from stream_ocr.sources.decoded_frame import DecodedFrame
from stream_ocr.sources.files import open_file
from stream_ocr.sources.frame_queue import FrameQueue, QueuedFrame
from stream_ocr.sources.live_clock import TIME_BASE, Lateness, LiveTimeline, UtcClock
from stream_ocr.sources.thresholds import LIVE

_INACTIVE = "It is outside of its active hours."
_LOG_LEVELS = {"up": logging.INFO, "down": logging.WARNING}

log = get_logger(__name__)


class _EndOfFileError(SourceError):
    """A file has been played to its end."""


class LiveSource:
    """Reads a source in a thread of its own from ``__enter__`` on; ``take`` returns its frames and changes in order.

    ended: a file has been played to its end, or cannot be played. connections, corrupt: number of connections and of
    damaged packets so far.
    """

    def __init__(
        self,
        stream: str,
        source: SourceSettings,
        live: LiveSettings,
        decode: DecodeSettings,
        *,
        epoch: int = 0,
        origin_s: float | None = None,
    ) -> None:
        """Create the source without connecting. epoch, origin_s: see ``LiveTimeline``."""
        self.ended = False
        self.connections = self.corrupt = 0
        self._stream, self._source, self._live, self._decode = stream, source, live, decode
        self._name = camera_name(source)
        self._backoff = Backoff(live.min_backoff_s, live.max_backoff_s)
        self._timeline = LiveTimeline(epoch=epoch, origin_s=origin_s)
        self._lateness, self._utc = Lateness(), UtcClock()
        self._queue = FrameQueue(live.max_latency_s)
        self._epoch, self._seq = epoch, 0
        self._up_since_s: float | None = None
        self._announced: tuple[str, str | None] | None = None
        self._busy_since_s: float | None = None
        self._loss_logging = PacketLossMonitor.enabled()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._read, name=f"read {stream}", daemon=True)

    def __enter__(self) -> Self:
        self._loss_logging.__enter__()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop reading; a connection that hangs ends with its time-outs."""
        self._stop.set()
        self._thread.join(LIVE.leave_s)
        self._loss_logging.__exit__(None, None, None)

    @property
    def busy_s(self) -> float:
        """Return the seconds since the reader last returned with a frame or an error."""
        since_s = self._busy_since_s
        return 0.0 if since_s is None else time.monotonic() - since_s

    def take(self, timeout_s: float) -> QueuedFrame | SourceChanged | None:
        """Return the next frame or change of the source, or None if none arrives in time."""
        return self._queue.take(timeout_s)

    def take_dropped(self) -> int:
        """Return the number of frames dropped since the last frame that was taken, and forget them."""
        return self._queue.take_dropped()

    def _read(self) -> None:
        failures = 0
        while not self._stop.is_set():
            if not self._is_active():
                self._announce("down", _INACTIVE)
                self._stop.wait(LIVE.schedule_check_s)
                continue
            self._up_since_s, self._busy_since_s = None, time.monotonic()
            failure = self._read_until_lost(quick=failures % 2 == 0)
            self._busy_since_s = None
            gc.collect()  # errors and their tracebacks are cycles, and hold the frames of the connection
            if self._stop.is_set():
                return
            healthy = self._up_since_s is not None and time.monotonic() - self._up_since_s > LIVE.healthy_s
            failures = 0 if healthy else failures + 1
            self._announce("down", str(failure))
            if isinstance(failure, UnreachableError):
                self._pause(failures, failure)
            elif not (self._source.loop and isinstance(failure, _EndOfFileError)):
                self.ended = True
                return

    def _read_until_lost(self, *, quick: bool) -> SourceError:
        """Connect, read while frames arrive, and return why they ended: UnreachableError if a retry may help."""
        try:
            with PacketLossMonitor(), closing(self._connect(quick=quick)) as reader:
                for captured in reader.frames():
                    if self._stop.is_set():
                        break
                    if not self._is_active():
                        return UnreachableError(_INACTIVE)
                    self.corrupt += reader.corrupt
                    reader.corrupt = 0
                    self._enqueue(captured)
        except SourceError as error:
            return error.with_traceback(None)
        except Exception as error:  # noqa: BLE001 - every failure of a source is retried
            return UnreachableError(f"{self._name} cannot be read ({type(error).__name__}).")
        return _EndOfFileError("The file has ended.")

    def _connect(self, *, quick: bool) -> CameraReader | FileReplay:
        self.connections += 1
        self._timeline.reconnected()
        self._lateness, self._utc = Lateness(), UtcClock()
        self._pace = None if self._is_real_time() else Pace(self._stop.wait)
        path = self._source.path
        if path is not None and is_video_file(self._source):
            decode = self._decode
            return FileReplay(
                open_file(path, stream=self._stream, max_pixels=decode.max_pixels, threads=decode.threads)
            )
        return CameraReader(open_camera(self._source, self._live, quick=quick), self._name, self._live, self._decode)

    def _enqueue(self, captured: CapturedFrame) -> None:
        """Add the time stamps to a frame and put it into the queue."""
        due_s = self._pace.wait_until_due(captured) if self._pace else None
        arrived_s = self._busy_since_s = time.monotonic() if self._pace else captured.arrived_s
        place = self._timeline.place(captured.pts, arrived_s)
        if place.epoch != self._epoch:
            self._epoch, self._seq = place.epoch, 0
            if self._up_since_s is not None:  # within a connection
                self._lateness = Lateness()
                self._utc.reset()
        if due_s is None:
            due_s = self._lateness.due_s(place.pts / TIME_BASE[1], arrived_s, captured.waited_s)
        if captured.report is not None:
            self._utc.update(captured.report, arrived_s)
        utc_ns, utc_source = self._utc.at(captured.pts, arrived_s - due_s)
        stamp = Stamp(
            self._stream, place.epoch, self._seq, place.pts, TIME_BASE, place.step, time.time_ns(), utc_ns, utc_source
        )
        self._seq += 1
        if self._up_since_s is None:
            self._up_since_s = time.monotonic()
            self._announce("up", stamp=stamp)
        self._queue.put(QueuedFrame(DecodedFrame(stamp, captured.frame, captured.damaged), due_s, arrived_s))

    def _announce(self, kind: Literal["up", "down"], reason: str | None = None, stamp: Stamp | None = None) -> None:
        """Log and queue a change of the source, once."""
        if self._announced == (kind, reason):
            return
        self._announced = kind, reason
        log.log(_LOG_LEVELS[kind], f"source is {kind}", stream=self._stream, **({"reason": reason} if reason else {}))
        start_s = self._timeline.end_s(time.monotonic()) if stamp is None else stamp.time_s
        utc_ns = time.time_ns() if stamp is None else stamp.utc_ns
        self._queue.put(SourceChanged(self._stream, kind, self._epoch, start_s, reason=reason, utc_ns=utc_ns))

    def _pause(self, failures: int, failure: UnreachableError) -> None:
        self._stop.wait(self._backoff.longest_delay_s() if failure.permanent else self._backoff.delay_s(failures))

    def _is_active(self) -> bool:
        return self._source.is_active(datetime.now())  # noqa: DTZ005 - active hours are local time

    def _is_real_time(self) -> bool:
        """Return whether the source itself delivers frames in real time."""
        address = self._source.address
        return address.scheme in ("rtsp", "rtsps") if address else not is_video_file(self._source)
