import subprocess
import sys
from difflib import SequenceMatcher
from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from stream_ocr.config.settings import Settings
from stream_ocr.core.frame import Frame
from stream_ocr.core.geometry import from_flat, side_lengths
from stream_ocr.models import presets, zoo

TEXT = "Hello World 12:34"

needs_ppocr = pytest.mark.skipif(find_spec("rapidocr") is None, reason="rapidocr is not installed")


def rendered(text: str) -> Frame:
    """Light text on a dark ground, 640×360."""
    picture = Image.new("L", (640, 360), 50)
    ImageDraw.Draw(picture).text((120, 150), text, fill=220, font=ImageFont.load_default(size=40))
    chroma = np.full((180, 320), 128, dtype=np.uint8)
    return Frame(np.array(picture), chroma, chroma)


def rectified(luma: np.ndarray, quad: np.ndarray, height: int) -> np.ndarray:
    across, tall = side_lengths(quad)
    width = max(2, round(height * across / tall))
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], dtype=np.float32)
    return cv2.warpPerspective(
        luma,
        cv2.getPerspectiveTransform(quad.astype(np.float32), corners),
        (width, height),
        borderMode=cv2.BORDER_REPLICATE,
    )


def read_all(settings: Settings, frame: Frame) -> list[str]:
    detector, recognizer = zoo.load_detector(settings), zoo.load_recognizer(settings)
    quads = [from_flat(region.quad) for region in detector.detect([frame])[0]]
    readings = recognizer.read([rectified(frame.y, quad, presets.crop_size(settings)[1]) for quad in quads])
    return [reading.text for reading in readings]


def families(*overrides: str) -> tuple[str, str]:
    preset = presets.select_preset(Settings.load(overrides=overrides))
    return preset.detector.family, preset.recognizer.family


def test_builtin_and_auto_select_the_builtin_models() -> None:
    assert families("models=builtin") == families("models=auto") == ("builtin", "builtin")


@needs_ppocr
def test_multilingual_pairs_the_builtin_detector_with_ppocr() -> None:
    assert families("models=multilingual") == ("builtin", "ppocr")
    assert families("models=ppocr") == ("ppocr", "ppocr")


@needs_ppocr
@pytest.mark.parametrize(
    "overrides",
    [
        ["models=auto", "recognition.second_reader=off"],
        ["models=builtin"],
        ["models=ppocr"],
        ["models=auto", "recognition.onnx=own.onnx"],
    ],
)
def test_second_reader_is_off_without_auto_or_on_request(overrides: list[str]) -> None:
    preset = presets.select_preset(Settings.load(overrides=overrides))
    assert not preset.second_reader
    assert (preset.crop_margin, preset.crop_size) == (preset.recognizer.margin, preset.recognizer.crop_size)


@needs_ppocr
def test_auto_adds_the_second_reader_and_cuts_crops_for_both() -> None:
    preset = presets.select_preset(Settings.load(overrides=["models=auto"]))
    assert preset.second_reader
    assert (preset.crop_margin, preset.crop_size[1]) == (0.28, 46)


@needs_ppocr
def test_ppocr_is_found_without_importing_it() -> None:
    program = (
        "import sys; from stream_ocr.models import presets; from stream_ocr.config.settings import Settings;"
        "assert presets.select_preset(Settings(models='ppocr')).recognizer.family == 'ppocr';"
        "assert presets.crop_size(Settings(models='ppocr'))[1] == 48;"
        "assert not {'rapidocr', 'torch', 'onnxruntime'} & set(sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_select_preset_names_the_remedy_if_ppocr_is_not_installed() -> None:
    program = (
        "import sys; sys.modules['rapidocr'] = None\n"  # as if it were not installed
        "from stream_ocr import errors\nfrom stream_ocr.config.settings import Settings\n"
        "from stream_ocr.models import presets\n"
        "try: presets.select_preset(Settings(models='ppocr'))\n"
        "except errors.WeightsError as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    (refused,) = done.stdout.splitlines()
    assert "rapidocr is not installed" in refused
    assert "pip install 'stream-ocr[ppocr]'" in refused


def without_onnxruntime(program: str) -> list[str]:
    """Run a program where ONNX Runtime is not installed; return the lines that it prints."""
    start = (
        "import sys; sys.modules['onnxruntime'] = None\n"
        "from stream_ocr import errors\nfrom stream_ocr.config.settings import Settings\n"
        "from stream_ocr.models import presets, zoo\n"
    )
    done = subprocess.run([sys.executable, "-c", start + program], capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def test_mnn_runs_the_recogniser_where_onnx_runtime_is_not_installed(tmp_path: Path) -> None:
    settings = Settings.load(overrides=["models=auto", "device=cpu", "threads=1"])
    crop = cv2.putText(np.full((32, 160), 40, np.uint8), "HELLO 42", (4, 24), cv2.FONT_HERSHEY_SIMPLEX, 0.9, 230, 2)
    np.save(tmp_path / "crop.npy", crop)
    runtime, text, reason = without_onnxruntime(
        "import numpy\nsettings = Settings.load(overrides=['models=auto', 'device=cpu', 'threads=1'])\n"
        "print(presets.pick_backend(presets.RECOGNIZER, settings).runtime)\n"
        f"print(zoo.load_recognizer(settings).read([numpy.load({str(tmp_path / 'crop.npy')!r})])[0].text)\n"
        "print(presets.select_preset(settings).no_second_reader)"
    )
    assert runtime == "mnn"
    assert presets.pick_backend(presets.RECOGNIZER, settings).runtime == "onnx"
    assert text == zoo.load_recognizer(settings).read([crop])[0].text
    assert "is not installed" in reason


def test_load_detector_names_the_remedy_if_onnx_runtime_is_not_installed() -> None:
    (printed,) = without_onnxruntime(
        "try: zoo.load_detector(Settings.load(overrides=['detection.onnx=own.onnx']))\n"
        "except errors.DeviceError as error: print(error)"
    )
    assert printed == "ONNX Runtime is not installed (pip install 'stream-ocr[onnx]')."


@needs_ppocr
def test_ppocr_reads_a_line_from_end_to_end() -> None:
    settings = presets.with_model_defaults(Settings.load(overrides=["models=ppocr", "threads=1"]))
    assert read_all(settings, rendered(TEXT)) == [TEXT]


def test_builtin_models_read_a_line_from_end_to_end() -> None:
    settings = presets.with_model_defaults(Settings.load(overrides=["models=builtin", "threads=1"]))
    read = " ".join(read_all(settings, rendered(TEXT)))
    assert SequenceMatcher(None, read, TEXT).ratio() > 0.7, read


def test_builtin_models_need_no_torch_on_a_cpu() -> None:
    program = (
        "import sys; from stream_ocr.models import zoo; from stream_ocr.config.settings import Settings;"
        "settings = Settings.load(overrides=['models=builtin', 'device=cpu']);"
        "zoo.load_detector(settings), zoo.load_recognizer(settings);"
        "assert 'torch' not in sys.modules"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


def test_crop_size_fits_the_builtin_recogniser() -> None:
    settings = Settings.load(overrides=["models=builtin"])
    recognizer = zoo.load_recognizer(settings)
    assert presets.crop_size(settings) == (2 * recognizer.max_width, recognizer.crop_height)


def test_with_model_defaults_prefers_the_settings() -> None:
    overrides = ["models=builtin", "detection.box_thresh=0.11", "tracking.birth_score=0.22"]
    settings = presets.with_model_defaults(Settings.load(overrides=overrides))
    assert (settings.detection.box_thresh, settings.tracking.birth_score) == (0.11, 0.22)
    resolved = presets.with_model_defaults(Settings.load(overrides=["models=builtin"]))
    assert resolved.detection.box_thresh is not None
    assert resolved.tracking.birth_score is not None
    assert presets.with_model_defaults(resolved) == resolved


@needs_ppocr
def test_load_detector_takes_its_thresholds_from_the_settings() -> None:
    overrides = [
        "models=ppocr",
        "detection.long_side=320",
        "detection.unclip_ratio=0.5",
        "detection.max_boxes=7",
        "threads=1",
    ]
    detector = zoo.load_detector(Settings.load(overrides=overrides))
    assert (detector.long_side, detector.unclip_ratio, detector.max_boxes) == (320, 0.5, 7)
    assert detector.bin_thresh == zoo.DB_DEFAULTS["bin_thresh"]
    assert detector.max_batch == 1


def test_with_shared_threads_takes_at_most_half_of_the_cores() -> None:
    program = (
        "import os; from stream_ocr.models import presets; from stream_ocr.config.settings import Settings\n"
        "cores = sorted(os.sched_getaffinity(0))\n"
        "for count in range(1, len(cores) + 1):\n"
        "    os.sched_setaffinity(0, cores[:count])\n"
        "    print(presets.with_shared_threads(Settings()).threads)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    threads = [int(line) for line in done.stdout.split()]
    assert threads == [1, 1, 1, 2, 2, 3, 3, *[4] * len(threads)][: len(threads)]
    assert presets.with_shared_threads(Settings.load(overrides=["threads=3"])).threads == 3
