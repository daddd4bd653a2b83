"""A sink that delivers by itself: ``write`` puts an event into a spool, a thread takes it from there, in order.

A delivery that fails is tried again, with pauses that grow and are never the same twice, so that many senders do not
come back at once. An event leaves the spool when it was taken, so each is delivered at least once, after a kill too.
"""

import random
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import structlog

from stream_ocr.errors import EventsLostError, SinkError
from stream_ocr.events import Event
from stream_ocr.sinks.base import reason
from stream_ocr.sinks.disk_queue import DiskQueue, QueueFullError

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a delivery.

    taken: it is done with. refused: these events will never be taken. later: try again, after ``pause_s`` where the
    receiver or the case asks for it.
    """

    verdict: Literal["taken", "refused", "later"]
    reason: str = ""
    pause_s: float | None = None


TAKEN = Outcome("taken")


class Delivery(Protocol):
    """Knows how to hand events, as lines of JSON, to one receiver."""

    def open(self) -> None:
        """Check what can be checked, without the receiver. Raises StreamOcrError."""
        ...

    def deliver(self, lines: Sequence[bytes]) -> Outcome:
        """Hand over a batch; called by one thread, and ends soon after ``interrupt``."""
        ...

    def interrupt(self) -> None:
        """Let ``deliver`` end; called by another thread, and nothing is delivered after it."""
        ...

    def close(self) -> None:
        """Let go; called by the thread that delivered."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How many events at a time, how long the pauses after failures, how long the end waits."""

    max_events: int = 100
    pause_s: float = 0.5
    max_pause_s: float = 60.0
    close_s: float = 5.0


class QueuedSink:
    """Events to a receiver that may be slow, absent or hostile, and holds up nothing here."""

    def __init__(self, name: str, spool: DiskQueue, delivery: Delivery, pace: Pace) -> None:
        self.name = name
        self._spool, self._delivery, self._pace = spool, delivery, pace
        self._limit = pace.max_events
        self._failures = 0
        self._trouble = ""
        self._given_up: list[str] = []  # why, for each event; append and pop are atomic
        self._closing, self._stop, self._over = threading.Event(), threading.Event(), threading.Event()
        self._failure: Exception | None = None
        self._thread = threading.Thread(target=self._run, name=f"sink {name}", daemon=True)

    def open(self) -> None:
        self._spool.open()
        try:
            self._delivery.open()
        except BaseException:
            self._spool.close()
            raise
        if waiting := len(self._spool):
            log.info("events of an earlier run are delivered first", sink=self.name, waiting=waiting)
        self._thread.start()

    def write(self, event: Event) -> None:
        self._raise_failure()
        try:
            self._spool.put(event.to_json())
        except (QueueFullError, OSError) as error:
            raise EventsLostError(reason(error), 1 + len(self._take_given_up())) from error
        self._raise_given_up()

    def close(self) -> None:
        self._closing.set()
        self._spool.wait_until_empty(self._pace.close_s, self._over)
        self._stop.set()
        self._spool.wake()
        self._delivery.interrupt()
        self._thread.join()
        if waiting := len(self._spool):
            log.warning("events wait in the spool for the next run", sink=self.name, waiting=waiting)
        self._spool.close()
        self._raise_failure()
        self._raise_given_up()

    def _run(self) -> None:
        try:
            try:
                while lines := self._spool.peek(self._limit, self._stop):
                    self._follow_up(lines, self._delivery.deliver(lines))
            finally:
                self._delivery.close()
        except Exception as error:  # noqa: BLE001 - told by the next write, or by close
            self._failure = error
        finally:
            self._over.set()
            self._spool.wake()

    def _follow_up(self, lines: list[bytes], outcome: Outcome) -> None:
        match outcome.verdict:
            case "taken":
                self._spool.drop(lines)
                self._well()
            case "refused" if len(lines) > 1:
                self._limit = len(lines) // 2  # to find the one that is not wanted
            case "refused":
                self._given_up.append(outcome.reason)
                self._spool.drop(lines)
            case "later" if not self._stop.is_set():
                self._wait(outcome)

    def _well(self) -> None:
        self._limit = min(2 * self._limit, self._pace.max_events)
        if self._trouble:
            log.info("delivery works again", sink=self.name)
        self._failures, self._trouble = 0, ""

    def _wait(self, outcome: Outcome) -> None:
        if outcome.reason != self._trouble:
            log.warning("delivery fails", sink=self.name, reason=outcome.reason, waiting=len(self._spool))
        self._trouble = outcome.reason
        grown_s = self._pace.pause_s * 2 ** min(self._failures, 30) * random.uniform(0.5, 1.0)
        pause_s = min(max(grown_s, outcome.pause_s or 0.0), self._pace.max_pause_s)
        self._failures += 1
        if outcome.pause_s is not None:
            self._stop.wait(pause_s)
        elif self._closing.is_set():  # the end of the run does not wait for long
            self._stop.wait(min(pause_s, self._pace.pause_s))
        else:
            self._closing.wait(pause_s)

    def _take_given_up(self) -> list[str]:
        return [self._given_up.pop() for _ in range(len(self._given_up))]

    def _raise_given_up(self) -> None:
        if reasons := self._take_given_up():
            raise EventsLostError(reasons[0], len(reasons))

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise SinkError(f"Delivery has ended: {reason(self._failure)}.") from self._failure
