"""Collect the events of many hosts from a NATS JetStream in one store, each once and in the order of its stream.

A stream is called SITE/STREAM in the store, and its events are numbered again. The position in the JetStream is kept
in a file beside the store and written after each commit; what is read again after a kill has an id that is among the
last ones of the store. The server keeps no position: with acknowledgements, what a killed reader had not acknowledged
would come after later events.
"""

import asyncio
import signal
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import msgspec

from stream_ocr.bus.journal import Journal
from stream_ocr.config.sinks import NatsConnection
from stream_ocr.errors import StoreError
from stream_ocr.events import DECODE_ERRORS, Event, parse
from stream_ocr.fleet import jetstream
from stream_ocr.fleet.jetstream import Position
from stream_ocr.fleet.thresholds import THRESHOLDS
from stream_ocr.sinks.base import describe_error
from stream_ocr.sinks.nats import ConnectionLog
from stream_ocr.store.reader import StoreReader


class Collector:
    """Takes messages of a JetStream into a journal.

    collected: number of events that were committed. repeated: of those that had been before. refused: of messages that
    are no events.
    """

    def __init__(self, journal: Journal, known: dict[str, dict[str, None]]) -> None:
        """known: ids of the last events of each stream of the store, as of ``last_ids``."""
        self.collected = self.repeated = self.refused = 0
        self._journal = journal
        self._known = defaultdict(dict, known)

    def collect(self, messages: Sequence[tuple[str, bytes]]) -> None:
        """Commit messages, (subject, payload), in order. Raise StoreError if they cannot be stored."""
        events = [event for subject, payload in messages if (event := self._event(subject, payload)) is not None]
        if any(event.durable is False for event in self._journal.commit(events)):
            raise StoreError("The store cannot be written; nothing is lost, because the JetStream keeps the events.")
        self.collected += len(events)

    def _event(self, subject: str, payload: bytes) -> Event | None:
        """Return an event under its name and number in the store; None for one that is there or no event."""
        event = jetstream.parse_message(subject, payload)
        if event is None:
            self.refused += 1
            return None
        known = self._known[event.stream]
        if event.id in known:
            self.repeated += 1
            return None
        known[event.id] = None
        if len(known) > THRESHOLDS.max_known:
            del known[next(iter(known))]
        return msgspec.structs.replace(event, seq=self._journal.next_seq(event.stream), durable=True)


def last_ids(reader: StoreReader) -> dict[str, dict[str, None]]:
    """Return the ids of the events of each stream that may be read again, the oldest first."""
    ids: dict[str, dict[str, None]] = {}
    for stream, last in reader.streams().items():
        ids[stream], after = {}, max(last - THRESHOLDS.max_known, -1)
        while after < last:
            page = reader.replay(stream, after)
            ids[stream].update((parse(line).id, None) for line in page.events)
            after = page.through
    return ids


async def run(connection: NatsConnection, collector: Collector, position: Path) -> None:
    """Collect until SIGTERM or SIGINT. position: file of the position in the JetStream.

    Raise SourceError if there is no server or no JetStream at the start, and StoreError.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    connection_log = ConnectionLog(connection)
    client = await jetstream.connect(connection, connection_log)
    try:
        begin = _read(position)
        async for messages, reached in jetstream.batches(client, connection, begin, connection_log, stop):
            collector.collect([(message.subject, message.data) for message in messages])
            _write(position, reached)
    finally:
        await client.close()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)


def _read(path: Path) -> Position:
    try:
        return msgspec.json.decode(path.read_bytes(), type=Position)
    except FileNotFoundError:
        return Position()
    except (OSError, *DECODE_ERRORS) as error:
        raise StoreError(f"{path} is no position: {error}; remove it to start again.") from error


def _write(path: Path, position: Position) -> None:
    temporary = path.with_name(f".{path.name}.new")
    try:
        temporary.write_bytes(msgspec.json.encode(position))
        temporary.replace(path)
    except OSError as error:
        raise StoreError(f"The position {path} cannot be written: {describe_error(error)}.") from error
