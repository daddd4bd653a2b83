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
    connection.recv(64, socket.MSG_WAITALL)
    ready = b"\x05READY\x0bSocket-Type" + struct.pack(">I", len(kind)) + kind
    connection.sendall(b"\x04" + bytes([len(ready)]) + ready)
    connection.recv(connection.recv(2, socket.MSG_WAITALL)[1], socket.MSG_WAITALL)


def frame(message: bytes) -> bytes:
    return b"\x00" + bytes([len(message)]) + message
