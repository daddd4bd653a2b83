"""Set-up for the load tests: a journal with its bus, and generated events."""

import random
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from stream_ocr.bus.journal import DurableJournal
from stream_ocr.bus.protocol import requests_endpoint
from stream_ocr.bus.publisher import BusSpec, Publisher
from stream_ocr.events import TextEvent
from stream_ocr.store.writer import StoreWriter

SQUARE = ((10.0, 10.0), (110.0, 10.0), (110.0, 30.0), (10.0, 30.0))
WORDS = ["".join(random.Random(n).choices("ABCDEFGHIKLMNOPRSTUVWZ", k=3 + n % 8)) for n in range(20_000)]


def event(seq: int, text: str = "", *, stream: str = "gate", kind: Any = "appeared", track: int = 0) -> TextEvent:
    text = text or " ".join(random.choices(WORDS, k=3))
    return TextEvent(
        id=f"{seq:016x}",
        seq=seq,
        kind=kind,
        stream=stream,
        track=track or seq % 50,
        text=text,
        confidence=0.97,
        char_confidences=(0.97,) * len(text),
        start=seq / 25,
        polygon=SQUARE,
        size=(1280, 720),
        emitted_utc=datetime.now(UTC),
        durable=True,
    )


@contextmanager
def journal(
    folder: Path, publisher: Callable[[BusSpec], Publisher] = Publisher, *, port: int = 0, keys: Path | None = None
) -> Iterator[Any]:
    endpoint = f"tcp://127.0.0.1:{port or free_port()}"
    spec = BusSpec(
        store=str(folder / "events.db"),
        events=endpoint,
        requests=requests_endpoint(endpoint),
        keys=None if keys is None else str(keys),
        format="json",
        max_peers=200,
        backlog=10_000,
        feed_fd=-1,
    )
    with DurableJournal(StoreWriter(folder / "events.db"), publisher(spec)) as opened:
        yield opened, endpoint


def free_port() -> int:
    while True:
        with socket.socket() as one, socket.socket() as other:
            one.bind(("127.0.0.1", 0))
            with suppress(OSError):
                other.bind(("127.0.0.1", one.getsockname()[1] + 1))
                return int(one.getsockname()[1])
