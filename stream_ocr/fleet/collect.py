"""Collect the events of many hosts from a NATS JetStream in one store, each once and in the order of its stream.

A stream is called SITE/STREAM in the store, and its events are numbered again. The position in the JetStream is kept
in a file beside the store and written after each commit; what is read again after a kill has an id that is among the
last ones of the store. The server keeps no position: with acknowledgements, what a killed reader had not acknowledged
would come after later events.
"""

import asyncio
import signal
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import nats
from nats.errors import Error as NatsError
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy

from stream_ocr.bus.journal import Journal
from stream_ocr.config.sinks import NatsConnection
from stream_ocr.errors import SourceError, StoreError
from stream_ocr.events import DECODE_ERRORS, Event, parse
from stream_ocr.fleet.thresholds import THRESHOLDS
from stream_ocr.logs import get_logger
from stream_ocr.sinks.base import describe_error
from stream_ocr.sinks.nats import ConnectionLog, connect_options
from stream_ocr.store.reader import StoreReader

log = get_logger(__name__)


class Position(msgspec.Struct):
    """The last message of a JetStream that was collected. created: time of its creation; another one counts anew."""

    created: str = ""
    seq: int = 0


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
        try:
            event = parse(payload)
            site = subject.split(".")[1]
        except (*DECODE_ERRORS, IndexError) as error:
            self.refused += 1
            log.warning("message is not an event", subject=subject, reason=str(error))
            return None
        stream = f"{site}/{event.stream}"
        known = self._known[stream]
        if event.id in known:
            self.repeated += 1
            return None
        known[event.id] = None
        if len(known) > THRESHOLDS.max_known:
            del known[next(iter(known))]
        return msgspec.structs.replace(event, stream=stream, seq=self._journal.next_seq(stream), durable=True)


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
    client = await _connect(connection, connection_log)
    try:
        jetstream = client.jetstream(timeout=THRESHOLDS.timeout_s)
        async for messages, reached in _batches(jetstream, connection, _read(position), stop, connection_log):
            collector.collect([(message.subject, message.data) for message in messages])
            _write(position, reached)
    finally:
        await client.close()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)


async def _connect(connection: NatsConnection, connection_log: ConnectionLog) -> Any:
    options = connect_options(connection) | connection_log.callbacks
    try:
        return await asyncio.wait_for(nats.connect(**options), THRESHOLDS.timeout_s)
    except (NatsError, OSError, TimeoutError) as error:
        reason = connection_log.reason or describe_error(error)
        raise SourceError(f"No connection to {', '.join(connection.servers)}: {reason}.") from error


async def _batches(
    jetstream: Any, connection: NatsConnection, position: Position, stop: asyncio.Event, connection_log: ConnectionLog
) -> AsyncIterator[tuple[list[Any], Position]]:
    """Yield messages after a position without a gap, and the position that each batch reaches.

    While the server is away nothing is yielded. Raise SourceError if it has no JetStream at the start.
    """
    try:
        position, _ = await _look(jetstream, connection.jetstream, position)
    except NatsError as error:
        raise SourceError(
            f"The JetStream {connection.jetstream} cannot be read: {describe_error(error)}; the first host that sends"
            " events to it creates it."
        ) from error
    log.info("collecting events", jetstream=connection.jetstream, after=position.seq)
    consumer, received = None, 0
    while not stop.is_set():
        try:
            if consumer is None:
                consumer, received = await _subscribe(jetstream, connection, position.seq), 0
            messages = await _fetch(consumer)
            if not messages:  # or the server was restarted and knows the consumer no more
                position, is_behind = await _look(jetstream, connection.jetstream, position)
                consumer = None if is_behind else consumer
                continue
        except NatsError as error:
            connection_log.log_failure(error)
            consumer = None
            await asyncio.sleep(THRESHOLDS.poll_s)
            continue
        connection_log.log_success()
        received += len(messages)
        if messages[-1].metadata.sequence.consumer != received:  # some were lost on their way
            consumer = None
            continue
        position = Position(position.created, messages[-1].metadata.sequence.stream)
        yield messages, position


async def _fetch(consumer: Any) -> list[Any]:
    """Return the next messages, [] if none has come in time."""
    try:
        return list(await consumer.fetch(THRESHOLDS.batch_events, timeout=THRESHOLDS.poll_s))
    except TimeoutError:
        return []


async def _subscribe(jetstream: Any, connection: NatsConnection, after: int) -> Any:
    config = ConsumerConfig(
        ack_policy=AckPolicy.NONE,
        deliver_policy=DeliverPolicy.BY_START_SEQUENCE,
        opt_start_seq=after + 1,
        inactive_threshold=THRESHOLDS.consumer_s,
    )
    return await jetstream.pull_subscribe(f"{connection.subject}.>", stream=connection.jetstream, config=config)


async def _look(jetstream: Any, name: str, position: Position) -> tuple[Position, bool]:
    """Return a position, or the start if it belongs to another JetStream, and whether there are messages after it."""
    info = await jetstream.stream_info(name)
    created = str(info.created)
    if created != position.created or position.seq > info.state.last_seq:
        position = Position(created, 0)
    return position, info.state.last_seq > position.seq


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
