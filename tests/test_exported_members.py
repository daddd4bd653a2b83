"""The public names of the package: a change of this list is a change of the public interface."""

import subprocess
import sys
from importlib import import_module
from types import FunctionType

import pytest

EXPORTED = {
    "stream_ocr": {
        *("DeviceError", "Pipeline", "Progress", "Report", "Settings", "SettingsError", "SinkError", "SourceError"),
        *("StoreError", "StreamOcrError", "SubscribeError", "Subscription", "Summary", "TextEvent", "TextLine"),
        *("WeightsError", "ImageReader", "Reader", "WorkerError", "read", "read_image", "subscribe", "to_frame"),
    },
    "stream_ocr.events": {
        *("DECODE_ERRORS", "KINDS", "SCHEMA", "Event", "Kind", "Polygon", "SourceEvent", "SourceKind", "TextEvent"),
        *("Utc", "UtcSource", "parse", "read_jsonl"),
    },
    "stream_ocr.config": {"Settings"},
    "stream_ocr.errors": {
        *("DeviceError", "EventsLostError", "SettingsConflictError", "SettingsError", "SinkError", "SlotError"),
        *("SourceError", "StoreError", "StreamOcrError", "SubscribeError", "WeightsError", "WorkerError"),
    },
    "stream_ocr.client": {"Subscription", "crop", "subscribe"},
    "stream_ocr.testing": {
        *("FaultyStage", "MemorySink", "OracleRun", "ScriptedSource", "faulty_stage", "grey_frame", "published_event"),
        *("read_scripted", "read_with_oracles", "reading", "text_event"),
    },
}

INTERNAL = {"stream_ocr.events": {"EventHeader", "assignment_of", "event_id", "quad_to_polygon"}}
"""Classes and functions without underscore that only other packages of stream_ocr use."""


@pytest.mark.parametrize("name", EXPORTED)
def test_all_lists_exactly_the_public_names(name: str) -> None:
    module = import_module(name)
    assert len(set(module.__all__)) == len(module.__all__)
    assert set(module.__all__) == EXPORTED[name]
    for member in module.__all__:
        assert getattr(module, member) is not None


@pytest.mark.parametrize("name", EXPORTED)
def test_every_public_definition_is_exported(name: str) -> None:
    defined = {
        member
        for member, value in vars(import_module(name)).items()
        if isinstance(value, type | FunctionType) and value.__module__ == name and not member.startswith("_")
    }
    assert defined <= EXPORTED[name] | INTERNAL.get(name, set())


@pytest.mark.parametrize("name", ["stream_ocr", "stream_ocr.config"])
def test_unknown_name_is_an_attribute_error(name: str) -> None:
    with pytest.raises(AttributeError, match="has no attribute 'Nothing'"):
        import_module(name).Nothing  # noqa: B018


@pytest.mark.parametrize("name", ["stream_ocr", "stream_ocr.config"])
def test_import_is_lazy(name: str) -> None:
    program = f"import sys, {name}; sys.exit('pydantic' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
