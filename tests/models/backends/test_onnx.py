"""Custom ONNX files, run by the engine and named in settings; encoded here without the onnx package."""

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from stream_ocr.config.settings import Settings
from stream_ocr.core.frame import Frame
from stream_ocr.core.geometry import bounding_box, from_flat
from stream_ocr.errors import WeightsError
from stream_ocr.models import presets, weights, zoo
from stream_ocr.models.backends.onnx import OnnxEngine
from stream_ocr.models.devices import pick_device

SHARED = Path(__file__).parents[4] / "shared" / "models"

# Protocol buffers: a field is its number and kind, then a varint (kind 0) or a length and as many bytes (kind 2).


def varint(value: int) -> bytes:
    return bytes([value]) if value < 128 else bytes([value & 127 | 128]) + varint(value >> 7)


def field(number: int, value: int | str | bytes) -> bytes:
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    data = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(data)) + data


def tensor(name: str, values: np.ndarray) -> bytes:
    dims = b"".join(field(1, size) for size in values.shape)
    return dims + field(2, 1) + field(8, name) + field(9, values.astype("<f4").tobytes())


def node(operation: str, inputs: Sequence[str], output: str, **integers: int | Sequence[int]) -> bytes:
    attributes = b"".join(
        field(5, field(1, name) + field(3, value) + field(20, 2))
        if isinstance(value, int)
        else field(5, field(1, name) + b"".join(field(8, v) for v in value) + field(20, 7))
        for name, value in integers.items()
    )
    return b"".join(field(1, name) for name in inputs) + field(2, output) + field(4, operation) + attributes


def value(name: str, shape: Sequence[int | str]) -> bytes:
    dims = b"".join(field(1, field(1, size) if isinstance(size, int) else field(2, size)) for size in shape)
    return field(1, name) + field(2, field(1, field(1, 1) + field(2, dims)))


def write_model(
    path: Path,
    nodes: Sequence[bytes],
    shapes: tuple[Sequence[int | str], Sequence[int | str]],
    *,
    weights: Sequence[bytes] = (),
    **metadata: str,
) -> Path:
    """Write an ONNX model with input "x" and output "y"."""
    graph = b"".join(field(1, n) for n in nodes) + field(2, "net") + b"".join(field(5, w) for w in weights)
    graph += field(11, value("x", shapes[0])) + field(12, value("y", shapes[1]))
    written = b"".join(field(14, field(1, key) + field(2, text)) for key, text in metadata.items())
    path.write_bytes(field(1, 8) + field(7, graph) + field(8, field(1, "") + field(2, 13)) + written)
    return path


@pytest.fixture
def detector_file(tmp_path: Path) -> Path:
    """A detector: bright pixels are text."""
    nodes = [node("ReduceMean", ["x"], "mean", axes=[1], keepdims=1), node("Sigmoid", ["mean"], "y")]
    return write_model(tmp_path / "detector.onnx", nodes, (["B", 3, "H", "W"], ["B", 1, "H", "W"]))


@pytest.fixture
def recognizer_file(tmp_path: Path) -> Path:
    """A recogniser: every run of bright columns is an "a"."""
    weights = tensor("w", np.array([[0, 0, 0], [9, 9, 9], [0, 0, 0]], dtype=np.float32).reshape(3, 3, 1, 1))
    nodes = [
        node("Conv", ["x", "w"], "classes"),
        node("ReduceMean", ["classes"], "columns", axes=[2], keepdims=0),
        node("Transpose", ["columns"], "steps", perm=[0, 2, 1]),
        node("Softmax", ["steps"], "y", axis=2),
    ]
    shapes = (["B", 3, 48, "W"], ["B", "W", 3])
    return write_model(tmp_path / "recognizer.onnx", nodes, shapes, weights=[weights], character="a")


def frame_with(rectangles: Sequence[tuple[int, int, int, int]], size: tuple[int, int]) -> Frame:
    y = np.full((size[1], size[0]), 16, dtype=np.uint8)
    for left, top, right, bottom in rectangles:
        y[top:bottom, left:right] = 235
    chroma = np.full(((size[1] + 1) // 2, (size[0] + 1) // 2), 128, dtype=np.uint8)
    return Frame(y, chroma, chroma)


def bars(count: int) -> np.ndarray:
    crop = np.zeros((48, 40 * count), dtype=np.uint8)
    for i in range(count):
        crop[:, 40 * i + 10 : 40 * i + 30] = 255
    return crop


def test_onnx_engine_runs_a_model_and_returns_its_shapes_and_metadata(recognizer_file: Path) -> None:
    engine = OnnxEngine(recognizer_file, pick_device("cpu", runtime="onnx", threads=1))
    assert engine.input_shape == (None, 3, 48, None)
    assert engine.output_shape == (None, None, 3)
    assert engine.metadata == {"character": "a"}
    y = engine.run(np.ones((2, 3, 48, 10), dtype=np.float32))
    assert y.shape == (2, 10, 3)
    assert np.all(y.argmax(axis=2) == 1)


def test_onnx_engine_rejects_a_file_that_is_not_a_model(tmp_path: Path) -> None:
    damaged = tmp_path / "damaged.onnx"
    damaged.write_bytes(b"not a model")
    for path in (damaged, tmp_path / "missing.onnx"):
        with pytest.raises(WeightsError, match=path.name) as caught:
            OnnxEngine(path, pick_device("cpu", runtime="onnx", threads=1))
        assert "\n" not in str(caught.value)


def test_onnx_engine_turns_telemetry_off(tmp_path: Path) -> None:
    path = weights.verified_path(presets.RECOGNIZER, "onnx")
    code = f"""if True:
        from pathlib import Path
        from stream_ocr.models.devices import pick_device
        from stream_ocr.models.backends.onnx import OnnxEngine
        OnnxEngine(Path({str(path)!r}), pick_device("cpu", runtime="onnx"))
    """
    subprocess.run([sys.executable, "-c", code], check=True, env={**os.environ, "TMPDIR": str(tmp_path)})
    assert list(tmp_path.iterdir()) == [], "its telemetry begins with a file for the session"


def test_load_detector_takes_the_onnx_file_of_the_settings(detector_file: Path) -> None:
    settings = Settings.load(overrides=[f"detection.onnx={detector_file}", "detection.unclip_ratio=0", "device=cpu"])
    detector = zoo.load_detector(settings)
    (region,) = detector.detect([frame_with([(200, 100, 400, 140)], (640, 360))])[0]
    np.testing.assert_allclose(bounding_box(from_flat(region.quad)), (200, 100, 400, 140), atol=2)


def test_load_recognizer_takes_the_onnx_file_of_the_settings(recognizer_file: Path) -> None:
    settings = Settings.load(overrides=[f"recognition.onnx={recognizer_file}", "device=cpu"])
    recognizer = zoo.load_recognizer(settings)
    assert recognizer.crop_height == 48
    assert [reading.text for reading in recognizer.read([bars(3), bars(1), bars(5)])] == ["aaa", "a", "aaaaa"]


def test_load_recognizer_reads_characters_from_a_file(recognizer_file: Path, tmp_path: Path) -> None:
    listed = tmp_path / "characters.txt"
    listed.write_text("b\r\n")
    overrides = [f"recognition.onnx={recognizer_file}", f"recognition.characters={listed}", "device=cpu"]
    assert zoo.load_recognizer(Settings.load(overrides=overrides)).read([bars(2)])[0].text == "bb"


@pytest.mark.parametrize("text", ["a\nb\nc\n", "", "ab\n", None])
def test_load_recognizer_rejects_wrong_characters(recognizer_file: Path, tmp_path: Path, text: str | None) -> None:
    listed = tmp_path / "characters.txt"
    if text is not None:
        listed.write_text(text)
    overrides = [f"recognition.onnx={recognizer_file}", f"recognition.characters={listed}", "device=cpu"]
    with pytest.raises(WeightsError, match="characters"):
        zoo.load_recognizer(Settings.load(overrides=overrides))


def test_load_recognizer_asks_for_missing_characters(detector_file: Path) -> None:
    with pytest.raises(WeightsError, match=r"recognition\.characters"):
        zoo.load_recognizer(Settings.load(overrides=[f"recognition.onnx={detector_file}", "device=cpu"]))


@pytest.fixture
def rendered_words() -> Iterator[tuple[str, np.ndarray]]:
    from PIL import Image, ImageDraw, ImageFont

    def render(text: str) -> np.ndarray:
        font = ImageFont.load_default(size=40)
        left, top, right, bottom = font.getbbox(text)
        image = Image.new("L", (int(right - left) + 24, int(bottom - top) + 16), 20)
        ImageDraw.Draw(image).text((12 - left, 8 - top), text, fill=230, font=font)
        return np.asarray(image)

    return ((text, render(text)) for text in ("Station", "12:34", "640x360"))


@pytest.mark.skipif(not SHARED.is_dir(), reason="no ../shared/models")
def test_older_ppocr_models_work(rendered_words: Iterator[tuple[str, np.ndarray]]) -> None:
    settings = Settings.load(
        overrides=[
            f"detection.onnx={SHARED / 'en_PP-OCRv3_det_infer.onnx'}",
            f"recognition.onnx={SHARED / 'en_number_mobile_v2.0_rec_infer.onnx'}",
            f"recognition.characters={SHARED / 'en_dict.txt'}",
            "threads=1",
        ]
    )
    recognizer, detector = zoo.load_recognizer(settings), zoo.load_detector(settings)
    assert recognizer.crop_height == 32
    for text, crop in rendered_words:
        assert recognizer.read([crop])[0].text == text
        frame = frame_with([], (640, 360))
        frame.y[100 : 100 + crop.shape[0], 200 : 200 + crop.shape[1]] = crop
        assert len(detector.detect([frame])[0]) == 1
