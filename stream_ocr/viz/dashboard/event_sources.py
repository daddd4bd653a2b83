"""Feeds of the dashboard: a log file that may be growing, or a subscription."""

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from io import BufferedReader
from itertools import islice
from pathlib import Path
from threading import Event as Flag
from threading import Thread
from types import TracebackType
from typing import Protocol, Self

from stream_ocr.client import Subscription, subscribe
from stream_ocr.errors import SourceError
from stream_ocr.events import DECODE_ERRORS, Event, parse
from stream_ocr.logs import get_logger
from stream_ocr.viz.dashboard.event_buffer import EventBuffer
from stream_ocr.viz.thresholds import DASHBOARD

log = get_logger(__name__)


class Feed(Protocol):
    """A source of events. ``run`` is called in its own thread and returns soon after ``stop`` is set."""

    name: str

    def run(self, buffer: EventBuffer, stop: Flag) -> None:
        """Add events to the buffer until ``stop`` is set."""
        ...


class LogFileFeed:
    """Follows a growing .jsonl file. If the file is replaced or truncated, the buffer restarts."""

    def __init__(self, path: Path) -> None:
        """Check that the file exists. Raises SourceError."""
        self.name = path.name
        self.path = path
        self._lines = 0
        if not path.is_file():
            raise SourceError(f"There is no file {path}; name a .jsonl file of events.")

    def run(self, buffer: EventBuffer, stop: Flag) -> None:
        while not stop.is_set():
            try:
                with self.path.open("rb") as file:
                    self._follow(file, buffer, stop)
            except FileNotFoundError:
                stop.wait(DASHBOARD.poll_s)  # the file is being replaced
            if not stop.is_set():
                buffer.restart()

    def _follow(self, file: BufferedReader, buffer: EventBuffer, stop: Flag) -> None:
        """Read lines until ``stop`` is set or the file is replaced, truncated or overwritten."""
        self._lines = 0
        rest = b""
        head = _head(file)
        while not stop.is_set():
            lines = file.readlines(DASHBOARD.read_bytes) if head else []
            # Compared after reading: lines that were read while the file was cut belong to no state of it.
            current_head = _head(file)
            if not current_head.startswith(head) or self._is_replaced(file):
                return
            head = current_head
            if not lines:
                stop.wait(DASHBOARD.poll_s)
                continue
            lines[0] = rest + lines[0]
            rest = b"" if lines[-1].endswith(b"\n") else lines.pop()
            events = list(self._parse(lines))
            for begin in range(0, len(events), DASHBOARD.feed_batch_events):
                buffer.add(events[begin : begin + DASHBOARD.feed_batch_events])

    def _is_replaced(self, file: BufferedReader) -> bool:
        try:
            now, opened = self.path.stat(), os.fstat(file.fileno())
        except FileNotFoundError:
            return True
        return now.st_ino != opened.st_ino or now.st_size < file.tell()

    def _parse(self, lines: list[bytes]) -> Iterator[Event]:
        for line in lines:
            self._lines += 1
            try:
                if line.strip():
                    yield parse(line)
            except DECODE_ERRORS as error:
                log.warning("line is not an event", path=str(self.path), line=self._lines, reason=str(error))


def _head(file: BufferedReader) -> bytes:
    """Return the first bytes of a file, which change if it is cut or overwritten."""
    return os.pread(file.fileno(), DASHBOARD.head_bytes, 0)


class SubscriptionFeed:
    """Subscribes to a publisher: events of the last hour, older texts still on screen, and all that follow."""

    def __init__(self, endpoint: str, *, key: Path | None = None, server_key: Path | None = None) -> None:
        """Check endpoint and keys. Raises SubscribeError."""
        self.name = endpoint
        self._open = partial(subscribe, endpoint, key=key, server_key=server_key)
        self._open().close()  # so that mistakes are reported at once

    def run(self, buffer: EventBuffer, stop: Flag) -> None:
        since = datetime.now(UTC) - timedelta(seconds=DASHBOARD.history_s)
        with self._open(since=since) as subscription:
            while not subscription.synced and not stop.is_set():
                subscription.wait(DASHBOARD.poll_s)
            buffer.add(self._older_texts(since, stop))
            while not stop.is_set():
                if (event := subscription.receive(DASHBOARD.poll_s)) is not None:
                    buffer.add([event, *islice(_available(subscription), DASHBOARD.feed_batch_events)])

    def _older_texts(self, since: datetime, stop: Flag) -> list[Event]:
        """Return the events of texts on screen that were last reported before ``since``."""
        with self._open(since="snapshot") as snapshot:
            while not snapshot.synced and not stop.is_set():
                snapshot.wait(DASHBOARD.poll_s)
            events = list(_available(snapshot))
        return [event for event in events if event.emitted_utc is not None and event.emitted_utc < since]


class FeedThread:
    """Runs a feed in a thread while it is entered."""

    def __init__(self, feed: Feed, buffer: EventBuffer) -> None:
        self._stop = Flag()
        self._thread = Thread(target=self._run, args=(feed, buffer), name="feed", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join(timeout=DASHBOARD.join_s)

    @property
    def is_alive(self) -> bool:
        """True while the feed runs."""
        return self._thread.is_alive()

    def _run(self, feed: Feed, buffer: EventBuffer) -> None:
        try:
            feed.run(buffer, self._stop)
        except Exception:
            log.exception("feed failed", feed=feed.name)


def _available(subscription: Subscription) -> Iterator[Event]:
    """Yield the events that have already arrived."""
    while (event := subscription.receive(0)) is not None:
        yield event
