"""The rings that a worker has mapped: those it was started with, and those of streams that came later.

A ring of a new stream is handed to its users before its source is started, so it has always arrived by the time at
which a message refers to it.
"""

import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import Any

import msgspec

from stream_ocr.core.messages import Detections, FrameRef, Message, SlotRef, Tracks, Watermark
from stream_ocr.runtime.shm_ring import Ring
from stream_ocr.stages.base import CROPS, frame_ring

_ORDER_BYTES = 1 << 20


class RingAdded(msgspec.Struct, frozen=True, tag="ring added"):
    """A stream has come. The descriptor of its ring comes along."""

    name: str


class RingDropped(msgspec.Struct, frozen=True, tag="ring dropped"):
    """A stream has gone for good."""

    name: str


class ResendState(msgspec.Struct, frozen=True, tag="renew"):
    """A later worker has died, and with it what it was told: tell it again."""


class SourcesChanged(msgspec.Struct, frozen=True, tag="sources changed"):
    """The settings of sources have changed; these are all settings."""

    settings: Mapping[str, Any]


Order = RingAdded | RingDropped | ResendState | SourcesChanged


class MappedRings(Mapping[str, Ring]):
    """Rings by name. The supervisor's orders are read when a ring is missing, and by ``orders``."""

    def __init__(self, fds: Mapping[str, int], orders: socket.socket, waiting: Callable[[], None]) -> None:
        self._socket, self._waiting = orders, waiting
        self._rings = {name: Ring.attach(fd, waiting) for name, fd in fds.items()}
        self._orders: list[ResendState | SourcesChanged] = []
        orders.setblocking(False)

    def __contains__(self, name: object) -> bool:
        if name not in self._rings:
            self._read_orders()
        return name in self._rings

    def __getitem__(self, name: str) -> Ring:
        if name not in self:
            raise KeyError(name)
        return self._rings[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._rings)

    def __len__(self) -> int:
        return len(self._rings)

    def orders(self) -> list[ResendState | SourcesChanged]:
        """What the supervisor has ordered since the last call, beside the rings."""
        self._read_orders()
        orders, self._orders = self._orders, []
        return orders

    def settle(self, mark: Watermark) -> int:
        """Give back what was lost on the way; the number of slots."""
        return self[mark.ring].settle(mark.first, mark.last) if mark.ring in self else 0

    def without_lost(self, message: Message) -> Message:
        """A message without the references to slots that were taken back since it was sent."""
        match message:
            case FrameRef(slot=SlotRef() as slot) if not self._holds(frame_ring(message.stamp.stream), slot):
                return msgspec.structs.replace(message, slot=None, action="skip")
            case Detections():
                frame = self.without_lost(message.frame)
                assert isinstance(frame, FrameRef)
                return message if frame is message.frame else msgspec.structs.replace(message, frame=frame)
            case Tracks():
                lost = [t.crop is not None and not self._holds(CROPS, t.crop.slot) for t in message.tracks]
                if any(lost):
                    tracks = tuple(
                        msgspec.structs.replace(track, crop=None) if gone else track
                        for track, gone in zip(message.tracks, lost, strict=True)
                    )
                    return msgspec.structs.replace(message, tracks=tracks)
        return message

    def _holds(self, ring: str, slot: SlotRef) -> bool:
        return ring in self and self[ring].holds(slot)

    def _read_orders(self) -> None:
        with suppress(BlockingIOError):
            while True:
                data, fds, _, _ = socket.recv_fds(self._socket, _ORDER_BYTES, 1)
                if not data:
                    return
                self._obey(msgspec.json.decode(data, type=Order), fds)

    def _obey(self, order: Order, fds: list[int]) -> None:
        match order:
            case RingAdded(name):
                self._rings[name] = Ring.attach(fds[0], self._waiting)
            case RingDropped(name):
                if ring := self._rings.pop(name, None):
                    ring.close()
            case ResendState() | SourcesChanged():
                self._orders.append(order)
