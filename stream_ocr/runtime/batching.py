"""Messages in batches."""

import time
from collections.abc import Callable, Iterator

from stream_ocr.core.messages import Message, StreamClosed, Watermark

_PATIENCE_S = 0.1


def batches(
    receive: Callable[[float], Message | Watermark | None], max_items: Callable[[], int], max_wait_s: float
) -> Iterator[list[Message | Watermark]]:
    """Messages in groups of ``max_items``, or fewer ``max_wait_s`` after the first.

    ``StreamClosed`` and ``Watermark`` end a group. Senders are heard in turn, so that none fills the batches alone, and one
    that is silent delays nothing.
    """
    while True:
        first = receive(_PATIENCE_S)
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
