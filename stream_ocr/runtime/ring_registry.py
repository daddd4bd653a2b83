"""The rings that a worker has mapped: those of its start, and those of streams that were added later.

Workers receive the ring of a new stream before its source starts, so it is always there when a message refers to it.
"""

import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress

import msgspec

from stream_ocr.core.messages import Detections, FrameRef, Message, SlotRef, Tracks, Watermark
from stream_ocr.runtime.control_messages import Command, ResendState, RingAdded, RingDropped, SourcesChanged
from stream_ocr.runtime.shm_ring import Ring
from stream_ocr.stages.base import CROPS, frame_ring

_MAX_COMMAND_BYTES = 1 << 20  # far more than any command has


class RingRegistry(Mapping[str, Ring]):
    """Rings by name. Reads the supervisor's commands when a ring is missing, and in ``commands``."""

    def __init__(self, fds: Mapping[str, int], commands: socket.socket, on_wait: Callable[[], None]) -> None:
        self._socket, self._on_wait = commands, on_wait
        self._rings = {name: Ring.attach(fd, on_wait) for name, fd in fds.items()}
        self._commands: list[ResendState | SourcesChanged] = []
        commands.setblocking(False)

    def __contains__(self, name: object) -> bool:
        if name not in self._rings:
            self._read_commands()
        return name in self._rings

    def __getitem__(self, name: str) -> Ring:
        if name not in self:
            raise KeyError(name)
        return self._rings[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._rings)

    def __len__(self) -> int:
        return len(self._rings)

    def commands(self) -> list[ResendState | SourcesChanged]:
        """Return the commands since the last call, those about rings excepted."""
        self._read_commands()
        commands, self._commands = self._commands, []
        return commands

    def reclaim(self, watermark: Watermark) -> int:
        """Release the slots whose references were lost. Return their number."""
        ring = watermark.ring
        return self[ring].reclaim(watermark.first, watermark.last) if ring in self else 0

    def without_lost(self, message: Message) -> Message:
        """Return the message without references to slots that were reclaimed after it was sent."""
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
                        msgspec.structs.replace(track, crop=None) if is_lost else track
                        for track, is_lost in zip(message.tracks, lost, strict=True)
                    )
                    return msgspec.structs.replace(message, tracks=tracks)
        return message

    def _holds(self, ring: str, slot: SlotRef) -> bool:
        return ring in self and self[ring].holds(slot)

    def _read_commands(self) -> None:
        with suppress(BlockingIOError):
            while True:
                data, fds, _, _ = socket.recv_fds(self._socket, _MAX_COMMAND_BYTES, 1)
                if not data:
                    return
                self._execute(msgspec.json.decode(data, type=Command), fds)

    def _execute(self, command: Command, fds: list[int]) -> None:
        match command:
            case RingAdded(name):
                self._rings[name] = Ring.attach(fds[0], self._on_wait)
            case RingDropped(name):
                if ring := self._rings.pop(name, None):
                    ring.close()
            case ResendState() | SourcesChanged():
                self._commands.append(command)
