"""Harmless changes of a clip change neither the texts that the built-in models read in it nor their times."""

from collections.abc import Callable
from pathlib import Path

import pytest

from stream_ocr.api import read
from stream_ocr.config.settings import Settings
from stream_ocr.evaluation.metamorphic import VARIANTS, Variant, compare, write_variant
from stream_ocr.evaluation.timed_text import TimedText, predicted_texts
from stream_ocr.evaluation.truth import Truth, parse_truth
from stream_ocr.synthetic import footage
from stream_ocr.synthetic.scene import Scene, Text, render, truth

FRAME_S = 0.04
SIZE = (640, 360)
EDGE = (320, 324)  # the letters end four pixels above the edge of the picture
SCENE = Scene(
    texts=(
        Text("Good morning", 0.4, 1.2, EDGE, "middle", height=30),
        Text("The train is late", 1.2, 2.4, EDGE, "middle", height=30),
        Text("Nobody knows why", 2.6, 3.4, EDGE, "middle", height=30),
        Text("PLATFORM 7", 0.6, 3.0, (60, 60), height=34, outline=None, panel=(28, 52, 110)),
        Text("EXIT", 0.0, 3.8, (540, 60), height=30),
    ),
    duration_s=3.8,
    size=SIZE,
    background=footage.film(),
)
SETTINGS = ("models=builtin", "device=cpu", "threads=1")
CHOSEN = ("crf 36", "padded", "cropped", "shifted", "scaled 1.5", "12.5 fps", "60 fps", "starts earlier")

TRUTH: Truth = parse_truth(truth(SCENE))


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("metamorphic") / "clip.mp4"
    render(SCENE, path)
    return path


@pytest.fixture(scope="module")
def read_texts() -> Callable[[Path], list[TimedText]]:
    settings = Settings.load(overrides=SETTINGS)
    return lambda path: list(predicted_texts(read(path, settings), TRUTH.duration_s))


@pytest.fixture(scope="module")
def original(clip: Path, read_texts: Callable[[Path], list[TimedText]]) -> list[TimedText]:
    return read_texts(clip)


def test_all_texts_of_the_clip_are_read_at_their_times(original: list[TimedText]) -> None:
    assert [*compare(TRUTH.lines, original, FRAME_S).lines()] == []


@pytest.mark.parametrize("variant", [pytest.param(v, id=v.name) for v in VARIANTS if v.name in CHOSEN])
def test_a_variant_has_the_texts_of_the_clip_to_the_frame(
    variant: Variant,
    clip: Path,
    original: list[TimedText],
    read_texts: Callable[[Path], list[TimedText]],
    tmp_path: Path,
) -> None:
    path = tmp_path / f"variant{variant.suffix}"
    change = write_variant(clip, variant, path)
    expected = [change.text(text) for text in original]
    assert [*compare(expected, read_texts(path), change.frame_s).lines()] == []
