"""Messages in batches."""

import time
from collections.abc import Callable, Iterator

from stream_ocr.core.messages import Message, StreamClosed, Watermark
from stream_ocr.runtime.thresholds import THRESHOLDS


def batches(
    receive: Callable[[float], Message | Watermark | None], max_items: Callable[[], int], max_wait_s: float
) -> Iterator[list[Message | Watermark]]:
    """Yield batches of ``max_items`` messages, or fewer ``max_wait_s`` after the first.

    ``StreamClosed`` and ``Watermark`` end a batch. receive: takes a timeout in seconds and returns the next message or
    None; it takes senders in turn, so none fills the batches alone and a silent one delays nothing.
    """
    while True:
        first = receive(THRESHOLDS.poll_s)
        if first is None:
            continue
        batch = [first]
        deadline = time.monotonic() + max_wait_s
        while len(batch) < max_items() and not isinstance(batch[-1], StreamClosed | Watermark):
            message = receive(max(0.0, deadline - time.monotonic()))
            if message is None:
                break
            batch.append(message)
        yield batch
