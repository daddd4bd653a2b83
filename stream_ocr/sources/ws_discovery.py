"""Search for ONVIF devices in the local network: WS-Discovery over multicast, from every interface."""

import select
import socket
import struct
import time
import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from urllib.parse import SplitResult, unquote, urlsplit

from onveef import wsdiscovery

from stream_ocr.errors import SourceError
from stream_ocr.sources.onvif_soap import CallError, parse
from stream_ocr.sources.thresholds import ONVIF

_GROUP = (wsdiscovery.WS_DISCOVERY_ADDRESS, wsdiscovery.WS_DISCOVERY_PORT)
_TYPES = ("dn:NetworkVideoTransmitter", "tds:Device")
"""Each has its own probe: a device answers only if it has all types of a probe, and old cameras have one of these."""
_MAX_DATAGRAM = 65_535  # bytes, by the length field of UDP
_SERVICE = "/onvif/device_service"


@dataclass(frozen=True, slots=True)
class Found:
    """A device that can be asked. url: of its device service. name: as it calls itself, or empty."""

    url: str
    name: str = ""

    @property
    def host(self) -> str:
        """Return host and port, as in addresses."""
        return urlsplit(self.url).netloc


def device_at(address: str) -> Found:
    """Return the device at HOST or HOST:PORT. Raise ValueError, without the address, if it is neither."""
    wrong = "give HOST or HOST:PORT, without user, password and path"
    try:
        parts = urlsplit(f"//{address}")
        port, plain = parts.port, address.isprintable() and " " not in address
    except ValueError:
        raise ValueError(wrong) from None
    if not plain or not parts.hostname or parts.netloc != address or parts.username is not None:
        raise ValueError(wrong)
    return Found(f"{'https' if port == 443 else 'http'}://{address}{_SERVICE}")


def search(timeout_s: float, interface: str | None = None) -> list[Found]:
    """Return the devices that answer within a time. interface: name of the only one to search from; None: all.

    Raise SourceError if no interface can send multicast.
    """
    found: dict[str, Found] = {}
    with ExitStack() as stack:
        senders = [stack.enter_context(sender) for sender in _open_sockets(interface)]
        for datagram, host in _answers(senders, timeout_s):
            for device in devices_in(datagram, host):
                if len(found) < ONVIF.max_devices:
                    found.setdefault(device.host, device)
    return list(found.values())


def _open_sockets(interface: str | None) -> list[socket.socket]:
    names = [name for _, name in socket.if_nameindex() if interface in (None, name)]
    sockets, error = [], "no such interface"
    for name in names:
        sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            index = struct.pack("4s4si", bytes(4), bytes(4), socket.if_nametoindex(name))  # struct ip_mreqn
            sender.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, index)
            sender.setblocking(False)
            sender.sendto(_probe(_TYPES[0]), _GROUP)
        except OSError as failure:  # one that is down, or has no address
            error = failure.strerror or str(failure)
            sender.close()
        else:
            sockets.append(sender)
    if not sockets:
        where = f"interface {interface}" if interface else "any interface"
        raise SourceError(f"No search for cameras is possible on {where} ({error}); name the cameras with --address.")
    return sockets


def _answers(senders: Sequence[socket.socket], timeout_s: float) -> Iterator[tuple[bytes, str]]:
    """Send all probes, and yield datagrams with the address of their sender."""
    start_s, received = time.monotonic(), 0
    end_s, interval_s = start_s + timeout_s, timeout_s * ONVIF.probing / ONVIF.probe_rounds
    rounds = [start_s + interval_s * index for index in range(ONVIF.probe_rounds)]
    while (now_s := time.monotonic()) < end_s and received < ONVIF.max_datagrams:
        if rounds and now_s >= rounds[0]:
            del rounds[0]
            for sender in senders:
                _send_probes(sender)
        until_s = rounds[0] if rounds else end_s
        for sender in select.select(senders, (), (), max(0.0, until_s - time.monotonic()))[0]:
            with suppress(OSError):  # such as "port unreachable" for an earlier probe
                datagram, (host, _) = sender.recvfrom(_MAX_DATAGRAM)
                received += 1
                yield datagram, host


def _send_probes(sender: socket.socket) -> None:
    for types in _TYPES:
        with suppress(OSError):  # an interface that went down meanwhile
            sender.sendto(_probe(types), _GROUP)


def _probe(types: str) -> bytes:
    return wsdiscovery.build_probe(message_id=f"urn:uuid:{uuid.uuid4()}", types=types).encode()


def devices_in(datagram: bytes, host: str) -> Iterator[Found]:
    """Yield the devices in an answer, at the address that it came from: others might be those of third parties."""
    text = datagram.decode("utf-8", "replace")
    try:
        parse(text)
        matches = wsdiscovery.parse_probe_matches(text)
    except CallError:
        return
    for match in matches[: ONVIF.max_devices]:
        name = unquote(match.name)[: ONVIF.max_text]
        yield Found(_service_url(match.xaddrs, host), name)


def _service_url(addresses: Iterable[str], host: str) -> str:
    """Return the address of the device service on a host, given those that the device claims."""
    usable = [parts for parts in map(_split, addresses) if parts]
    best = next((parts for parts in usable if parts.hostname == host), usable[0] if usable else None)
    if best is None:
        return f"http://{host}{_SERVICE}"
    return best._replace(netloc=f"{host}:{best.port}" if best.port else host, query="", fragment="").geturl()


def _split(address: str) -> SplitResult | None:
    try:
        parts = urlsplit(address)
        usable = parts.scheme in ("http", "https") and parts.port != 0 and address.isascii()
    except ValueError:
        return None
    return parts if usable else None
