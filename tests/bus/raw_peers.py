"""Peers of the bus over raw sockets, which speak ZMTP or nothing."""

import socket
import struct


def port_of(endpoint: str) -> int:
    return int(endpoint.rpartition(":")[2])


def connect(endpoint: str) -> socket.socket:
    """Return a plain connection that has sent nothing."""
    connection = socket.create_connection(("127.0.0.1", port_of(endpoint)))
    connection.settimeout(20)
    return connection


def connect_as(kind: bytes, endpoint: str) -> socket.socket:
    """Return a plain connection after the handshake of ZeroMQ. kind: type of its socket."""
    connection = socket.socket()
    shake_hands(kind, connection, endpoint)
    return connection


def shake_hands(kind: bytes, connection: socket.socket, endpoint: str) -> None:
    connection.settimeout(30)
    connection.connect(("127.0.0.1", port_of(endpoint)))
    connection.sendall(b"\xff" + bytes(8) + b"\x7f\x03\x00" + b"NULL".ljust(20, b"\0") + bytes(32))
    _receive_exactly(connection, 64)
    ready = b"\x05READY\x0bSocket-Type" + struct.pack(">I", len(kind)) + kind
    connection.sendall(b"\x04" + bytes([len(ready)]) + ready)
    _receive_exactly(connection, _receive_exactly(connection, 2)[1])


def _receive_exactly(connection: socket.socket, size: int) -> bytes:
    """Return so many bytes, or fewer at the end; a socket with a time limit ignores MSG_WAITALL."""
    received = b""
    while len(received) < size and (part := connection.recv(size - len(received))):
        received += part
    return received


def receive_until(connection: socket.socket, ending: bytes) -> bytes:
    """Return what comes up to some bytes, or up to the end of the connection."""
    received = b""
    while ending not in received and (part := connection.recv(1000)):
        received += part
    return received


def frame(message: bytes) -> bytes:
    return b"\x00" + bytes([len(message)]) + message
