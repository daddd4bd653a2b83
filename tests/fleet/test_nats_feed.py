"""Feed of the dashboard, through a real NATS server."""

import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from sinks.nats_server import NATS, Server, send, sinks
from sinks.server_process import eventually

from stream_ocr.config.sinks import NatsConnection
from stream_ocr.errors import SourceError
from stream_ocr.fleet.nats_feed import NatsFeed, RecentEvents
from stream_ocr.testing import text_event
from stream_ocr.viz.dashboard.event_buffer import EventBuffer
from stream_ocr.viz.dashboard.event_sources import FeedThread

needs_server = pytest.mark.skipif(NATS is None, reason="needs a server: apt-get install nats-server")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with Server(tmp_path / "server") as server:
        yield server


def feed(server: Server) -> NatsFeed:
    return NatsFeed(NatsConnection(servers=(server.url,)))


def ids(buffer: EventBuffer, stream: str) -> list[str]:
    return [event.id for event in buffer.events() if event.stream == stream]


@needs_server
def test_feed_shows_earlier_and_new_events_of_all_sites_once_over_an_outage(tmp_path: Path, server: Server) -> None:
    send(tmp_path / "north", server.url, range(300), stream="gate", site="north")
    send(tmp_path / "south", server.url, range(300), stream="gate", site="south")
    followed, buffer = feed(server), EventBuffer()
    with sinks(tmp_path / "north", server.url, site="north") as opened, FeedThread(followed, buffer):
        assert eventually(lambda: len(buffer.events()) == 600)
        server.end(signal.SIGKILL)
        opened.write(text_event(300, stream="gate"))
        assert eventually(lambda: followed.trouble), "an outage is reported"
        server.start()
        assert eventually(lambda: len(buffer.events()) == 601)
        assert eventually(lambda: not followed.trouble)
        for seq in range(301, 600):
            opened.write(text_event(seq, stream="gate"))
        assert eventually(lambda: len(buffer.events()) >= 900)
    expected = [text_event(seq, stream="gate").id for seq in range(600)]
    assert ids(buffer, "north/gate") == expected
    assert ids(buffer, "south/gate") == expected[:300]


@needs_server
def test_feed_begins_again_with_a_new_jetstream(tmp_path: Path, server: Server) -> None:
    send(tmp_path / "sent", server.url, range(100))
    buffer = EventBuffer()
    with FeedThread(feed(server), buffer):
        assert eventually(lambda: len(buffer.events()) == 100)
        server.end()
        shutil.rmtree(tmp_path / "server" / "jetstream")
        server.start()
        send(tmp_path / "sent", server.url, range(90, 150))
        assert eventually(lambda: len(buffer.events()) >= 150)
    assert ids(buffer, "local/cam-1") == [text_event(seq).id for seq in range(150)]


@needs_server
def test_feed_starts_when_the_server_went_away_after_the_check(tmp_path: Path, server: Server) -> None:
    send(tmp_path / "sent", server.url, range(10))
    followed, buffer = feed(server), EventBuffer()
    server.end(signal.SIGKILL)
    with FeedThread(followed, buffer):
        assert eventually(lambda: followed.trouble)
        server.start()
        assert eventually(lambda: len(buffer.events()) == 10)


@needs_server
def test_feed_stops_at_once_while_the_server_is_away(tmp_path: Path, server: Server) -> None:
    send(tmp_path / "sent", server.url, range(10))
    followed, buffer = feed(server), EventBuffer()
    with FeedThread(followed, buffer) as thread:
        assert eventually(lambda: len(buffer.events()) == 10)
        server.end(signal.SIGKILL)
        assert eventually(lambda: followed.trouble)
        before_s = time.monotonic()
    assert not thread.is_alive
    assert time.monotonic() - before_s < 3


@needs_server
def test_feed_needs_a_jetstream_at_the_start(server: Server) -> None:
    with pytest.raises(SourceError, match="The JetStream stream-ocr cannot be read"):
        feed(server)


class Message(msgspec.Struct):
    subject: str
    data: bytes


def messages(*ids: str) -> list[Message]:
    return [
        Message("ocr.north.gate.appeared", msgspec.structs.replace(text_event(0, stream="gate"), id=id_).to_json())
        for id_ in ids
    ]


def test_recent_events_are_bounded_and_leave_out_what_is_known_or_no_event() -> None:
    recent = RecentEvents(max_known=2)
    given = [*messages("a", "b", "a"), Message("ocr.north", b"{"), Message("ocr", messages("c")[0].data)]
    assert [event.id for event in recent.new(given)] == ["a", "b"]
    assert [event.id for event in recent.new(messages("c", "b", "a"))] == ["c", "a"], "the oldest is forgotten"


def test_events_of_earlier_assignments_are_late() -> None:
    recent = RecentEvents()
    given = list(recent.new(messages("17-a", "17-b", "18-a", "17-c", "18-b", "plain")))
    assert [recent.is_late(event) for event in given] == [False, False, False, True, False, True]
