"""A source that never ends: connected to again and again, always read, never late.

One thread does nothing but read and decode, so that neither the camera nor the network ever waits for what follows.
A source counts as up when its first picture has been decoded, and as down as soon as no more come, for whatever
reason; then it is tried again after a pause that grows, by chance a little longer or shorter, so that many cameras do
not come back at the same moment.
"""

import gc
import logging
import threading
import time
from contextlib import closing
from datetime import datetime
from types import TracebackType
from typing import Literal, Self

import structlog

from stream_ocr.config.sources import LiveSettings, SourceSettings
from stream_ocr.config.stages import DecodeSettings
from stream_ocr.core.backoff import Backoff
from stream_ocr.core.messages import SourceChanged, Stamp
from stream_ocr.errors import SourceError
from stream_ocr.sources.camera import CameraReader, CapturedFrame, FileReplay, Losses, Pace
from stream_ocr.sources.connect import UnreachableError, camera_name, is_video_file, open_camera
from stream_ocr.sources.decoded_frame import DecodedFrame
from stream_ocr.sources.files import open_file
from stream_ocr.sources.frame_queue import FrameQueue, QueuedFrame
from stream_ocr.sources.live_clock import TIME_BASE, Lateness, LiveTimeline, Utc

_HEALTHY_S = 5.0  # a connection that lasted so long makes the next pause short again
_LEAVE_S = 1.0
_HOURS_CHECK_S = 1.0
_OUTSIDE = "It is outside of its active hours."
_LEVELS = {"up": logging.INFO, "down": logging.WARNING}

log = structlog.get_logger(__name__)


class LiveSource:
    """Reads a source from ``__enter__`` on in a thread of its own; ``take`` gives what came, in order.

    ended: a file has been played to its end, or cannot be. connections: so far. corrupt: damaged packets so far.
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
        """epoch, origin_s: as of a ``LiveTimeline``."""
        self.ended = False
        self.connections = self.corrupt = 0
        self._stream, self._source, self._live, self._decode = stream, source, live, decode
        self._name = camera_name(source)
        self._backoff = Backoff(live.min_backoff_s, live.max_backoff_s)
        self._timeline = LiveTimeline(epoch=epoch, origin_s=origin_s)
        self._lateness, self._utc = Lateness(), Utc()
        self._mailbox = FrameQueue(live.max_latency_s)
        self._epoch, self._seq = epoch, 0
        self._up_since_s: float | None = None
        self._told: tuple[str, str | None] | None = None
        self._busy_since_s: float | None = None
        self._told_losses = Losses.told()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._read, name=f"read {stream}", daemon=True)

    def __enter__(self) -> Self:
        self._told_losses.__enter__()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop reading. A connection that hangs is left to its time-outs."""
        self._stop.set()
        self._thread.join(_LEAVE_S)
        self._told_losses.__exit__(None, None, None)

    @property
    def silent_s(self) -> float:
        """Seconds for which the reader has not come back, neither with a picture nor with an error."""
        since_s = self._busy_since_s
        return 0.0 if since_s is None else time.monotonic() - since_s

    def take(self, timeout_s: float) -> QueuedFrame | SourceChanged | None:
        """What came next, when it comes in time."""
        return self._mailbox.take(timeout_s)

    def _read(self) -> None:
        failures = 0
        while not self._stop.is_set():
            if not self._is_active():
                self._tell("down", _OUTSIDE)
                self._stop.wait(_HOURS_CHECK_S)
                continue
            self._up_since_s, self._busy_since_s = None, time.monotonic()
            loss = self._until_lost(quick=failures % 2 == 0)
            self._busy_since_s = None
            gc.collect()  # errors and their tracebacks are cycles, and hold the pictures of the connection
            if self._stop.is_set():
                return
            healthy = self._up_since_s is not None and time.monotonic() - self._up_since_s > _HEALTHY_S
            failures = 0 if healthy else failures + 1
            self._tell("down", str(loss))
            if not isinstance(loss, UnreachableError):
                self.ended = True
                return
            self._pause(failures, loss)

    def _until_lost(self, *, quick: bool) -> SourceError:
        """Connect, and read while pictures come. What ended it; UnreachableError where it may be had again."""
        try:
            with Losses(), closing(self._connect(quick=quick)) as feed:
                for shot in feed.shots():
                    if self._stop.is_set():
                        break
                    if not self._is_active():
                        return UnreachableError(_OUTSIDE)
                    self.corrupt += feed.corrupt
                    feed.corrupt = 0
                    self._show(shot)
        except SourceError as error:
            return error.with_traceback(None)
        except Exception as error:  # noqa: BLE001 - whatever a source does, it is tried again
            return UnreachableError(f"{self._name} cannot be read ({type(error).__name__}).")
        return SourceError("The file has ended.")

    def _connect(self, *, quick: bool) -> CameraReader | FileReplay:
        self.connections += 1
        self._timeline.reconnected()
        self._lateness, self._utc = Lateness(), Utc()
        self._pace = None if self._keeps_time() else Pace(self._stop.wait)
        path = self._source.path
        if path is not None and is_video_file(self._source):
            decode = self._decode
            return FileReplay(
                open_file(path, stream=self._stream, max_pixels=decode.max_pixels, threads=decode.threads)
            )
        return CameraReader(open_camera(self._source, self._live, quick=quick), self._name, self._live, self._decode)

    def _show(self, shot: CapturedFrame) -> None:
        """Give a picture its time and leave it to be fetched."""
        due_s = self._pace.due_s(shot) if self._pace else None
        arrived_s = self._busy_since_s = time.monotonic() if self._pace else shot.arrived_s
        place = self._timeline.place(shot.pts, arrived_s)
        if place.epoch != self._epoch:
            self._epoch, self._seq = place.epoch, 0
            if self._up_since_s is not None:  # in the midst of a connection
                self._lateness = Lateness()
                self._utc.jumped()
        if due_s is None:
            due_s = self._lateness.due_s(place.pts / TIME_BASE[1], arrived_s, shot.waited_s)
        if shot.report is not None:
            self._utc.reported(shot.report, arrived_s)
        utc_ns, clock = self._utc.of(shot.pts, arrived_s - due_s)
        stamp = Stamp(
            self._stream, place.epoch, self._seq, place.pts, TIME_BASE, place.step, time.time_ns(), utc_ns, clock
        )
        self._seq += 1
        if self._up_since_s is None:
            self._up_since_s = time.monotonic()
            self._tell("up", stamp=stamp)
        self._mailbox.put(QueuedFrame(DecodedFrame(stamp, shot.frame, shot.damaged), due_s, arrived_s))

    def _tell(self, kind: Literal["up", "down"], reason: str | None = None, stamp: Stamp | None = None) -> None:
        """Say once what has become of the source."""
        if self._told == (kind, reason):
            return
        self._told = kind, reason
        log.log(_LEVELS[kind], f"source is {kind}", stream=self._stream, **({"reason": reason} if reason else {}))
        start_s = self._timeline.end_s(time.monotonic()) if stamp is None else stamp.time_s
        utc_ns = time.time_ns() if stamp is None else stamp.utc_ns
        self._mailbox.put(SourceChanged(self._stream, kind, self._epoch, start_s, reason=reason, utc_ns=utc_ns))

    def _pause(self, failures: int, loss: UnreachableError) -> None:
        self._stop.wait(self._backoff.longest_delay_s() if loss.lasting else self._backoff.delay_s(failures))

    def _is_active(self) -> bool:
        return self._source.is_active(datetime.now())  # noqa: DTZ005 - hours of the day at this machine are meant

    def _keeps_time(self) -> bool:
        """Whether the source itself gives pictures no faster than they are to be seen."""
        address = self._source.address
        return address.scheme in ("rtsp", "rtsps") if address else not is_video_file(self._source)
