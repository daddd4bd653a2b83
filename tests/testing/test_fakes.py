from stream_ocr.events import TextEvent
from stream_ocr.sinks import Sinks
from stream_ocr.testing import MemorySink


def test_memory_sink_collects_events() -> None:
    event = TextEvent(
        id="a", seq=0, kind="appeared", stream="s", track=1, text="GATE", confidence=1.0, start=0.0,
        polygon=((0, 0), (1, 0), (1, 1), (0, 1)), size=(9, 9),
    )  # fmt: skip
    sink = MemorySink()
    with Sinks([sink]) as sinks:
        sinks.write(event)
    assert sink.events == [event]
    assert sinks.failures == 0
