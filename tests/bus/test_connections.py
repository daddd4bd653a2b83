"""Hostile peers of the bus, over raw sockets: each is disconnected or bounded, and honest peers are served."""

import random
import select
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress

import psutil
import pytest
from bus.raw_peers import connect, connect_as, frame, receive_until, shake_hands

from stream_ocr.bus import curve_keys
from stream_ocr.bus.journal import DurableJournal, open_journal
from stream_ocr.bus.protocol import requests_endpoint
from stream_ocr.bus.thresholds import THRESHOLDS
from stream_ocr.client import subscribe

MIB = 2**20
REPLAY = b'{"ask":"replay","stream":"gate","after":-1}'


def is_disconnected(connection: socket.socket) -> bool:
    try:
        with suppress(ConnectionError):
            while connection.recv(65536):
                pass
    except TimeoutError:
        return False
    return True


def is_shut(connection: socket.socket) -> bool:
    poller = select.poll()
    poller.register(connection, select.POLLRDHUP)
    return bool(poller.poll(0))


def subscribe_to_everything(connection: socket.socket) -> None:
    for n in range(1_000_000):
        connection.sendall(frame(b"\x01topic %d " % n + bytes(200)))


@contextmanager
def memory_growth(journal: DurableJournal, limit_mib: float) -> Iterator[None]:
    """Check that the bus does not grow by more than ``limit_mib``, not even for a moment."""
    bus = psutil.Process(journal.bus_pid)
    before = most = bus.memory_info().rss
    done = threading.Event()

    def watch() -> None:
        nonlocal most
        while not done.wait(0.02):
            most = max(most, bus.memory_info().rss)

    watching = threading.Thread(target=watch)
    watching.start()
    try:
        yield
    finally:
        done.set()
        watching.join()
    assert (most - before) / MIB <= limit_mib


def assert_serves(journal: DurableJournal, endpoint: str, commit: Callable[..., list], text: str, **keys) -> None:
    """Check that a new subscriber receives a new event."""
    with subscribe(endpoint, since="start", **keys) as subscription:
        commit(journal, text)
        texts = (event.text for event in iter(lambda: subscription.receive(30), None))
        assert text in texts


def wait_until_idle(journal: DurableJournal) -> None:
    """Wait until the bus has done what it was asked to do."""
    bus = psutil.Process(journal.bus_pid)
    used_s = -1.0
    while (now_s := sum(bus.cpu_times()[:2])) - used_s > 0.05:
        used_s = now_s
        time.sleep(0.5)


def test_bus_disconnects_peers_that_send_garbage_and_serves_others(journal, endpoint, commit):
    ports = [endpoint, requests_endpoint(endpoint)]
    noise = random.Random(4).randbytes(100_000)
    with subscribe(endpoint, since="start") as subscription:
        for port in ports:
            with connect(port) as raw:
                with suppress(ConnectionError):
                    raw.sendall(noise)
                assert is_disconnected(raw)
        with connect_as(b"SUB", endpoint) as large:
            large.sendall(b"\x02" + struct.pack(">Q", 2**30) + bytes(1000))
            assert is_disconnected(large)
        with connect_as(b"SUB", endpoint) as no_subscription:
            no_subscription.sendall(frame(b"hello"))
            assert is_disconnected(no_subscription)
        commit(journal, "A")
        assert subscription.receive(20) is not None


def test_bus_disconnects_peers_with_too_many_subscriptions(journal, endpoint, commit):
    with subscribe(endpoint, since="start") as subscription:
        commit(journal, "A")
        assert subscription.receive(20) is not None
        with memory_growth(journal, 50), connect_as(b"SUB", endpoint) as flood, pytest.raises(ConnectionError):
            subscribe_to_everything(flood)
        commit(journal, "B")
        assert subscription.receive(20) is not None


def test_ends_of_subscriptions_that_never_began_give_no_credit(journal, endpoint, commit):
    with memory_growth(journal, 50), connect_as(b"SUB", endpoint) as peer, suppress(ConnectionError):
        for sign in (b"\0", b"\1"):
            for n in range(10_000):
                peer.sendall(frame(sign + b"topic %d " % n + bytes(200)))
        assert is_disconnected(peer)
    assert_serves(journal, endpoint, commit, "AFTERWARDS")


def test_bus_counts_repeated_subscriptions_once(journal, endpoint, commit):
    with connect_as(b"SUB", endpoint) as peer:
        for _ in range(THRESHOLDS.message_burst - 10):
            peer.sendall(frame(b"\1gate/"))
        peer.sendall(frame(b"\0gate/") + frame(b"\1hall/"))
        time.sleep(0.5)
        commit(journal, "A", stream="gate")
        commit(journal, "B", stream="hall")
        assert b"hall/appeared" in receive_until(peer, b"hall/appeared")


def test_bus_bounds_the_subscriptions_of_all_peers(journal, endpoint, commit):
    with memory_growth(journal, 100), ExitStack() as crowd:
        for number in range(100):
            with suppress(OSError, IndexError):
                peer = crowd.enter_context(connect_as(b"SUB", endpoint))
                for n in range(THRESHOLDS.max_subscribed_bytes // 500):
                    topic = b"%d %d " % (number, n)
                    peer.sendall(frame(b"\1" + topic + random.Random(topic).randbytes(240 - len(topic))) * 2)
        wait_until_idle(journal)
        assert_serves(journal, endpoint, commit, "AMONG THEM")


def test_bus_bounds_memory_for_peers_that_never_read_replies(journal, endpoint, commit):
    commit(journal, *(f"TEXT {n} " + "x" * 200 for n in range(2000)))
    with memory_growth(journal, 100), ExitStack() as crowd:
        for _ in range(150):
            greedy = crowd.enter_context(socket.socket())
            greedy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            shake_hands(b"DEALER", greedy, requests_endpoint(endpoint))
            greedy.sendall(frame(REPLAY) * 20)
        wait_until_idle(journal)
        assert_serves(journal, endpoint, commit, "AMONG THEM")


@contextmanager
def silent_connections(number: int, *endpoints: str) -> Iterator[None]:
    """Hold connections that say nothing, and replace each that is closed."""
    done, complete = threading.Event(), threading.Event()

    def hold() -> None:
        held: list[socket.socket] = []
        while not done.wait(0.01):
            for connection in [each for each in held if is_shut(each)]:
                held.remove(connection)
                connection.close()
            with suppress(OSError):
                held += [
                    connect(endpoint) for endpoint in endpoints for _ in range(number - len(held) // len(endpoints))
                ]
            complete.set()
        for connection in held:
            connection.close()

    holding = threading.Thread(target=hold)
    holding.start()
    complete.wait()
    try:
        yield
    finally:
        done.set()
        holding.join()


def test_silent_connections_do_not_lock_clients_out(settings, endpoint, commit, tmp_path):
    folder = tmp_path / "keys"
    for name in ("server", "reader"):
        curve_keys.create_keys(folder, name)
    keys = {"key": folder / "reader.key_secret", "server_key": folder / "server.key"}
    with (
        open_journal(settings(f"socket.keys={folder}", "socket.max_peers=20")) as journal,
        silent_connections(200, endpoint, requests_endpoint(endpoint)),
    ):
        assert isinstance(journal, DurableJournal)
        assert_serves(journal, endpoint, commit, "AMONG THEM", **keys)


def test_more_silent_connections_than_there_is_room_for_give_way(journal, endpoint, commit):
    with ExitStack() as crowd:
        for _ in range(2 * THRESHOLDS.max_newcomers):
            with suppress(OSError):
                crowd.enter_context(connect(endpoint))
        assert_serves(journal, endpoint, commit, "AMONG THEM")


def test_bus_limits_the_number_of_peers(settings, endpoint, commit):
    with (
        open_journal(settings("socket.max_peers=3")) as journal,
        subscribe(endpoint, since="start") as subscription,
    ):
        commit(journal, "A")
        assert subscription.receive(20) is not None
        with ExitStack() as crowd:
            for is_refused in (False, False, True, True):
                peer = crowd.enter_context(connect_as(b"SUB", endpoint))
                peer.sendall(frame(b"\1nothing"))
                peer.settimeout(30 if is_refused else 0.5)
                assert is_disconnected(peer) == is_refused
        commit(journal, "B")
        assert subscription.receive(20) is not None


def test_bus_ends_handshakes_that_take_too_long(journal, endpoint):
    with connect(endpoint) as silent, connect_as(b"SUB", endpoint) as peer:
        silent.settimeout(60)
        assert is_disconnected(silent)
        peer.settimeout(0.5)
        assert not is_disconnected(peer)
