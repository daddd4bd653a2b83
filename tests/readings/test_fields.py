"""Named fields: which texts belong to them."""

from pathlib import Path

import pytest

from stream_ocr.api import read
from stream_ocr.config.settings import Settings
from stream_ocr.core.geometry import rectangle, to_flat
from stream_ocr.errors import SettingsError
from stream_ocr.events import TextEvent
from stream_ocr.readings.fields import Fields
from stream_ocr.synthetic.scene import Scene, Text, render

HOME = "events.fields.home={region: [[0, 0], [0.3, 0], [0.3, 0.4], [0, 0.4]], pattern: '[0-9]+'}"
CLOCK = "events.fields.clock={region: [[0.5, 0], [1, 0], [1, 0.4], [0.5, 0.4]]}"


def fields(*overrides: str) -> Fields:
    return Fields(Settings.load(overrides=overrides).events)


@pytest.mark.parametrize(
    ("text", "x", "field"),
    [("7", 60, "home"), ("Seven", 60, None), ("7", 230, None), ("12:07", 400, "clock"), ("7 up", 60, None)],
)
def test_fields_hold_texts_whose_centre_lies_in_the_region_and_that_match(text: str, x: float, field: str) -> None:
    assert fields(HOME, CLOCK).find(text, to_flat(rectangle(x, 40, 60, 20)), (640, 360)) == field


def test_fields_without_settings_hold_nothing() -> None:
    assert fields().find("7", to_flat(rectangle(0, 0, 60, 20)), (640, 360)) is None


@pytest.mark.parametrize(
    ("override", "sentence"),
    [
        ("events.fields.Home team={region: [[0, 0], [1, 0], [1, 1]]}", "Home team"),
        ("events.fields.home={region: [[0, 0], [1, 0]]}", "region"),
        ("events.fields.home={region: [[0, 0], [1, 0], [1, 1]], pattern: '('}", "pattern"),
    ],
)
def test_fields_that_are_wrong_are_refused_by_name(override: str, sentence: str) -> None:
    with pytest.raises(SettingsError, match=sentence):
        Settings.load(overrides=[override])


def test_read_names_the_field_of_each_event(tmp_path: Path) -> None:
    scores = (
        Text("3", 0.0, 1.0, (90, 60), height=40),
        Text("4", 1.0, 2.0, (90, 60), height=40),
        Text("71:20", 0.0, 2.0, (520, 60), height=30),
        Text("SPONSOR", 0.0, 2.0, (320, 300), height=30),
    )
    render(Scene(texts=scores, duration_s=2.0, background="static", size=(640, 360)), tmp_path / "board.mp4")
    settings = Settings.load(overrides=["models=builtin", "device=cpu", "threads=1", HOME, CLOCK])
    events = [event for event in read(tmp_path / "board.mp4", settings) if isinstance(event, TextEvent)]
    home = [(event.kind, event.text) for event in events if event.field == "home"]
    assert home == [("appeared", "3"), ("changed", "4"), ("ended", "4")]
    assert {event.text for event in events if event.field == "clock"} == {"71:20"}
    assert {event.text for event in events if event.field is None} == {"SPONSOR"}
