import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, suppress
from pathlib import Path

import msgspec
import pytest
import zmq

from stream_ocr.core.messages import StreamClosed, encode
from stream_ocr.errors import WorkerError
from stream_ocr.runtime.thresholds import THRESHOLDS
from stream_ocr.runtime.transport import MAX_MESSAGE_BYTES, Inbox, Keys, Outbox


class Wire:
    """An address and what listens and sends there."""

    def __init__(self, open_ends: ExitStack) -> None:
        self.open_ends = open_ends
        self.context: zmq.Context[zmq.Socket[bytes]] = open_ends.enter_context(zmq.Context())
        self.address = f"ipc://@stream-ocr-test-{secrets.token_hex(8)}"
        self.keys = Keys.new()

    def inbox(self, on_wait: Callable[[], None] = lambda: None) -> Inbox:
        return self.open_ends.enter_context(closing(Inbox(self.context, self.address, self.keys, on_wait)))

    def outbox(self, key: str | None = None, on_wait: Callable[[], None] = lambda: None) -> Outbox:
        key = key or self.keys.public
        return self.open_ends.enter_context(closing(Outbox(self.context, self.address, key, on_wait)))

    def stranger(self) -> zmq.Socket[bytes]:
        socket = self.open_ends.enter_context(closing(self.context.socket(zmq.PUSH)))
        socket.linger = 0
        socket.connect(self.address)
        return socket


@pytest.fixture
def wire() -> Iterator[Wire]:
    with ExitStack() as open_ends:
        yield Wire(open_ends)


def note(number: int, stream: str = "a") -> StreamClosed:
    return StreamClosed(stream, "end", 0.0, float(number), {})


def test_inbox_receives_in_order_including_messages_sent_before_it_was_bound(wire: Wire) -> None:
    outbox = wire.outbox()
    for number in range(300):
        outbox.send(note(number))
    inbox = wire.inbox()
    for number in range(300, 600):
        outbox.send(note(number))
    assert [inbox.receive(5) for _ in range(600)] == [note(number) for number in range(600)]
    assert inbox.receive(0) is None


def test_inbox_keeps_the_order_of_each_sender(wire: Wire) -> None:
    inbox = wire.inbox()
    outboxes = {stream: wire.outbox() for stream in "abc"}
    for number in range(100):
        for stream, outbox in outboxes.items():
            outbox.send(note(number, stream))
    got = [message for _ in range(300) if isinstance(message := inbox.receive(5), StreamClosed)]
    for stream in outboxes:
        assert [message.end_s for message in got if message.stream == stream] == list(range(100))


def test_inbox_rejects_senders_without_its_key(wire: Wire) -> None:
    inbox = wire.inbox()
    wire.stranger().send(encode(note(1)))
    wire.outbox(Keys.new().public).send(note(2))
    assert inbox.receive(1.0) is None
    wire.outbox().send(note(3))
    assert inbox.receive(5) == note(3)
    assert inbox.receive(0.2) is None


def test_inbox_address_cannot_be_taken_over(wire: Wire) -> None:
    wire.inbox()
    with pytest.raises(zmq.ZMQError, match="in use"):
        wire.inbox()


def test_inbox_has_no_name_in_the_file_system(wire: Wire) -> None:
    wire.inbox()
    name = wire.address.removeprefix("ipc://")
    assert [line.split()[-1] for line in Path("/proc/net/unix").read_text().splitlines() if name in line] == [name]


def test_outbox_waits_at_the_high_water_mark(wire: Wire) -> None:
    def on_wait() -> None:
        raise TimeoutError

    outbox = wire.outbox(on_wait=on_wait)
    sent = 0
    with suppress(TimeoutError):
        while sent < 100 * THRESHOLDS.high_water_mark:
            outbox.send(note(sent))
            sent += 1
    assert THRESHOLDS.high_water_mark <= sent < 3 * THRESHOLDS.high_water_mark


def test_receive_returns_after_its_timeout_and_calls_on_wait(wire: Wire) -> None:
    waits: list[float] = []
    inbox = wire.inbox(lambda: waits.append(time.monotonic()))
    start = time.monotonic()
    assert inbox.receive(0.25) is None
    assert 0.25 <= time.monotonic() - start < 1
    assert len(waits) >= 2


def test_receive_rejects_malformed_messages(wire: Wire) -> None:
    inbox = wire.inbox()
    outbox = wire.outbox()
    outbox.socket.send(msgspec.msgpack.encode(["no", 1]))
    with pytest.raises(msgspec.ValidationError):
        inbox.receive(5)


def test_send_rejects_messages_that_are_too_large(wire: Wire) -> None:
    with pytest.raises(WorkerError, match="more than the"):
        wire.outbox().send(note(1, stream="a" * MAX_MESSAGE_BYTES))
