"""Attacks on the sockets of a run: ``python benchmarks/socket_attacks.py NAME PORT``, until killed.

``attack_sockets.py`` starts them and measures what they do.
"""

import os
import random
import resource
import select
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from bus.raw_peers import connect_as, frame, shake_hands

REPLAY = frame(b'{"ask":"replay","stream":"archive","after":-1}')

Attack = Callable[[int], Iterator[None]]
"""Attacks a port until it is killed, and yields after each connection that it has made."""


def half_open_connections(port: int) -> Iterator[None]:
    """Hold 1,100 connections with half a request; replace those that are closed."""
    return hold(1100, lambda: send(port, b"GET / HTTP/1.1\r\nX-Slow: "))


def endless_requests(port: int) -> Iterator[None]:
    """Send headers without end, on one connection after the other."""
    while True:
        with suppress(OSError), send(port, b"GET / HTTP/1.1\r\n") as peer:
            yield
            while True:
                peer.sendall(b"X: " + b"x" * 1000 + b"\r\n")


def silent_connections(port: int) -> Iterator[None]:
    """Hold 200 connections to each socket of the bus that say nothing; replace those that are closed."""
    return hold(400, lambda: send(port + random.randint(0, 1), b""))


def unbalanced_subscriptions(port: int) -> Iterator[None]:
    """End 10,000 subscriptions that never began, then begin 10,000, with one peer after the other."""
    while True:
        with suppress(OSError, IndexError), connect_as(b"SUB", endpoint(port)) as peer:
            yield
            for sign in (b"\0", b"\1"):
                for n in range(10_000):
                    peer.sendall(frame(sign + b"topic %d " % n + bytes(200)))


def unread_replies(port: int) -> Iterator[None]:
    """Ask for replays on 150 connections, and read none; replace those that are closed."""

    def ask() -> socket.socket:
        peer = socket.socket()
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        shake_hands(b"DEALER", peer, endpoint(port + 1))
        peer.sendall(REPLAY * 20)
        return peer

    return hold(150, ask)


def send(port: int, data: bytes) -> socket.socket:
    """Return a connection that has sent some bytes."""
    peer = socket.create_connection(("127.0.0.1", port), timeout=10)
    peer.sendall(data)
    return peer


def hold(number: int, connect: Callable[[], socket.socket]) -> Iterator[None]:
    """Hold connections, and replace those that the other side closes."""
    poller, held = select.poll(), dict[int, socket.socket]()
    while True:
        while len(held) < number:
            try:
                peer = connect()
            except (OSError, IndexError):
                break
            yield
            held[peer.fileno()] = peer
            poller.register(peer, select.POLLRDHUP)
        for fd, _ in poller.poll(100):
            poller.unregister(fd)
            held.pop(fd).close()


def endpoint(port: int) -> str:
    return f"tcp://127.0.0.1:{port}"


# row of the table in the issue, attack, offset of the port that it attacks, whether the bus has keys
ATTACKS: dict[str, tuple[int, Attack, int, bool]] = {
    "half-open connections to the page": (1, half_open_connections, 3, False),
    "half-open connections to service.listen": (1, half_open_connections, 2, False),
    "endless requests to the page": (1, endless_requests, 3, False),
    "subscriptions without balance": (3, unbalanced_subscriptions, 0, False),
    "silent connections without a key": (4, silent_connections, 0, True),
    "replies that nobody reads": (5, unread_replies, 0, False),
}


def attack_until_killed(name: str, port: int) -> None:
    """Attack, and write a byte to standard output for each connection."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    for _ in ATTACKS[name][1](port):
        os.write(sys.stdout.fileno(), b".")


if __name__ == "__main__":
    attack_until_killed(sys.argv[1], int(sys.argv[2]))
