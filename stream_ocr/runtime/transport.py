"""Messages between processes: ZeroMQ PUSH and PULL, one way.

Sockets live in Linux' abstract namespace, so that no kill leaves a file behind. Names there have no permissions;
access is by CURVE instead: nothing passes without the public key of the receiver, which reaches the senders through
a private pipe. A high-water mark does not bound small messages; slots do (see ``ring``). It is large here because
libzmq can lose the tail of a stream with a small one (libzmq #4660).
"""

import math
import time
from collections.abc import Callable
from typing import Self

import msgspec
import zmq

from stream_ocr.core import messages
from stream_ocr.core.messages import Message, Watermark
from stream_ocr.errors import WorkerError

HIGH_WATER = 1000  # messages on each side
MAX_MESSAGE_BYTES = 16 * 2**20
_PATIENCE_MS = 100


class Keys(msgspec.Struct, frozen=True):
    """A CURVE key pair of a receiver, in Z85. Senders get the public one."""

    public: str
    secret: str

    @classmethod
    def new(cls) -> Self:
        public, secret = zmq.curve_keypair()
        return cls(public.decode(), secret.decode())


def _nothing() -> None:
    pass


class Inbox:
    """Receives what several outboxes send, each one's messages in order."""

    def __init__(
        self, context: zmq.Context[zmq.Socket[bytes]], address: str, keys: Keys, waiting: Callable[[], None] = _nothing
    ) -> None:
        """Binds. ``waiting`` is called now and then while there is nothing. Raises zmq.ZMQError: address in use."""
        self._waiting = waiting
        self.socket = _socket(context, zmq.PULL)
        self.socket.curve_server = True
        self.socket.curve_secretkey = keys.secret.encode()
        try:
            self.socket.bind(address)
        except zmq.ZMQError:
            self.socket.close()
            raise

    def receive(self, timeout_s: float) -> Message | Watermark | None:
        """The next message, or None when none came in time. Raises msgspec.ValidationError when it is none of ours."""
        deadline = time.monotonic() + timeout_s
        while True:
            try:
                return messages.decode(self.socket.recv(zmq.NOBLOCK))
            except zmq.Again:
                left_ms = (deadline - time.monotonic()) * 1000
                if left_ms <= 0:
                    return None
                self._waiting()
                self.socket.poll(min(math.ceil(left_ms), _PATIENCE_MS), zmq.POLLIN)

    def close(self) -> None:
        self.socket.close()


class Outbox:
    """Sends to one inbox."""

    def __init__(
        self,
        context: zmq.Context[zmq.Socket[bytes]],
        address: str,
        receiver: str,
        waiting: Callable[[], None] = _nothing,
    ) -> None:
        """Connects, now or as soon as somebody binds. receiver: its public key. ``waiting``: as of an inbox."""
        self._waiting = waiting
        self.socket = _socket(context, zmq.PUSH)
        public, secret = zmq.curve_keypair()
        self.socket.curve_serverkey = receiver.encode()
        self.socket.curve_publickey, self.socket.curve_secretkey = public, secret
        self.socket.connect(address)

    def send(self, message: Message | Watermark) -> None:
        """Hand a message to ZeroMQ; waits while the receiver is far behind."""
        data = messages.encode(message)
        if len(data) > MAX_MESSAGE_BYTES:  # the receiver would hang up, and lose what is on the way
            raise WorkerError(f"A message of {len(data)} bytes is more than the {MAX_MESSAGE_BYTES} that may pass.")
        while True:
            try:
                self.socket.send(data, zmq.NOBLOCK)
            except zmq.Again:
                self._waiting()
                self.socket.poll(_PATIENCE_MS, zmq.POLLOUT)
            else:
                return

    def close(self) -> None:
        self.socket.close()


def _socket(context: zmq.Context[zmq.Socket[bytes]], kind: int) -> zmq.Socket[bytes]:
    # All options before bind or connect; later ones are ignored.
    socket = context.socket(kind)
    socket.linger = 0
    socket.sndhwm = socket.rcvhwm = HIGH_WATER
    socket.maxmsgsize = MAX_MESSAGE_BYTES
    socket.reconnect_ivl, socket.reconnect_ivl_max = 20, 200  # ms: a successor listens at the same address
    return socket
