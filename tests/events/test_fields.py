"""Latest texts of named fields."""

from stream_ocr.events import SourceEvent
from stream_ocr.events.fields import LatestFields
from stream_ocr.testing import text_event


def texts(fields: LatestFields) -> dict[str, tuple[str, bool]]:
    return {name: (value.text, value.visible) for name, value in fields.values.get("cam-1", {}).items()}


def test_latest_fields_follow_the_events():
    fields = LatestFields()
    assert not fields.update(text_event(0, text="KICK OFF"))
    assert fields.update(text_event(1, track=1, text="0", field="home"))
    assert fields.update(text_event(2, track=2, text="0", field="guest"))
    assert fields.update(text_event(3, track=1, text="1", kind="changed", previous="0", field="home"))
    assert texts(fields) == {"home": ("1", True), "guest": ("0", True)}
    assert fields.values["cam-1"]["home"].previous == "0"
    assert fields.update(text_event(4, track=1, text="1", kind="ended", end=9.0, field="home"))
    assert texts(fields) == {"home": ("1", False), "guest": ("0", True)}


def test_latest_fields_hide_a_text_that_leaves_its_field():
    fields = LatestFields()
    fields.update(text_event(0, track=1, text="LINE 4", field="top"))
    fields.update(text_event(1, track=1, text="LINE 5", kind="changed", field="bottom"))
    assert texts(fields) == {"top": ("LINE 4", False), "bottom": ("LINE 5", True)}


def test_latest_fields_keep_a_newer_text_when_an_older_one_ends():
    fields = LatestFields()
    fields.update(text_event(0, track=1, text="OLD", field="top"))
    fields.update(text_event(1, track=2, text="NEW", field="top"))
    assert not fields.update(text_event(2, track=1, text="OLD", kind="ended", end=5.0, field="top"))
    assert texts(fields) == {"top": ("NEW", True)}


def test_latest_fields_hide_all_of_a_source_that_is_down():
    fields = LatestFields()
    fields.update(text_event(0, track=1, text="1", field="home"))
    assert fields.update(SourceEvent(id="d", seq=1, kind="source.down", stream="cam-1", start=2.0))
    assert texts(fields) == {"home": ("1", False)}
