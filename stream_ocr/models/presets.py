"""Which models read, and on what: our own, PP-OCRv6 from the ``rapidocr`` package, or anybody's ONNX files by settings.

Nothing is loaded here (see ``networks``), so that a program which leaves that to workers need not import NumPy.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from stream_ocr.config.base import ConfigModel
from stream_ocr.config.settings import Settings
from stream_ocr.errors import WeightsError
from stream_ocr.models import weights
from stream_ocr.models.devices import MOST_THREADS, Picked, Runtime, no_mnn, pick_device, usable_cores
from stream_ocr.models.recognition.input_sizes import ASPECT, HEIGHT, WIDTHS

DETECTOR, RECOGNIZER = "detector-small", "recognizer-small"
"""Our own, in the manifest of the weights."""

OWN_CROP = (2 * int(WIDTHS[-1] / ASPECT), HEIGHT)
"""(greatest width, height) of crops for our recogniser: twice what it reads in one piece."""

ONNX_HEIGHT = 48
ONNX_WIDTHS = (128, 160, 192, 224, 256, 320, 384, 448, 512, 640, 768, 960, 1280)

OWN_LONG_SIDE, ONNX_LONG_SIDE = 960, 736
"""Of the picture that a detector sees; measured on real clips."""

OWN_SCORES = (0.5, 0.65)
ONNX_SCORES = (0.4, 0.6)
"""Scores from which a region may continue a track, and from which it may start one."""

OWN_UNCLIP = 0.6
"""Of boxes that are followed, read and told of: where P passes ``binarise`` the kernels are thicker than their targets,
and 1 makes boxes half as high again as their letters. The manifest's is that of still pictures, whose labels leave more
room."""

OWN_MARGIN, ONNX_MARGIN = 0.04, 0.28
"""Boxes fit their text closely, for the tracker's sake; recognisers were trained with some room."""

PPOCR_TEMPERATURE = 1.96
"""Of the confidences of PP-OCRv6, as ``training.calibration`` finds it on the crops that our training keeps aside."""

INSTALL_PPOCR = "pip install 'stream-ocr[ppocr]'"


@dataclass(frozen=True, slots=True)
class ModelChoice:
    """The models that read, and why these."""

    name: Literal["builtin", "ppocr"]
    why: str


def choose(setting: Literal["auto", "builtin", "ppocr"] = "auto") -> ModelChoice:
    """auto takes ours (docs/decisions/0010). Raises WeightsError when ppocr is asked for in vain."""
    if setting == "auto":
        return ModelChoice("builtin", "it comes along; models ppocr reads 50 languages")
    lacking = _no_ppocr()
    if setting == "ppocr" and lacking:
        raise WeightsError(f"models ppocr was asked for, but {lacking}; {INSTALL_PPOCR}, or set models to builtin.")
    return ModelChoice(setting, "it was asked for")


def side_by_side(settings: Settings) -> Settings:
    """The settings with fewer threads, for networks beside a decoder that never rests: each further thread of theirs
    takes a core from another stage, and pays for it."""
    if settings.threads is not None:
        return settings
    return settings.model_copy(update={"threads": min(MOST_THREADS, max(1, usable_cores() // 2))})


def resolve(settings: Settings) -> Settings:
    """The settings with what depends on the models filled in, so that every process knows the same numbers."""
    ours = settings.detection.onnx is None and choose(settings.models).name == "builtin"
    continues, starts = OWN_SCORES if ours else ONNX_SCORES
    detection = {"box_thresh": continues, "long_side": OWN_LONG_SIDE if ours else ONNX_LONG_SIDE}
    if ours:
        detection["unclip_ratio"] = OWN_UNCLIP
    sections = {
        "detection": _filled(settings.detection, **detection),
        "tracking": _filled(settings.tracking, birth_score=starts),
        "recognition": _filled(
            settings.recognition, margin=OWN_MARGIN if ours else ONNX_MARGIN, temperature=_temperature(settings)
        ),
    }
    return settings.model_copy(update=sections)


def _temperature(settings: Settings) -> float:
    """Of the recogniser's confidences; 1 for one that nobody has measured."""
    if settings.recognition.onnx is not None:
        return 1.0
    if choose(settings.models).name == "ppocr":
        return PPOCR_TEMPERATURE
    entry = weights.manifest().get(RECOGNIZER, {})
    return float(entry.get("calibration", {}).get("temperature", 1.0))


def _filled(section: ConfigModel, **values: float) -> ConfigModel:
    """A section of the settings with values for what was left open."""
    return section.model_copy(update={name: value for name, value in values.items() if getattr(section, name) is None})


def crop_size(settings: Settings) -> tuple[int, int]:
    """(greatest width, height) of the crops that the recogniser wants. Loads no network."""
    if settings.recognition.onnx is None and choose(settings.models).name == "builtin":
        return OWN_CROP
    return ONNX_WIDTHS[-1], ONNX_HEIGHT


def pick_for(settings: Settings, runtime: Runtime) -> Picked:
    """Device, type and threads of a runtime by the settings. Raises DeviceError."""
    return pick_device(settings.device, runtime=runtime, dtype=settings.dtype, threads=settings.threads)


def pick(name: str, settings: Settings) -> Picked:
    """What one of our networks runs on: torch on CUDA, and where bf16 is asked for. On a CPU what is faster in fp32
    (``benchmarks/networks.py``) and spares the process torch, which takes longer to import than bf16 can win back: MNN
    for convolutions, ONNX Runtime for recurrent layers, which MNN cannot compute from what is exported. Raises
    DeviceError."""
    picked = pick_for(settings, "torch")
    if picked.device == "cpu" and settings.dtype != "bf16":
        if weights.has(name, "mnn") and not no_mnn():
            return pick_for(settings, "mnn")
        if weights.has(name, "onnx"):
            return pick_for(settings, "onnx")
    return picked


def chosen(settings: Settings) -> Iterator[tuple[str, str]]:
    """Each network, which models read there, on what, and why: said when a reading begins. Raises StreamOcrError."""
    choice = choose(settings.models)
    for part, name, path in (
        ("detector", DETECTOR, settings.detection.onnx),
        ("recogniser", RECOGNIZER, settings.recognition.onnx),
    ):
        ours = path is None and choice.name == "builtin"
        picked = pick(name, settings) if ours else pick_for(settings, "onnx")
        yield part, f"{path or f'{choice.name} ({choice.why})'}, {picked}"


def _no_ppocr() -> str:
    """Why PP-OCRv6 is not there; empty when it is."""
    missing = [package for package in ("rapidocr", "onnxruntime") if find_spec(package) is None]
    if missing:
        return f"the package {missing[0]} is not installed"
    lacking = [part for part in ("det", "rec") if not _ppocr_files(part)]
    return f"the package rapidocr carries no {lacking[0]} model of PP-OCR" if lacking else ""


def _ppocr_files(part: Literal["det", "rec"]) -> list[Path]:
    """Model files of one part, the newest version last. The package is found, not imported."""
    spec = find_spec("rapidocr")
    places = spec.submodule_search_locations if spec else None
    return sorted(path for place in places or () for path in Path(place, "models").glob(f"PP-OCRv*_{part}_*.onnx"))


def ppocr(part: Literal["det", "rec"]) -> Path:
    return _ppocr_files(part)[-1]
