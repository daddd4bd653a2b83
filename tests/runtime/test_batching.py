import time
from collections.abc import Callable, Iterable

from stream_ocr.core.messages import FrameRef, Message, Stamp, StreamClosed
from stream_ocr.runtime.batching import batches


def frame(seq: int) -> FrameRef:
    return FrameRef(Stamp("a", 0, seq, seq, (1, 25), 1, 0), (8, 1), "skip", None, True, False, False)


def closed(stream: str) -> StreamClosed:
    return StreamClosed(stream, "end", 0.0, 1.0, {})


def script(messages: Iterable[Message | None]) -> Callable[[float], Message | None]:
    """A receiver that gives these; None stands for what did not come in time."""
    left = iter(messages)
    return lambda _timeout_s: next(left)


def always(_message: Message) -> bool:
    return True


def grouped(messages: Iterable[Message | None], count: int, max_items: int) -> list[list[Message]]:
    groups = batches(script(messages), lambda: max_items, 1.0, always)
    return [next(groups) for _ in range(count)]


def test_batches_are_complete_at_max_items() -> None:
    frames = [frame(seq) for seq in range(5)]
    assert grouped(frames, 2, 2) == [frames[:2], frames[2:4]]


def test_batches_are_complete_after_max_wait() -> None:
    assert grouped([None, frame(0), frame(1), None, frame(2), None], 2, 8) == [[frame(0), frame(1)], [frame(2)]]


def test_batches_end_with_the_end_of_a_stream() -> None:
    messages = [frame(0), closed("a"), frame(1), closed("b"), closed("c")]
    assert grouped(messages, 3, 8) == [[frame(0), closed("a")], [frame(1), closed("b")], [closed("c")]]


def test_max_wait_counts_from_the_first_message() -> None:
    seq = 0

    def trickle(timeout_s: float) -> Message | None:
        nonlocal seq
        if timeout_s < 0.02:
            time.sleep(timeout_s)
            return None
        time.sleep(0.02)
        seq += 1
        return frame(seq)

    start = time.monotonic()
    batch = next(batches(trickle, lambda: 1000, 0.2, always))
    assert time.monotonic() - start < 0.4
    assert 2 <= len(batch) <= 11


def test_a_batch_waits_only_for_messages_that_gain_from_it() -> None:
    timeouts_s: list[float] = []
    left = [frame(0), frame(1), frame(2), None]

    def receive(timeout_s: float) -> Message | None:
        timeouts_s.append(timeout_s)
        return left.pop(0)

    batch = next(batches(receive, lambda: 8, 5.0, lambda message: message == frame(1)))
    assert batch == [frame(0), frame(1), frame(2)]
    assert timeouts_s[1] == 0
    assert all(4 < timeout_s <= 5 for timeout_s in timeouts_s[2:])
