"""Text in a large picture that is too small for the first detector run."""

from pathlib import Path

import pytest

from stream_ocr.api import read
from stream_ocr.config.settings import Settings
from stream_ocr.events.spans import build_spans
from stream_ocr.synthetic.scene import Scene, Text, render

BUILTIN = ("models=builtin", "device=cpu", "threads=1")

SCENE = Scene(
    texts=(
        Text("Flight LH 454 delayed", 0.0, 3.0, (1300, 90), height=12, outline=None),
        Text("Please keep the exit clear", 1.0, 3.0, (700, 900), height=14, outline=None),
        Text("ARRIVALS", 0.0, 3.0, (120, 500), height=60, outline=None),
    ),
    duration_s=3.0,
    size=(1920, 1080),
    fps=10,
    background="static",
)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("small") / "hall.mp4"
    render(SCENE, path)
    return path


def read_texts(clip: Path, *settings: str) -> list[tuple[str, float, float]]:
    events = read(clip, Settings.load(overrides=[*BUILTIN, *settings]))
    return sorted((span.text, span.start, span.end) for span in build_spans(list(events)))


def test_fine_pass_finds_small_text_with_exact_times(clip: Path) -> None:
    shown = sorted((text.text, text.start_s, text.end_s) for text in SCENE.texts)
    assert read_texts(clip) == [(text, pytest.approx(start_s), pytest.approx(end_s)) for text, start_s, end_s in shown]


def test_small_text_is_missed_without_fine_pass(clip: Path) -> None:
    found = [text for text, *_ in read_texts(clip, "detection.fine_pass=off")]
    assert "ARRIVALS" in found
    assert "Flight LH 454 delayed" not in found
