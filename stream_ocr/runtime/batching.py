"""Messages in batches."""

import time
from collections.abc import Callable, Iterator

from stream_ocr.core.messages import Message, StreamClosed, Watermark
from stream_ocr.runtime.thresholds import THRESHOLDS


def batches(
    receive: Callable[[float], Message | Watermark | None],
    max_items: Callable[[], int],
    max_wait_s: float,
    gains: Callable[[Message], bool],
) -> Iterator[list[Message | Watermark]]:
    """Yield batches of ``max_items`` messages, or fewer ``max_wait_s`` after the first.

    ``StreamClosed`` and ``Watermark`` end a batch. receive: takes a timeout in seconds and returns the next message or
    None; it takes senders in turn, so none fills the batches alone and a silent one delays nothing. gains: whether it
    is worth while to wait for more messages like one; a batch without any takes what has arrived.
    """
    while True:
        first = receive(THRESHOLDS.poll_s)
        if first is None:
            continue
        batch, worthwhile = [first], False
        deadline = time.monotonic() + max_wait_s
        while len(batch) < max_items() and not isinstance(last := batch[-1], StreamClosed | Watermark):
            worthwhile = worthwhile or gains(last)
            message = receive(max(0.0, deadline - time.monotonic()) if worthwhile else 0.0)
            if message is None:
                break
            batch.append(message)
        yield batch
