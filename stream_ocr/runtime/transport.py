"""Messages between processes: ZeroMQ PUSH and PULL, one way.

Sockets live in Linux' abstract namespace, so no kill leaves a file behind. Names there have no permissions; access is
by CURVE instead: nothing passes without the public key of the receiver, which reaches the senders through a private
pipe. A high-water mark does not bound small messages; slots do (see ``shm_ring``). It is large here because libzmq can
lose the tail of a stream with a small one (libzmq #4660).
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
from stream_ocr.runtime.thresholds import THRESHOLDS

MAX_MESSAGE_BYTES = 16 * 2**20  # pixels stay in shared memory, so messages are small
_POLL_MS = round(1000 * THRESHOLDS.poll_s)


class Keys(msgspec.Struct, frozen=True):
    """The CURVE key pair of a receiver, in Z85. Senders get the public key."""

    public: str
    secret: str

    @classmethod
    def new(cls) -> Self:
        """Return a new random pair."""
        public, secret = zmq.curve_keypair()
        return cls(public.decode(), secret.decode())


def _no_op() -> None:
    pass


class Inbox:
    """Receives from several outboxes, the messages of each in order."""

    def __init__(
        self,
        context: zmq.Context[zmq.Socket[bytes]],
        address: str,
        keys: Keys,
        on_wait: Callable[[], None] = _no_op,
    ) -> None:
        """Bind. Raise zmq.ZMQError if the address is in use. on_wait: called repeatedly while nothing arrives."""
        self._on_wait = on_wait
        self.socket = _socket(context, zmq.PULL)
        self.socket.curve_server = True
        self.socket.curve_secretkey = keys.secret.encode()
        try:
            self.socket.bind(address)
        except zmq.ZMQError:
            self.socket.close()
            raise

    def receive(self, timeout_s: float) -> Message | Watermark | None:
        """Return the next message, or None after ``timeout_s``. Raise msgspec.ValidationError if it is malformed."""
        deadline = time.monotonic() + timeout_s
        while True:
            try:
                return messages.decode(self.socket.recv(zmq.NOBLOCK))
            except zmq.Again:
                left_ms = (deadline - time.monotonic()) * 1000
                if left_ms <= 0:
                    return None
                self._on_wait()
                self.socket.poll(min(math.ceil(left_ms), _POLL_MS), zmq.POLLIN)

    def close(self) -> None:
        self.socket.close()


class Outbox:
    """Sends to one inbox."""

    def __init__(
        self,
        context: zmq.Context[zmq.Socket[bytes]],
        address: str,
        receiver: str,
        on_wait: Callable[[], None] = _no_op,
    ) -> None:
        """Connect, now or once somebody binds. receiver: its public key. on_wait: called while there is no room."""
        self._on_wait = on_wait
        self.socket = _socket(context, zmq.PUSH)
        public, secret = zmq.curve_keypair()
        self.socket.curve_serverkey = receiver.encode()
        self.socket.curve_publickey, self.socket.curve_secretkey = public, secret
        self.socket.connect(address)

    def send(self, message: Message | Watermark) -> None:
        """Send a message; wait while the queue to the receiver is full. Raise WorkerError if it is too large."""
        data = messages.encode(message)
        if len(data) > MAX_MESSAGE_BYTES:  # the receiver would disconnect and lose what is on its way
            raise WorkerError(f"A message of {len(data)} bytes is more than the {MAX_MESSAGE_BYTES} allowed.")
        while True:
            try:
                self.socket.send(data, zmq.NOBLOCK)
            except zmq.Again:
                self._on_wait()
                self.socket.poll(_POLL_MS, zmq.POLLOUT)
            else:
                return

    def close(self) -> None:
        self.socket.close()


def _socket(context: zmq.Context[zmq.Socket[bytes]], kind: int) -> zmq.Socket[bytes]:
    # All options before bind or connect; later ones are ignored.
    socket = context.socket(kind)
    socket.linger = 0
    socket.sndhwm = socket.rcvhwm = THRESHOLDS.high_water_mark
    socket.maxmsgsize = MAX_MESSAGE_BYTES
    socket.reconnect_ivl, socket.reconnect_ivl_max = THRESHOLDS.reconnect_ms
    return socket
