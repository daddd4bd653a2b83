"""Answers of bad devices to a call. See ``FAULTS``."""

import gzip
import itertools
import os
from collections.abc import Callable
from typing import Protocol

from onvif_camera.messages import envelope

DRIP_S = 0.05  # between two bytes of a slow answer


class Handler(Protocol):
    """The handler of a call, as far as faults use it."""

    def write(self, data: bytes) -> None: ...

    def send(self, status: int, document: bytes, **headers: str) -> None: ...

    def wait(self, time_s: float | None = None) -> bool:
        """Wait until the device is stopped, or for a time; return whether it is stopped."""
        ...


def _garbage(handler: Handler) -> None:
    handler.write(os.urandom(4096))


def _endless(handler: Handler) -> None:
    handler.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/soap+xml\r\n\r\n<a>")
    while True:
        handler.write(b"<b/>" * 10_000)


def _endless_header(handler: Handler) -> None:
    handler.write(b"HTTP/1.1 200 OK\r\nX: ")
    while True:
        handler.write(b"A" * 10_000)


def _slow(handler: Handler) -> None:
    handler.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/soap+xml\r\n\r\n")
    while not handler.wait(DRIP_S):
        handler.write(b" ")


def _bomb(handler: Handler) -> None:
    names = "abcdefghij"
    entities = "".join(f'<!ENTITY {name} "{f"&{before};" * 10}">' for before, name in itertools.pairwise(names))
    document = f'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "lol">{entities}]>'.encode() + envelope("&j;")
    handler.send(200, document.replace(b"<?xml version='1.0'?>", b""))


def _file(handler: Handler) -> None:
    doctype = b'<!DOCTYPE x [<!ENTITY f SYSTEM "file:///etc/passwd">]>'
    handler.send(200, doctype + envelope("&f;").replace(b"<?xml version='1.0'?>", b""))


def _profiles_in_profiles(handler: Handler) -> None:
    depth = 20_000
    handler.send(200, envelope("<tds:Service>" * depth + "</tds:Service>" * depth))


def _compressed(handler: Handler) -> None:
    handler.send(200, gzip.compress(b" " * 50_000_000), Content_Encoding="gzip")


FAULTS: dict[str, Callable[[Handler], None]] = {
    "silent": lambda handler: handler.wait(),
    "slow": _slow,
    "garbage": _garbage,
    "endless": _endless,
    "endless header": _endless_header,
    "bomb": _bomb,
    "file": _file,
    "deep": _profiles_in_profiles,
    "compressed": _compressed,
    "page": lambda handler: handler.send(200, b"<html><p>Log in<br></html>"),
    "other xml": lambda handler: handler.send(200, b"<weather/>"),
    "redirect": lambda handler: handler.send(302, b"", Location="http://127.0.0.1:1/"),
    "nothing": lambda handler: handler.write(b""),
}
"""Reaction of a device with a fault to a call."""
