"""The networks of the chosen models (``models``), loaded and ready to run."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stream_ocr.config.settings import RecognitionSettings, Settings
from stream_ocr.errors import WeightsError
from stream_ocr.models import builtin, presets
from stream_ocr.models.backends.base import Engine, OnnxEngine, TorchEngine
from stream_ocr.models.detection.detector import Detector, Normalisation
from stream_ocr.models.devices import pick_device
from stream_ocr.models.recognition.charset import Charset
from stream_ocr.models.recognition.decoding import transcription
from stream_ocr.models.recognition.recognizer import Fit, Padded, Recognizer, Spacing, Stretched
from stream_ocr.models.recognition.space_prior import spaced

DB_DEFAULTS: Mapping[str, Any] = {
    "long_side": presets.ONNX_LONG_SIDE,
    "binarise": 0.3,
    "score": 0.5,
    "unclip": 0.5,
    "shrink": 0.4,
    "normalisation": Normalisation("bgr", (127.5, 127.5, 127.5), (127.5, 127.5, 127.5)),
}
"""For the PP-OCR detectors: pixels, ``binarise`` and ``score`` as ``rapidocr`` has them, the shrinking as in their
training; the size and ``unclip`` measured on real clips."""

CUDA_BATCH = 8


def load_detector(settings: Settings) -> Detector:
    """The detector of these settings, ready to run. Raises WeightsError and DeviceError."""
    wanted = settings.detection
    path = wanted.onnx
    engine: Engine
    if path is None and presets.choose(settings.models).name == "builtin":
        engine, defaults = _own_detector(settings)
    else:
        engine, defaults = OnnxEngine(path or presets.ppocr("det"), presets.pick_for(settings, "onnx")), {**DB_DEFAULTS}
    given = {
        "long_side": wanted.long_side,
        "binarise": wanted.bin_thresh,
        "score": wanted.box_thresh,
        "unclip": wanted.unclip_ratio,
    }
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
    if wanted.onnx is None and presets.choose(settings.models).name == "builtin":
        return _own_recognizer(settings)
    path = wanted.onnx or presets.ppocr("rec")
    engine = OnnxEngine(path, presets.pick_for(settings, "onnx"))
    charset = _charset_of(engine, path, wanted.characters if wanted.onnx else None)
    return _recognizer(engine, _fit_of(engine), charset, wanted)


def _recognizer(
    engine: Engine, fit: Fit, charset: Charset, wanted: RecognitionSettings, spacing: Spacing | None = None
) -> Recognizer:
    # ONNX Runtime on the CPU gains little from a batch, and a reading must not depend on its company.
    alone = engine.picked.runtime == "onnx" and engine.picked.device == "cpu"
    transcribe = transcription(wanted, charset, beam=wanted.beam)
    max_batch = 1 if alone else wanted.max_batch
    return Recognizer(engine, fit, charset, max_batch=max_batch, transcribe=transcribe, spacing=spacing)


def _own_detector(settings: Settings) -> tuple[Engine, dict[str, Any]]:
    entry, engine = builtin.engine(presets.DETECTOR, settings)
    told = entry["preprocessing"]
    mean, scale = float(told["mean"]), float(told["scale"])
    defaults = {name: told[name] for name in ("binarise", "score", "unclip", "shrink")}
    normalisation = Normalisation("rgb", (mean, mean, mean), (scale, scale, scale))
    return engine, {**defaults, "long_side": presets.OWN_LONG_SIDE, "normalisation": normalisation}


def load_own_recognizer(name: str, where: Path | None = None) -> Recognizer:
    """A recogniser of ours in torch and fp32, as the best path reads; where: the folder of the weights, the package's
    own unless given. Raises WeightsError."""
    entry, net = builtin.load_net(name, where)
    engine = TorchEngine(net, pick_device("cpu", dtype="fp32"))
    return Recognizer(engine, Stretched(), Charset(entry["charset"]), max_batch=32, spacing=spaced)


def _own_recognizer(settings: Settings) -> Recognizer:
    entry, engine = builtin.engine(presets.RECOGNIZER, settings)
    return _recognizer(engine, Stretched(), Charset(entry["charset"]), settings.recognition, spaced)


def _fit_of(engine: OnnxEngine) -> Padded:
    _, channels, height, width = (*engine.input_shape, None, None, None, None)[:4]
    return Padded(height or presets.ONNX_HEIGHT, (width,) if width else presets.ONNX_WIDTHS, channels or 3)


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
