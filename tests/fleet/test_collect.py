"""Events of several hosts in one store, through a real NATS server."""

import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from sinks.nats_server import NATS, Server, send, sinks
from sinks.server_process import eventually

from stream_ocr.bus.journal import MemoryJournal
from stream_ocr.errors import StoreError
from stream_ocr.fleet.collect import Collector
from stream_ocr.fleet.thresholds import THRESHOLDS
from stream_ocr.store.reader import StoreReader
from stream_ocr.testing import text_event

needs_server = pytest.mark.skipif(NATS is None, reason="needs a server: apt-get install nats-server")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with Server(tmp_path / "server") as server:
        yield server


def collect(server_url: str, store: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "stream_ocr.cli", "collect", server_url, "--store", str(store)]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True)


def stored(store: Path) -> list[tuple[str, int, str]]:
    """Return (stream, seq, id) of all events; none before the store is created."""
    try:
        with StoreReader(store) as reader:
            return [(event.stream, event.seq, event.id) for event in reader.events()]
    except StoreError:
        return []


@needs_server
def test_collect_stores_the_events_of_all_sites_in_order(tmp_path: Path, server: Server) -> None:
    for site in ("north", "south"):
        send(tmp_path / site, server.url, range(300), stream="gate", site=site)
    store = tmp_path / "all.db"
    with collect(server.url, store) as collector:
        assert eventually(lambda: len(stored(store)) == 600)
        with sinks(tmp_path / "north", server.url, site="north") as opened:
            opened.write(text_event(300, stream="gate"))
        assert eventually(lambda: len(stored(store)) == 601)
        collector.terminate()
        assert collector.wait(20) == 0
        assert collector.stderr is not None
        assert "601 events collected, 0 repeated ones and 0 messages" in collector.stderr.read()
    for site, count in (("north", 301), ("south", 300)):
        events = [(seq, id_) for stream, seq, id_ in stored(store) if stream == f"{site}/gate"]
        assert events == [(seq, text_event(seq, stream="gate").id) for seq in range(count)]


@needs_server
def test_collect_stores_each_event_once_when_it_is_killed(tmp_path: Path, server: Server) -> None:
    store = tmp_path / "all.db"
    with sinks(tmp_path, server.url) as opened:
        for turn in range(3):
            for seq in range(turn * 2000, (turn + 1) * 2000):
                opened.write(text_event(seq))
            with collect(server.url, store) as collector:
                least = turn * 2000 + 100
                assert eventually(lambda least=least: len(stored(store)) > least)
                collector.kill()
    with collect(server.url, store) as collector:
        assert eventually(lambda: len(stored(store)) >= 6000)
        collector.terminate()
    assert [seq for _, seq, _ in stored(store)] == list(range(6000))
    assert [id_ for _, _, id_ in stored(store)] == [text_event(seq).id for seq in range(6000)]


@needs_server
@pytest.mark.parametrize("away_s", [0, THRESHOLDS.timeout_s + 3], ids=["briefly", "longer than any timeout"])
def test_collect_stores_each_event_once_when_the_server_is_killed(
    tmp_path: Path, server: Server, away_s: float
) -> None:
    store = tmp_path / "all.db"
    with sinks(tmp_path, server.url) as opened:
        for seq in range(500):
            opened.write(text_event(seq))
        with collect(server.url, store) as collector:
            assert eventually(lambda: len(stored(store)) > 100)
            server.end(signal.SIGKILL)
            for seq in range(500, 1000):
                opened.write(text_event(seq))
            threading.Event().wait(away_s)
            server.start()
            assert eventually(lambda: len(stored(store)) == 1000)
            collector.terminate()
            assert collector.wait(20) == 0
    assert [seq for _, seq, _ in stored(store)] == list(range(1000))


@needs_server
def test_collect_begins_again_with_a_new_jetstream(tmp_path: Path, server: Server) -> None:
    store = tmp_path / "all.db"
    send(tmp_path / "sent", server.url, range(100))
    with collect(server.url, store) as collector:
        assert eventually(lambda: len(stored(store)) == 100)
        server.end()
        shutil.rmtree(tmp_path / "server" / "jetstream")
        server.start()
        send(tmp_path / "sent", server.url, range(100, 150))
        assert eventually(lambda: len(stored(store)) == 150)
        collector.terminate()
    assert [seq for _, seq, _ in stored(store)] == list(range(150))


@needs_server
def test_collect_ends_with_a_sentence_without_a_jetstream_or_a_server(tmp_path: Path, server: Server) -> None:
    with collect(server.url, tmp_path / "all.db") as collector:
        assert collector.stderr is not None
        assert "The JetStream stream-ocr cannot be read" in collector.stderr.read()
    assert collector.returncode == 1
    server.end()
    with collect("nats://127.0.0.1:1", tmp_path / "all.db") as collector:
        assert collector.stderr is not None
        shown = collector.stderr.read()
    assert "No connection to nats://127.0.0.1:1: Connect call failed" in shown
    assert shown.count("NATS is unavailable") == 1
    assert collector.returncode == 1


def message(seq: int) -> tuple[str, bytes]:
    return "ocr.north.gate.appeared", text_event(seq, stream="gate").to_json()


def test_collector_leaves_out_what_is_known_and_what_is_no_event() -> None:
    collector = Collector(MemoryJournal(), {"north/gate": {text_event(0, stream="gate").id: None}})
    collector.collect([message(0), message(1), ("ocr.north.gate.appeared", b"{"), message(1), message(2)])
    assert (collector.collected, collector.repeated, collector.refused) == (2, 2, 1)


class FullDisk(MemoryJournal):
    def commit(self, events, _crops=None, /):  # type: ignore[no-untyped-def]
        return [msgspec.structs.replace(event, durable=False) for event in events]


def test_collector_stops_if_events_cannot_be_stored() -> None:
    with pytest.raises(StoreError, match="the JetStream keeps the events"):
        Collector(FullDisk(), {}).collect([message(0)])
