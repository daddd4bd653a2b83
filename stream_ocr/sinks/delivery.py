"""Asynchronous delivery: ``write`` appends an event to a disk queue, a thread delivers the queue in order.

Failed deliveries are retried with exponential backoff and jitter, so that many senders do not retry in step. An event
leaves the queue once the receiver has accepted it: each is delivered at least once, also after a kill.
"""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from stream_ocr.core.backoff import Backoff
from stream_ocr.core.permit import Permit
from stream_ocr.errors import EventsLostError, SinkError
from stream_ocr.events import Event
from stream_ocr.logs import get_logger
from stream_ocr.sinks.base import describe_error
from stream_ocr.sinks.disk_queue import DiskQueue, QueueFullError
from stream_ocr.sinks.thresholds import THRESHOLDS

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class DeliveryResult:
    """The result of a delivery.

    accepted: the receiver has the events. rejected: it will never accept them. retry: send them again, not before
    ``retry_after_s`` if given.
    """

    status: Literal["accepted", "rejected", "retry"]
    reason: str = ""
    retry_after_s: float | None = None


ACCEPTED = DeliveryResult("accepted")


class Delivery(Protocol):
    """Delivers events, as lines of JSON, to one receiver."""

    def open(self) -> None:
        """Check everything that can be checked without the receiver. Raises StreamOcrError."""
        ...

    def deliver(self, lines: Sequence[bytes]) -> DeliveryResult:
        """Deliver a batch. Called by one thread; returns soon after ``interrupt``."""
        ...

    def set_crop(self, event_id: str, webp: bytes) -> None:  # noqa: ARG002 for those that override it
        """Take over the picture of an event that is delivered later. Called by another thread."""
        return

    def interrupt(self) -> None:
        """Make ``deliver`` return. Called by another thread; nothing is delivered afterwards."""
        ...

    def close(self) -> None:
        """Release resources. Called by the thread that delivered."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """Batch size, backoff and flush time of a delivery."""

    max_events: int = THRESHOLDS.delivery_events
    """Maximum events in a batch."""

    min_backoff_s: float = THRESHOLDS.delivery_min_backoff_s
    """Pause after the first failure, in seconds; doubled with each further one."""

    max_backoff_s: float = THRESHOLDS.delivery_max_backoff_s
    """Longest pause, in seconds."""

    flush_timeout_s: float = THRESHOLDS.delivery_flush_timeout_s
    """Maximum time that ``close`` waits for undelivered events, in seconds."""


class QueuedSink:
    """Queues events for a receiver that may be slow, absent or hostile, without ever blocking ``write``."""

    def __init__(
        self, name: str, queue: DiskQueue, delivery: Delivery, retry: RetryPolicy, *, permit: Path | None = None
    ) -> None:
        """permit: file of the permit without which nothing is delivered; None: none is needed."""
        self.name = name
        self._permit_path = permit
        self._permit: Permit | None = None
        self._queue, self._delivery, self._retry = queue, delivery, retry
        self._limit = retry.max_events
        self._backoff = Backoff(retry.min_backoff_s, retry.max_backoff_s, jitter=THRESHOLDS.backoff_jitter)
        self._failures = 0
        self._last_error = ""
        self._rejected: list[str] = []  # the reason for each event; append and pop are atomic
        self._closing, self._stop, self._finished = threading.Event(), threading.Event(), threading.Event()
        self._thread_error: Exception | None = None
        self._thread = threading.Thread(target=self._run, name=f"sink {name}", daemon=True)

    def open(self) -> None:
        self._queue.open()
        try:
            self._permit = None if self._permit_path is None else Permit(self._permit_path)
            self._delivery.open()
        except BaseException:
            self._queue.close()
            raise
        if pending := len(self._queue):
            log.info("delivering events of an earlier run first", sink=self.name, pending=pending)
        self._thread.start()

    def write(self, event: Event) -> None:
        self._raise_thread_error()
        try:
            self._queue.put(event.to_json())
        except (QueueFullError, OSError) as error:
            raise EventsLostError(describe_error(error), 1 + len(self._take_rejected())) from error
        self._raise_rejected()

    def set_crop(self, event_id: str, webp: bytes) -> None:
        self._delivery.set_crop(event_id, webp)

    def close(self) -> None:
        self._closing.set()
        self._queue.wait_until_empty(self._retry.flush_timeout_s, self._finished)
        self._stop.set()
        self._queue.wake()
        self._delivery.interrupt()
        self._thread.join()
        if pending := len(self._queue):
            log.warning("undelivered events are kept for the next run", sink=self.name, pending=pending)
        self._queue.close()
        self._raise_thread_error()
        self._raise_rejected()

    def _run(self) -> None:
        try:
            try:
                while lines := self._queue.peek(self._limit, self._stop):
                    self._handle(lines, self._deliver(lines))
            finally:
                self._delivery.close()
        except Exception as error:  # noqa: BLE001 - raised by the next write, or by close
            self._thread_error = error
        finally:
            self._finished.set()
            self._queue.wake()

    def _deliver(self, lines: list[bytes]) -> DeliveryResult:
        if self._permit is not None and not self._permit.is_valid:
            return DeliveryResult("retry", "the permit of this host has expired")
        return self._delivery.deliver(lines)

    def _handle(self, lines: list[bytes], result: DeliveryResult) -> None:
        match result.status:
            case "accepted":
                self._queue.drop(lines)
                self._on_accepted()
            case "rejected" if len(lines) > 1:
                self._limit = len(lines) // 2  # to find the event that is rejected
            case "rejected":
                self._rejected.append(result.reason)
                self._queue.drop(lines)
            case "retry" if not self._stop.is_set():
                self._back_off(result)

    def _on_accepted(self) -> None:
        self._limit = min(2 * self._limit, self._retry.max_events)
        if self._last_error:
            log.info("delivery recovered", sink=self.name)
        self._failures, self._last_error = 0, ""

    def _back_off(self, result: DeliveryResult) -> None:
        if result.reason != self._last_error:
            log.warning("delivery failed", sink=self.name, reason=result.reason, pending=len(self._queue))
        self._last_error = result.reason
        self._failures += 1
        pause_s = min(
            max(self._backoff.delay_s(self._failures), result.retry_after_s or 0.0), self._retry.max_backoff_s
        )
        if result.retry_after_s is not None:
            self._stop.wait(pause_s)
        elif self._closing.is_set():  # the end of a run must not wait for long
            self._stop.wait(min(pause_s, self._retry.min_backoff_s))
        else:
            self._closing.wait(pause_s)

    def _take_rejected(self) -> list[str]:
        return [self._rejected.pop() for _ in range(len(self._rejected))]

    def _raise_rejected(self) -> None:
        if reasons := self._take_rejected():
            raise EventsLostError(reasons[0], len(reasons))

    def _raise_thread_error(self) -> None:
        if self._thread_error is not None:
            raise SinkError(f"Delivery has failed: {describe_error(self._thread_error)}.") from self._thread_error
