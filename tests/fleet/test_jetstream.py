"""Where to begin in a JetStream, with a real NATS server."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sinks.nats_server import NATS, Server, send

from stream_ocr.config.sinks import NatsConnection
from stream_ocr.fleet import jetstream
from stream_ocr.sinks.nats import ConnectionLog

pytestmark = pytest.mark.skipif(NATS is None, reason="needs a server: apt-get install nats-server")


async def begin(server: Server, since: datetime, max_messages: int) -> int:
    connection = NatsConnection(servers=(server.url,))
    client = await jetstream.connect(connection, ConnectionLog(connection))
    try:
        return (await jetstream.recent_position(client, connection, since, max_messages)).seq
    finally:
        await client.close()


def test_recent_position_is_before_the_messages_of_a_time_and_at_most_so_many(tmp_path: Path) -> None:
    with Server(tmp_path / "server") as server:
        send(tmp_path / "sent", server.url, range(10))
        between = datetime.now(UTC)
        send(tmp_path / "sent", server.url, range(10, 30))
        assert asyncio.run(begin(server, between, 1000)) == 10
        assert asyncio.run(begin(server, between, 3)) == 27
        assert asyncio.run(begin(server, between - timedelta(hours=1), 1000)) == 0
        assert asyncio.run(begin(server, datetime.now(UTC), 1000)) == 30
