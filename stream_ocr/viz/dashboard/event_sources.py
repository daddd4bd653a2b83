"""Where the events of the page come from: a file that may still be growing, or the socket of a publisher."""

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

import structlog

from stream_ocr.client import Subscription, subscribe
from stream_ocr.errors import SourceError
from stream_ocr.events import DECODE_ERRORS, Event, parse
from stream_ocr.viz.dashboard.event_buffer import EventBuffer

log = structlog.get_logger(__name__)

_LOOK_S = 0.1
_CHUNK = 500
_HEAD = 512  # bytes; a file that begins otherwise is another run
_BACK = timedelta(hours=1)


class Feed(Protocol):
    """A source of events; ``run`` is called in a thread of its own and returns soon after ``stop`` is set."""

    name: str

    def run(self, history: EventBuffer, stop: Flag) -> None:
        """Give events to the history until told to stop."""
        ...


class LogFeed:
    """A .jsonl file, followed as it grows; when it is begun anew, so is the history."""

    def __init__(self, path: Path) -> None:
        """Raises SourceError when there is no such file."""
        self.name = path.name
        self.path = path
        self._lines = 0
        if not path.is_file():
            raise SourceError(f"There is no file {path}; name a .jsonl file of events.")

    def run(self, history: EventBuffer, stop: Flag) -> None:
        while not stop.is_set():
            try:
                with self.path.open("rb") as file:
                    self._follow(file, history, stop)
            except FileNotFoundError:
                stop.wait(_LOOK_S)  # between two files of that name
            if not stop.is_set():
                history.restart()

    def _follow(self, file: BufferedReader, history: EventBuffer, stop: Flag) -> None:
        """Until the file is another one, or shorter than it was."""
        self._lines = 0
        rest = head = b""
        while not stop.is_set():
            begins = os.pread(file.fileno(), _HEAD, 0)
            if not begins.startswith(head) or self._is_another(file):
                return
            head = begins
            while lines := file.readlines(1 << 20):
                lines[0] = rest + lines[0]
                rest = b"" if lines[-1].endswith(b"\n") else lines.pop()
                events = list(self._parsed(lines))
                for begin in range(0, len(events), _CHUNK):
                    history.add(events[begin : begin + _CHUNK])
            stop.wait(_LOOK_S)

    def _is_another(self, file: BufferedReader) -> bool:
        try:
            now, known = self.path.stat(), os.fstat(file.fileno())
        except FileNotFoundError:
            return True
        return now.st_ino != known.st_ino or now.st_size < file.tell()

    def _parsed(self, lines: list[bytes]) -> Iterator[Event]:
        for line in lines:
            self._lines += 1
            try:
                if line.strip():
                    yield parse(line)
            except DECODE_ERRORS as error:
                log.warning("line is no event", path=str(self.path), line=self._lines, reason=str(error))


class SocketFeed:
    """Events as they are published: those of the last hour, what is in sight since before, and all that follow."""

    def __init__(self, endpoint: str, *, key: Path | None = None, server_key: Path | None = None) -> None:
        """Raises SubscribeError for what is no endpoint, or a key that cannot be used."""
        self.name = endpoint
        self._open = partial(subscribe, endpoint, key=key, server_key=server_key)
        self._open().close()  # so that mistakes are told at once

    def run(self, history: EventBuffer, stop: Flag) -> None:
        since = datetime.now(UTC) - _BACK
        with self._open(since=since) as subscription:
            while not subscription.joined and not stop.is_set():
                subscription.wait(_LOOK_S)
            history.add(self._before(since, stop))
            while not stop.is_set():
                if (event := subscription.receive(_LOOK_S)) is not None:
                    history.add([event, *islice(_ready(subscription), _CHUNK)])

    def _before(self, since: datetime, stop: Flag) -> list[Event]:
        """Texts that are in sight now and were told last before that time."""
        with self._open(since="snapshot") as sight:
            while not sight.joined and not stop.is_set():
                sight.wait(_LOOK_S)
            events = list(_ready(sight))
        return [event for event in events if event.emitted_utc is not None and event.emitted_utc < since]


class Running:
    """A feed at work in its thread while this is entered."""

    def __init__(self, feed: Feed, history: EventBuffer) -> None:
        self._stop = Flag()
        self._thread = Thread(target=self._work, args=(feed, history), name="feed", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join(timeout=5)

    def _work(self, feed: Feed, history: EventBuffer) -> None:
        try:
            feed.run(history, self._stop)
        except Exception:
            log.exception("feed ended", feed=feed.name)


def _ready(subscription: Subscription) -> Iterator[Event]:
    """The events that are there already."""
    while (event := subscription.receive(0)) is not None:
        yield event
