"""Feed of the dashboard: the events of all hosts from a NATS JetStream, of the last hour and all that follow."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import groupby
from threading import Event as Flag
from typing import Any

from stream_ocr.config.sinks import NatsConnection
from stream_ocr.errors import StreamOcrError
from stream_ocr.events import Event, assignment_of
from stream_ocr.fleet import jetstream
from stream_ocr.fleet.jetstream import Position
from stream_ocr.fleet.thresholds import THRESHOLDS
from stream_ocr.sinks.nats import ConnectionLog
from stream_ocr.viz.dashboard.event_buffer import EventBuffer
from stream_ocr.viz.thresholds import DASHBOARD


class NatsFeed:
    """Follows a JetStream over outages of its server: nothing is missing, nothing comes twice."""

    def __init__(self, connection: NatsConnection) -> None:
        """Check the connection. Raise SourceError if there is no server or no JetStream, and SinkError."""
        self.name = ", ".join(connection.servers)
        self._connection, self._log = connection, ConnectionLog(connection)
        self._position: Position | None = None
        self._events = RecentEvents()
        asyncio.run(self._start())

    @property
    def trouble(self) -> str:
        """Why no events come; "" while all is well."""
        return self._log.reason

    def run(self, buffer: EventBuffer, stop: Flag) -> None:
        """Add events to a buffer until ``stop`` is set."""
        asyncio.run(self._run(buffer, stop))

    async def _run(self, buffer: EventBuffer, stop: Flag) -> None:
        reading = asyncio.create_task(self._read(buffer))
        while not stop.is_set() and not reading.done():
            await asyncio.wait([reading], timeout=DASHBOARD.poll_s)
        reading.cancel()
        await asyncio.wait([reading])
        if not reading.cancelled():
            reading.result()

    async def _start(self) -> None:
        client = await jetstream.connect(self._connection, self._log)
        try:
            since = datetime.now(UTC) - timedelta(seconds=DASHBOARD.history_s)
            self._position = await jetstream.recent_position(client, self._connection, since, DASHBOARD.max_events)
        finally:
            await client.close()

    async def _read(self, buffer: EventBuffer) -> None:
        while True:
            try:
                await self._follow(buffer)
            except StreamOcrError as error:  # the server went away just now
                self._log.log_failure(error)
                await asyncio.sleep(THRESHOLDS.poll_s)

    async def _follow(self, buffer: EventBuffer) -> None:
        client = await jetstream.connect(self._connection, self._log)
        try:
            assert self._position is not None, "set by _start"
            found = jetstream.batches(client, self._connection, self._position, self._log, asyncio.Event())
            async for messages, self._position in found:
                for late, events in groupby(self._events.new(messages), self._events.is_late):
                    buffer.add(events, late=late)
        finally:
            await client.close()


class RecentEvents:
    """Remembers the ids of as many events as a page shows, and the latest assignment of each stream."""

    def __init__(self, max_known: int = DASHBOARD.max_events) -> None:
        self._max_known = max_known
        self._known: dict[tuple[str, str], None] = {}  # (stream, id), the oldest first
        self._assignments: dict[str, int] = {}

    def new(self, messages: list[Any]) -> Iterator[Event]:
        """Yield the events of messages that are not known yet."""
        for message in messages:
            event = jetstream.parse_message(message.subject, message.data)
            if event is None or (event.stream, event.id) in self._known:
                continue
            self._known[event.stream, event.id] = None
            if len(self._known) > self._max_known:
                del self._known[next(iter(self._known))]
            yield event

    def is_late(self, event: Event) -> bool:
        """Return whether another host or run has read the camera since; its texts are over. Call it in order."""
        number = assignment_of(event.id) or 0
        latest = self._assignments[event.stream] = max(number, self._assignments.pop(event.stream, 0))
        if len(self._assignments) > self._max_known:
            del self._assignments[next(iter(self._assignments))]
        return number < latest
