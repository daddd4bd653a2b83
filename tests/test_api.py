"""Arguments of ``read`` and ``Pipeline``, and sinks of the caller's own."""

import cv2
import numpy as np
import pytest

import stream_ocr
from stream_ocr import Pipeline, Settings
from stream_ocr.synthetic.scene import Scene, Text, render
from stream_ocr.testing import MemorySink

SETTINGS = Settings.load(overrides=["models=builtin", "device=cpu", "threads=1"])


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    path = tmp_path_factory.mktemp("api") / "clip.mp4"
    render(Scene((Text("Good morning", 0.2, 0.8, (320, 300), "middle", height=28),), 1.0, (640, 360)), path)
    return path


def test_read_and_pipeline_take_paths_and_own_sinks(clip, tmp_path):
    sinks = MemorySink(), MemorySink()
    inside = list(stream_ocr.read(clip, SETTINGS, sinks=[sinks[0], tmp_path / "read.jsonl"]))
    with Pipeline([clip], SETTINGS, sinks=[sinks[1], tmp_path / "pipeline.jsonl"]) as pipeline:
        outside = list(pipeline.events())
    expected = [("appeared", "Good morning"), ("ended", "Good morning")]
    for events in (inside, outside, sinks[0].events, sinks[1].events):
        assert [(event.kind, event.text) for event in events] == expected
    for name in ("read.jsonl", "pipeline.jsonl"):
        assert len((tmp_path / name).read_text().splitlines()) == 2


def test_arguments_of_other_types_are_type_errors(clip):
    capture = cv2.VideoCapture()
    for call, sentence in (
        (lambda: list(stream_ocr.read(capture)), r"named by its path, not by VideoCapture; stream_ocr.Reader takes"),
        (lambda: list(stream_ocr.read(np.zeros((4, 4)))), r"not by ndarray"),
        (lambda: list(stream_ocr.read(clip, {"models": "builtin"})), r"settings is a stream_ocr.Settings, not dict"),
        (
            lambda: list(stream_ocr.read(clip, SETTINGS, sinks=[print])),
            r"A sink is a path or an object with name, open",
        ),
        (lambda: Pipeline([clip], {"models": "builtin"}), r"settings is a stream_ocr.Settings, not dict"),
        (lambda: Pipeline([capture], SETTINGS), r"named by its path, not by VideoCapture"),
        (lambda: Pipeline([clip], SETTINGS, sinks=[3]), r"A sink is a path or an object with name, open.*not int"),
    ):
        with pytest.raises(TypeError, match=sentence):
            call()
