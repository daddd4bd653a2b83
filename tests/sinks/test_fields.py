"""Text files of named fields."""

import json

import pytest

from stream_ocr.config.settings import Settings
from stream_ocr.errors import SinkError
from stream_ocr.sinks import Sinks, sinks_from_settings
from stream_ocr.testing import text_event


def sinks(path, **settings) -> Sinks:
    sink = {"type": "fields", "path": str(path), **settings}
    return Sinks(sinks_from_settings(Settings.model_validate({"sinks": [sink]})))


def test_fields_sink_writes_a_file_for_each_field(tmp_path):
    with sinks(tmp_path / "obs") as opened:
        assert json.loads((tmp_path / "obs" / "fields.json").read_text()) == {}
        opened.write(text_event(0, track=1, text="0", field="home"))
        opened.write(text_event(1, track=2, text="Ä 3", field="../guest"))
        opened.write(text_event(2, track=1, text="1", kind="changed", previous="0", field="home"))
        opened.write(text_event(3, track=3, text="no field"))
    files = {path.name: path.read_text(encoding="utf-8") for path in (tmp_path / "obs" / "cam-1").iterdir()}
    assert files == {"home.txt": "1", "%2E.%2Fguest.txt": "Ä 3"}
    found = json.loads((tmp_path / "obs" / "fields.json").read_text(encoding="utf-8"))
    assert found["cam-1"]["home"]["text"] == "1"
    assert found["cam-1"]["home"]["previous"] == "0"


@pytest.mark.parametrize(("clear", "text"), [(False, "1"), (True, "")])
def test_fields_sink_may_clear_a_field_whose_text_is_gone(tmp_path, clear, text):
    with sinks(tmp_path, clear=clear) as opened:
        opened.write(text_event(0, track=1, text="1", field="home"))
        opened.write(text_event(1, track=1, text="1", kind="ended", end=9.0, field="home"))
    assert (tmp_path / "cam-1" / "home.txt").read_text() == text


def test_fields_sink_needs_a_folder(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(SinkError, match="cannot be written"):
        sinks(tmp_path / "file" / "obs").__enter__()
