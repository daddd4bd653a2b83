"""Messages of a NATS JetStream in order, from a position on, over outages of the server."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

import msgspec
import nats
from nats.errors import Error as NatsError
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy

from stream_ocr.config.sinks import NatsConnection
from stream_ocr.errors import SourceError
from stream_ocr.events import DECODE_ERRORS, Event, parse
from stream_ocr.fleet.thresholds import THRESHOLDS
from stream_ocr.logs import get_logger
from stream_ocr.sinks.base import describe_error
from stream_ocr.sinks.nats import ConnectionLog, connect_options

log = get_logger(__name__)


class Position(msgspec.Struct):
    """The last message of a JetStream that was read. created: time of its creation; another one counts anew."""

    created: str = ""
    seq: int = 0


def parse_message(subject: str, payload: bytes) -> Event | None:
    """Return the event of a message, whose stream is SITE/STREAM; None if it is not an event."""
    try:
        event = parse(payload)
        site = subject.split(".")[1]
    except (*DECODE_ERRORS, IndexError) as error:
        log.warning("message is not an event", subject=subject, reason=str(error))
        return None
    return msgspec.structs.replace(event, stream=f"{site}/{event.stream}")


async def connect(connection: NatsConnection, connection_log: ConnectionLog) -> Any:
    """Return a client, which connects again by itself. Raise SourceError if no server answers."""
    options = connect_options(connection) | connection_log.callbacks
    try:
        return await asyncio.wait_for(nats.connect(**options), THRESHOLDS.timeout_s)
    except (NatsError, OSError, TimeoutError) as error:
        reason = connection_log.reason or describe_error(error)
        raise SourceError(f"No connection to {', '.join(connection.servers)}: {reason}.") from error


async def recent_position(client: Any, connection: NatsConnection, since: datetime, max_messages: int) -> Position:
    """Return the position from which on messages are newer than ``since``, and at most so many.

    Raise SourceError if there is no JetStream.
    """
    jetstream = client.jetstream(timeout=THRESHOLDS.timeout_s)
    start = ConsumerConfig(deliver_policy=DeliverPolicy.BY_START_TIME, opt_start_time=since)
    try:
        consumer = await _subscribe(jetstream, connection, start)
        pending = (await consumer.consumer_info()).num_pending or 0
        await consumer.unsubscribe()
        info = await jetstream.stream_info(connection.jetstream)
    except NatsError as error:
        raise _unreadable(connection, error) from error
    return Position(str(info.created), max(info.state.last_seq - min(pending, max_messages), 0))


async def batches(
    client: Any, connection: NatsConnection, position: Position, connection_log: ConnectionLog, stop: asyncio.Event
) -> AsyncIterator[tuple[list[Any], Position]]:
    """Yield messages after a position without a gap, and the position that each batch reaches, until ``stop``.

    While the server is away nothing is yielded. Raise SourceError if it has no JetStream at the start.
    """
    jetstream = client.jetstream(timeout=THRESHOLDS.timeout_s)
    try:
        position, _ = await _look(jetstream, connection.jetstream, position)
    except NatsError as error:
        raise _unreadable(connection, error) from error
    log.info("reading events", jetstream=connection.jetstream, after=position.seq)
    consumer, received = None, 0
    while not stop.is_set():
        try:
            if consumer is None:
                start = ConsumerConfig(deliver_policy=DeliverPolicy.BY_START_SEQUENCE, opt_start_seq=position.seq + 1)
                consumer, received = await _subscribe(jetstream, connection, start), 0
            messages = await _fetch(consumer)
            if not messages:  # or the server was restarted and knows the consumer no more
                position, is_behind = await _look(jetstream, connection.jetstream, position)
                consumer = None if is_behind else consumer
                connection_log.log_success()
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


async def _subscribe(jetstream: Any, connection: NatsConnection, start: ConsumerConfig) -> Any:
    start.ack_policy, start.inactive_threshold = AckPolicy.NONE, THRESHOLDS.consumer_s
    return await jetstream.pull_subscribe(f"{connection.subject}.>", stream=connection.jetstream, config=start)


async def _look(jetstream: Any, name: str, position: Position) -> tuple[Position, bool]:
    """Return a position, or the start if it belongs to another JetStream, and whether there are messages after it."""
    info = await jetstream.stream_info(name)
    created = str(info.created)
    if created != position.created or position.seq > info.state.last_seq:
        position = Position(created, 0)
    return position, info.state.last_seq > position.seq


def _unreadable(connection: NatsConnection, error: NatsError) -> SourceError:
    return SourceError(
        f"The JetStream {connection.jetstream} cannot be read: {describe_error(error)}; the first host that sends"
        " events to it creates it."
    )
