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


def test_messages_arrive_in_order_also_those_sent_before_anyone_listened(wire: Wire) -> None:
    outbox = wire.outbox()
    for number in range(300):
        outbox.send(note(number))
    inbox = wire.inbox()
    for number in range(300, 600):
        outbox.send(note(number))
    assert [inbox.receive(5) for _ in range(600)] == [note(number) for number in range(600)]
    assert inbox.receive(0) is None


def test_each_sender_keeps_its_order(wire: Wire) -> None:
    inbox = wire.inbox()
    outboxes = {stream: wire.outbox() for stream in "abc"}
    for number in range(100):
        for stream, outbox in outboxes.items():
            outbox.send(note(number, stream))
    got = [message for _ in range(300) if isinstance(message := inbox.receive(5), StreamClosed)]
    for stream in outboxes:
        assert [message.end_s for message in got if message.stream == stream] == list(range(100))


def test_strangers_get_nothing_through(wire: Wire) -> None:
    inbox = wire.inbox()
    wire.stranger().send(encode(note(1)))
    wire.outbox(Keys.new().public).send(note(2))
    assert inbox.receive(1.0) is None
    wire.outbox().send(note(3))
    assert inbox.receive(5) == note(3)
    assert inbox.receive(0.2) is None


def test_an_inbox_cannot_be_taken_over(wire: Wire) -> None:
    wire.inbox()
    with pytest.raises(zmq.ZMQError, match="in use"):
        wire.inbox()


def test_nothing_has_a_name_on_disk(wire: Wire) -> None:
    wire.inbox()
    name = wire.address.removeprefix("ipc://")
    assert [line.split()[-1] for line in Path("/proc/net/unix").read_text().splitlines() if name in line] == [name]


def test_a_sender_waits_while_the_receiver_is_far_behind(wire: Wire) -> None:
    def on_wait() -> None:
        raise TimeoutError

    outbox = wire.outbox(on_wait=on_wait)
    sent = 0
    with suppress(TimeoutError):
        while sent < 100 * THRESHOLDS.high_water_mark:
            outbox.send(note(sent))
            sent += 1
    assert THRESHOLDS.high_water_mark <= sent < 3 * THRESHOLDS.high_water_mark


def test_a_receiver_waits_no_longer_than_asked_and_says_that_it_waits(wire: Wire) -> None:
    waits: list[float] = []
    inbox = wire.inbox(lambda: waits.append(time.monotonic()))
    start = time.monotonic()
    assert inbox.receive(0.25) is None
    assert 0.25 <= time.monotonic() - start < 1
    assert len(waits) >= 2


def test_what_is_no_message_is_refused(wire: Wire) -> None:
    inbox = wire.inbox()
    outbox = wire.outbox()
    outbox.socket.send(msgspec.msgpack.encode(["no", 1]))
    with pytest.raises(msgspec.ValidationError):
        inbox.receive(5)


def test_a_message_that_is_too_large_is_refused_by_its_sender(wire: Wire) -> None:
    with pytest.raises(WorkerError, match="more than the"):
        wire.outbox().send(note(1, stream="a" * MAX_MESSAGE_BYTES))
