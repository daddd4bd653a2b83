"""Presets: which models read, with the thresholds that belong to each, and on which device they run.

Nothing is loaded here (see ``zoo``), so that a program which leaves reading to workers need not import NumPy.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from stream_ocr.config.base import ConfigModel
from stream_ocr.config.settings import Settings
from stream_ocr.config.stages import RecognitionSettings
from stream_ocr.errors import WeightsError
from stream_ocr.models import weights
from stream_ocr.models.devices import BackendChoice, Runtime, cuda_unavailable, not_installed, pick_device, usable_cores
from stream_ocr.models.recognition.input_sizes import ASPECT, WIDTHS
from stream_ocr.models.thresholds import THRESHOLDS

Family = Literal["builtin", "ppocr"]
ModelsSetting = Literal["auto", "builtin", "multilingual", "ppocr"]

DETECTOR, RECOGNIZER = "detector-base", "recognizer-base"
"""Names of the built-in networks in the manifest of the weights."""

LANGUAGE_MODEL = "language-model"
"""Name of the built-in language model there."""

_CPU_RUNTIMES: dict[str, tuple[weights.ExportFormat, ...]] = {DETECTOR: ("mnn", "onnx"), RECOGNIZER: ("onnx", "mnn")}
"""Runtimes of each network on a CPU, the fastest first: MNN convolutions, ONNX Runtime recurrent layers."""


@dataclass(frozen=True, slots=True)
class DetectorPreset:
    """Parameters of a family of DB detectors for video, measured on the real clips of the project's test data.

    Still images have no tracker that confirms a detection; their ``box_thresh`` and ``unclip_ratio`` are those of the
    manifest of the weights (built-in) and of ``zoo.DB_DEFAULTS`` (PP-OCR).

    long_side: pixels of the longer side of the network's input. box_thresh: mean probability from which a detection
    may continue a track. birth_score: the same to start one. unclip_ratio: growth of boxes, 1 undoes the shrinking of
    the training; None: the weights' own. The built-in boxes are grown less than in training: where the probability
    passes ``bin_thresh`` kernels are thicker than their targets, and 1 makes boxes half as high again as the letters.
    """

    family: Family
    long_side: int
    box_thresh: float
    birth_score: float
    unclip_ratio: float | None = None


@dataclass(frozen=True, slots=True)
class RecognizerPreset:
    """Parameters of a family of CTC recognisers.

    crop_size: (maximum width, height) of its crops in pixels, without the margin. margin: how much larger than the box
    crops are cut on every side, in box heights: boxes fit closely for the tracker's sake, recognisers were trained
    with some room. temperature: of its confidences (see ``calibration``); None: in the manifest of the weights.
    """

    family: Family
    crop_size: tuple[int, int]
    margin: float
    temperature: float | None


BUILTIN_DETECTOR = DetectorPreset("builtin", long_side=960, box_thresh=0.5, birth_score=0.65, unclip_ratio=0.6)
PPOCR_DETECTOR = DetectorPreset("ppocr", long_side=736, box_thresh=0.4, birth_score=0.6)

PPOCR_HEIGHT = 48
PPOCR_WIDTHS = (128, 160, 192, 224, 256, 320, 384, 448, 512, 640, 768, 960, 1280)
"""Input sizes in pixels of a CTC recogniser in ONNX that takes any width."""

BUILTIN_RECOGNIZER = RecognizerPreset(
    # Twice the width that it reads in one piece.
    "builtin", crop_size=(2 * int(WIDTHS[-1] / ASPECT), 32), margin=0.04, temperature=None
)  # fmt: skip
PPOCR_RECOGNIZER = RecognizerPreset("ppocr", crop_size=(PPOCR_WIDTHS[-1], PPOCR_HEIGHT), margin=0.28, temperature=1.96)

SHARED_CROP_HEIGHT = 46
"""Height in pixels of crops that both recognisers read. They are cut with the margin of PP-OCR; without its surplus 32
rows are left for the built-in recogniser, which are those that it would get alone."""

PRESETS: dict[str, tuple[DetectorPreset, RecognizerPreset]] = {
    "builtin": (BUILTIN_DETECTOR, BUILTIN_RECOGNIZER),
    "multilingual": (BUILTIN_DETECTOR, PPOCR_RECOGNIZER),
    "ppocr": (PPOCR_DETECTOR, PPOCR_RECOGNIZER),
}

INSTALL_PPOCR = "pip install 'stream-ocr[ppocr]'"


@dataclass(frozen=True, slots=True)
class ModelPreset:
    """The models of a run.

    second_reader: PP-OCR reads again what the built-in recogniser is unsure of. no_second_reader: why it does not,
    where it would by the settings; else empty. chosen: "default" or "set".
    """

    detector: DetectorPreset
    recognizer: RecognizerPreset
    second_reader: bool
    no_second_reader: str
    chosen: str

    @property
    def crop_size(self) -> tuple[int, int]:
        """(maximum width, height) of crops in pixels, margins included."""
        width, height = self.recognizer.crop_size
        return (width * SHARED_CROP_HEIGHT // height, SHARED_CROP_HEIGHT) if self.second_reader else (width, height)

    @property
    def crop_margin(self) -> float:
        """Margin with which crops are cut, in box heights: the largest that a reader wants."""
        return PPOCR_RECOGNIZER.margin if self.second_reader else self.recognizer.margin


def select_preset(settings: Settings) -> ModelPreset:
    """Return the models that these settings select; ONNX files of the user are treated like PP-OCR's.

    Raises WeightsError if PP-OCR is requested and not installed.
    """
    name = "builtin" if settings.models == "auto" else settings.models
    detector, recognizer = PRESETS[name]
    missing = _missing_ppocr()
    if name != "builtin" and missing:
        raise WeightsError(f"models: {name} needs PP-OCR, but {missing}; {INSTALL_PPOCR}, or set models to builtin.")
    custom = settings.recognition.onnx is not None
    wants_second = settings.models == "auto" and settings.recognition.second_reader == "auto" and not custom
    return ModelPreset(
        PPOCR_DETECTOR if settings.detection.onnx else detector,
        PPOCR_RECOGNIZER if custom else recognizer,
        second_reader=wants_second and not missing,
        no_second_reader=f"{missing} ({INSTALL_PPOCR})" if wants_second and missing else "",
        chosen="default" if settings.models == "auto" else "set",
    )


def with_shared_threads(settings: Settings) -> Settings:
    """Return the settings with half of the cores for the networks, unless ``threads`` is set.

    A busy decoder runs at the same time, so each further thread would take a core from another stage.
    """
    if settings.threads is not None:
        return settings
    return settings.model_copy(update={"threads": min(THRESHOLDS.max_threads, max(1, usable_cores() // 2))})


def with_model_defaults(settings: Settings) -> Settings:
    """Return the settings with what depends on the models filled in, so that every process knows the same numbers."""
    preset = select_preset(settings)
    detector = preset.detector
    detection = {
        "box_thresh": detector.box_thresh,
        "long_side": detector.long_side,
        "unclip_ratio": detector.unclip_ratio,
    }
    sections = {
        "detection": _filled(settings.detection, **detection),
        "tracking": _filled(settings.tracking, birth_score=detector.birth_score),
        "recognition": _filled(
            settings.recognition, margin=preset.crop_margin, temperature=_temperature(settings, preset.recognizer)
        ),
    }
    return settings.model_copy(update=sections)


def _temperature(settings: Settings, recognizer: RecognizerPreset) -> float:
    if settings.recognition.onnx is not None:
        return 1.0  # nobody has measured it
    if recognizer.temperature is not None:
        return recognizer.temperature
    return float(weights.manifest().get(RECOGNIZER, {}).get("calibration", {}).get("temperature", 1.0))


def _filled(section: ConfigModel, **values: float | None) -> ConfigModel:
    return section.model_copy(update={name: value for name, value in values.items() if getattr(section, name) is None})


def language_model_path(recognition: RecognitionSettings) -> Path | None:
    """Return the table of the language model that these settings select; None if it is off."""
    match recognition.language_model:
        case "off":
            return None
        case "auto":
            return weights.weights_folder() / f"{LANGUAGE_MODEL}.npz"
        case Path() as path:
            return path


def crop_size(settings: Settings) -> tuple[int, int]:
    """Return (maximum width, height) in pixels of the crops that the recognisers want. Loads no network."""
    return select_preset(settings).crop_size


def pick_for(settings: Settings, runtime: Runtime) -> BackendChoice:
    """Return device, type and threads of a runtime by the settings. Raises DeviceError."""
    return pick_device(settings.device, runtime=runtime, dtype=settings.dtype, threads=settings.threads)


def pick_backend(name: str, settings: Settings) -> BackendChoice:
    """Return what a built-in network runs on. Raises DeviceError.

    torch on CUDA and for bf16. On a CPU the fastest in fp32 (``benchmarks/networks.py``) of those that
    are installed, without torch, which takes longer to import than bf16 can win back. See docs/decisions/0015 and 0021.
    """
    wants_torch = settings.device == "cuda" or settings.dtype == "bf16"
    if wants_torch or (settings.device == "auto" and not cuda_unavailable("torch")):
        return pick_for(settings, "torch")
    for runtime in _CPU_RUNTIMES[name]:
        if weights.has_export(name, runtime) and not not_installed(runtime):
            return pick_for(settings, runtime)
    return pick_for(settings, "torch")


def describe(settings: Settings) -> Iterator[tuple[str, str]]:
    """Yield each network with its models, device and the reason, for the log. Raises StreamOcrError."""
    for part, models, picked in _networks(settings):
        yield part, f"{models}, {picked}"
    if reason := select_preset(settings).no_second_reader:
        yield "second reader", f"none, since {reason}"


def uses_cuda(settings: Settings) -> bool:
    """Return True if a network of these settings runs on CUDA. Raises StreamOcrError."""
    return any(picked.device == "cuda" for _, _, picked in _networks(settings))


def _networks(settings: Settings) -> Iterator[tuple[str, str, BackendChoice]]:
    """Yield each network: its part, its models, and what it runs on."""
    preset = select_preset(settings)
    for part, family, name, path in (
        ("detector", preset.detector.family, DETECTOR, settings.detection.onnx),
        ("recogniser", preset.recognizer.family, RECOGNIZER, settings.recognition.onnx),
    ):
        ours = path is None and family == "builtin"
        picked = pick_backend(name, settings) if ours else pick_for(settings, "onnx")
        yield part, f"{path or f'{family} ({preset.chosen})'}", picked
    if preset.second_reader:
        yield "second reader", "ppocr", pick_for(settings, "onnx")


def _missing_ppocr() -> str:
    """Return why PP-OCR cannot be used; empty when it can."""
    missing = [package for package in ("rapidocr", "onnxruntime") if find_spec(package) is None]
    if missing:
        return f"the package {missing[0]} is not installed"
    lacking = [part for part in ("det", "rec") if not _ppocr_files(part)]
    return f"the package rapidocr carries no {lacking[0]} model of PP-OCR" if lacking else ""


def _ppocr_files(part: Literal["det", "rec"]) -> list[Path]:
    """Return the model files of one part, the newest version last. The package is found, not imported."""
    spec = find_spec("rapidocr")
    places = spec.submodule_search_locations if spec else None
    return sorted(path for place in places or () for path in Path(place, "models").glob(f"PP-OCRv*_{part}_*.onnx"))


def ppocr_file(part: Literal["det", "rec"]) -> Path:
    """Return the newest PP-OCR model in the package ``rapidocr``."""
    return _ppocr_files(part)[-1]
