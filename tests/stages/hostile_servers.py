"""Servers that are no cameras: each function is what one of them does with a connection."""

import contextlib
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator


def silent(peer: socket.socket) -> None:
    peer.recv(1)
    time.sleep(20)


def garbage(peer: socket.socket) -> None:
    while True:
        peer.sendall(os.urandom(4096))
        time.sleep(0.01)


def flood(peer: socket.socket) -> None:
    peer.sendall(b"RTSP/1.0 200 OK\r\n")
    while True:
        peer.sendall(b"A" * 4096)


def drip(peer: socket.socket) -> None:
    for byte in b"RTSP/1.0 200 OK\r\nCSeq: 1\r\nPublic: OPTIONS\r\n" * 9:
        peer.sendall(bytes([byte]))
        time.sleep(0.2)


def web(peer: socket.socket) -> None:
    peer.recv(4096)
    peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<html>login</html>")


def redirect(peer: socket.socket) -> None:
    peer.recv(4096)
    peer.sendall(b"RTSP/1.0 302 Found\r\nCSeq: 1\r\nLocation: file:///etc/passwd\r\n\r\n")


@contextlib.contextmanager
def serving(handle: Callable[[socket.socket], None]) -> Iterator[int]:
    """Serve every connection with ``handle``; yield the port."""
    listener = socket.create_server(("127.0.0.1", 0))
    peers: list[socket.socket] = []

    def talk(peer: socket.socket) -> None:
        with contextlib.suppress(OSError), peer:
            handle(peer)

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                peers.append(listener.accept()[0])
                threading.Thread(target=talk, args=(peers[-1],), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    with listener:
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
    for peer in peers:
        with contextlib.suppress(OSError):
            peer.shutdown(socket.SHUT_RDWR)
