"""Texts on the screen."""

from stream_ocr.events import SourceEvent
from stream_ocr.events.visible import StreamState, apply_event
from stream_ocr.testing import text_event


def test_apply_event_starts_a_new_run_with_an_empty_screen():
    def tracks(now: StreamState) -> list[int]:
        return [text.track for text in now.texts]

    now = apply_event(None, text_event(7, track=1))
    now = apply_event(now, text_event(8, track=2))
    assert tracks(now) == [1, 2]
    assert tracks(apply_event(now, SourceEvent(id="", seq=9, kind="source.gap", stream="cam-1"))) == [1, 2]
    assert tracks(apply_event(now, text_event(0, track=5))) == [5]
