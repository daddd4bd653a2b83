"""Which models read: our own, PP-OCRv6 from the ``rapidocr`` package, or anybody's ONNX files by settings."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

from stream_ocr import own, weights
from stream_ocr.detection.detector import Detector, Normalisation
from stream_ocr.engines import (
    MOST_THREADS,
    Engine,
    OnnxEngine,
    TorchEngine,
    pick_device,
    usable_cores,
)
from stream_ocr.errors import WeightsError
from stream_ocr.recognition import fitting
from stream_ocr.recognition.charset import Charset
from stream_ocr.recognition.recognizer import Fit, Padded, Recognizer, Spacing, Stretched
from stream_ocr.recognition.spacing import spaced
from stream_ocr.recognition.transcription import transcription
from stream_ocr.section import Section
from stream_ocr.settings import Recognition, Settings

OWN_CROP = (2 * int(fitting.WIDTHS[-1] / fitting.ASPECT), fitting.HEIGHT)
"""(greatest width, height) of crops for our recogniser: twice what it reads in one piece."""

ONNX_HEIGHT = 48
ONNX_WIDTHS = (128, 160, 192, 224, 256, 320, 384, 448, 512, 640, 768, 960, 1280)

OWN_LONG_SIDE = 960
DB_DEFAULTS: Mapping[str, Any] = {
    "long_side": 736,
    "binarise": 0.3,
    "score": 0.5,
    "unclip": 0.5,
    "shrink": 0.4,
    "normalisation": Normalisation("bgr", (127.5, 127.5, 127.5), (127.5, 127.5, 127.5)),
}
"""For the PP-OCR detectors: pixels, ``binarise`` and ``score`` as ``rapidocr`` has them, the shrinking as in their
training; the size and ``unclip`` measured on real clips."""

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

CUDA_BATCH = 8
INSTALL_PPOCR = "pip install 'stream-ocr[ppocr]'"


@dataclass(frozen=True, slots=True)
class Choice:
    """The models that read, and why these."""

    name: Literal["own", "ppocr"]
    why: str


def choose(setting: Literal["auto", "own", "ppocr"] = "auto") -> Choice:
    """auto takes ours (docs/decisions/0010). Raises WeightsError when ppocr is asked for in vain."""
    if setting == "auto":
        return Choice("own", "it comes along; models ppocr reads 50 languages")
    lacking = _no_ppocr()
    if setting == "ppocr" and lacking:
        raise WeightsError(f"models ppocr was asked for, but {lacking}; {INSTALL_PPOCR}, or set models to own.")
    return Choice(setting, "it was asked for")


def side_by_side(settings: Settings) -> Settings:
    """The settings with fewer threads, for networks beside a decoder that never rests: each further thread of theirs
    takes a core from another stage, and pays for it."""
    if settings.threads is not None:
        return settings
    return settings.model_copy(update={"threads": min(MOST_THREADS, max(1, usable_cores() // 2))})


def resolve(settings: Settings) -> Settings:
    """The settings with what depends on the models filled in, so that every process knows the same numbers."""
    ours = settings.detection.onnx is None and choose(settings.models).name == "own"
    continues, starts = OWN_SCORES if ours else ONNX_SCORES
    detection = {"score": continues, "long_side": OWN_LONG_SIDE if ours else DB_DEFAULTS["long_side"]}
    if ours:
        detection["unclip"] = OWN_UNCLIP
    sections = {
        "detection": _filled(settings.detection, **detection),
        "tracking": _filled(settings.tracking, start_score=starts),
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
    entry = weights.manifest().get(own.RECOGNIZER, {})
    return float(entry.get("calibration", {}).get("temperature", 1.0))


def _filled(section: Section, **values: float) -> Section:
    """A section of the settings with values for what was left open."""
    return section.model_copy(update={name: value for name, value in values.items() if getattr(section, name) is None})


def crop_size(settings: Settings) -> tuple[int, int]:
    """(greatest width, height) of the crops that the recogniser wants. Loads no network."""
    if settings.recognition.onnx is None and choose(settings.models).name == "own":
        return OWN_CROP
    return ONNX_WIDTHS[-1], ONNX_HEIGHT


def load_detector(settings: Settings) -> Detector:
    """The detector of these settings, ready to run. Raises WeightsError and DeviceError."""
    wanted = settings.detection
    path = wanted.onnx
    engine: Engine
    if path is None and choose(settings.models).name == "own":
        engine, defaults = _own_detector(settings)
    else:
        engine, defaults = OnnxEngine(path or _ppocr("det"), own.pick_for(settings, "onnx")), {**DB_DEFAULTS}
    given = {name: getattr(wanted, name) for name in ("long_side", "binarise", "score", "unclip")}
    return Detector(
        engine,
        **{**defaults, **{name: value for name, value in given.items() if value is not None}},
        max_boxes=wanted.max_boxes,
        min_height_px=wanted.min_height_px,
        max_batch=CUDA_BATCH if engine.picked.device == "cuda" else 1,
    )


def load_recognizer(settings: Settings) -> Recognizer:
    """The recogniser of these settings, ready to run. Raises WeightsError and DeviceError."""
    wanted = settings.recognition
    if wanted.onnx is None and choose(settings.models).name == "own":
        return _own_recognizer(settings)
    path = wanted.onnx or _ppocr("rec")
    engine = OnnxEngine(path, own.pick_for(settings, "onnx"))
    charset = _charset_of(engine, path, wanted.characters if wanted.onnx else None)
    return _recognizer(engine, _fit_of(engine), charset, wanted)


def _recognizer(
    engine: Engine, fit: Fit, charset: Charset, wanted: Recognition, spacing: Spacing | None = None
) -> Recognizer:
    # ONNX Runtime on the CPU gains little from a batch, and a reading must not depend on its company.
    alone = engine.picked.runtime == "onnx" and engine.picked.device == "cpu"
    transcribe = transcription(wanted, charset, beam=wanted.beam)
    max_batch = 1 if alone else wanted.max_batch
    return Recognizer(engine, fit, charset, max_batch=max_batch, transcribe=transcribe, spacing=spacing)


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


def _ppocr(part: Literal["det", "rec"]) -> Path:
    return _ppocr_files(part)[-1]


def _own_detector(settings: Settings) -> tuple[Engine, dict[str, Any]]:
    entry, engine = own.engine(own.DETECTOR, settings)
    told = entry["preprocessing"]
    mean, scale = float(told["mean"]), float(told["scale"])
    defaults = {name: told[name] for name in ("binarise", "score", "unclip", "shrink")}
    normalisation = Normalisation("rgb", (mean, mean, mean), (scale, scale, scale))
    return engine, {**defaults, "long_side": OWN_LONG_SIDE, "normalisation": normalisation}


def load_own_recognizer(name: str, where: Path | None = None) -> Recognizer:
    """A recogniser of ours in torch and fp32, as the best path reads; where: the folder of the weights, the package's
    own unless given. Raises WeightsError."""
    entry, net = own.load_net(name, where)
    engine = TorchEngine(net, pick_device("cpu", dtype="fp32"))
    return Recognizer(engine, Stretched(), Charset(entry["charset"]), max_batch=32, spacing=spaced)


def _own_recognizer(settings: Settings) -> Recognizer:
    entry, engine = own.engine(own.RECOGNIZER, settings)
    return _recognizer(engine, Stretched(), Charset(entry["charset"]), settings.recognition, spaced)


def _fit_of(engine: OnnxEngine) -> Padded:
    _, channels, height, width = (*engine.input_shape, None, None, None, None)[:4]
    return Padded(height or ONNX_HEIGHT, (width,) if width else ONNX_WIDTHS, channels or 3)


def _charset_of(engine: OnnxEngine, path: Path, listed: Path | None) -> Charset:
    """The characters of a PP-OCR recogniser: one per line, in a file or in the model; a space follows the last one."""
    try:
        text = listed.read_text(encoding="utf-8") if listed else engine.metadata["character"]
    except KeyError:
        raise WeightsError(f"{path} does not say which characters it knows; set recognition.characters.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise WeightsError(f"{listed} cannot be read ({error}); check recognition.characters.") from error
    characters = text.replace("\r\n", "\n").removesuffix("\n").split("\n")
    odd = next((line for line, character in enumerate(characters, start=1) if len(character) != 1), None)
    if odd:
        raise WeightsError(f"The characters of {path} are one per line, but line {odd} holds {characters[odd - 1]!r}.")
    classes = engine.output_shape[-1]
    if classes not in (None, len(characters) + 2):
        raise WeightsError(
            f"{path} tells {classes} classes apart, but {listed or 'its list'} has {len(characters)} characters "
            "besides blank and space; set recognition.characters to the list that it was trained with."
        )
    # Where the list holds a space of its own, the one that follows has taken its place in training.
    characters = ["\N{NO-BREAK SPACE}" if character == " " else character for character in characters]
    try:
        return Charset("".join(characters) + " ")
    except ValueError as error:
        raise WeightsError(f"The characters of {path} cannot be used: {error}.") from error
