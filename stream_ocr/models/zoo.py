"""Load the networks of the chosen models (``models``), ready to run."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from stream_ocr.config.settings import Settings
from stream_ocr.config.stages import RecognitionSettings
from stream_ocr.errors import WeightsError
from stream_ocr.models import builtin, presets
from stream_ocr.models.backends.base import Engine
from stream_ocr.models.backends.onnx import OnnxEngine
from stream_ocr.models.backends.torch import TorchEngine
from stream_ocr.models.detection.detector import Detector, Normalisation
from stream_ocr.models.devices import pick_device
from stream_ocr.models.recognition.charset import Charset
from stream_ocr.models.recognition.decoding import make_decoder
from stream_ocr.models.recognition.language_model import LanguageModel
from stream_ocr.models.recognition.preprocess import LineResizer, PaddingResizer, StretchingResizer
from stream_ocr.models.recognition.recognizer import Recognizer, SpacePrior
from stream_ocr.models.recognition.rescoring import Rescorer
from stream_ocr.models.recognition.space_prior import apply_space_prior
from stream_ocr.models.thresholds import THRESHOLDS

DB_DEFAULTS: Mapping[str, Any] = {
    "long_side": presets.PPOCR_DETECTOR.long_side,
    "bin_thresh": 0.3,
    "box_thresh": 0.5,
    "unclip_ratio": 0.5,
    "shrink": 0.4,
    "normalisation": Normalisation("bgr", (127.5, 127.5, 127.5), (127.5, 127.5, 127.5)),
}
"""For the PP-OCR detectors: pixels, ``bin_thresh`` and ``box_thresh`` as ``rapidocr`` has them, the shrinking as in
their training; the size and ``unclip_ratio`` measured on real clips."""


def load_detector(settings: Settings) -> Detector:
    """Return the detector of these settings, ready to run. Raises WeightsError and DeviceError."""
    wanted, preset = settings.detection, presets.select_preset(settings).detector
    engine: Engine
    if preset.family == "builtin":
        engine, defaults = _builtin_detector(settings)
    else:
        path = wanted.onnx or presets.ppocr_file("det")
        engine, defaults = OnnxEngine(path, presets.pick_for(settings, "onnx")), {**DB_DEFAULTS}
    given = {
        "long_side": wanted.long_side,
        "bin_thresh": wanted.bin_thresh,
        "box_thresh": wanted.box_thresh,
        "unclip_ratio": wanted.unclip_ratio,
    }
    return Detector(
        engine,
        **{**defaults, **{name: value for name, value in given.items() if value is not None}},
        max_boxes=wanted.max_boxes,
        min_height_px=wanted.min_height_px,
        max_batch=THRESHOLDS.cuda_detector_batch if engine.backend.device == "cuda" else 1,
    )


def load_recognizer(settings: Settings) -> Recognizer:
    """Return the first recogniser of these settings, ready to run. Raises WeightsError and DeviceError."""
    wanted, preset = settings.recognition, presets.select_preset(settings).recognizer
    if preset.family == "builtin":
        entry, engine = builtin.engine(presets.RECOGNIZER, settings)
        charset = Charset(entry["charset"])
        rescorer = _rescorer(charset, wanted)
        return _recognizer(engine, StretchingResizer(), charset, wanted, apply_space_prior, rescorer)
    return _onnx_recognizer(settings, wanted.onnx or presets.ppocr_file("rec"), wanted.characters)


def load_second_reader(settings: Settings) -> Recognizer:
    """Return PP-OCR's recogniser, ready to run. Raises WeightsError and DeviceError."""
    return _onnx_recognizer(settings, presets.ppocr_file("rec"), None, with_language_model=True)


def load_builtin_recognizer(name: str, folder: Path | None = None) -> Recognizer:
    """Return a recogniser of the manifest in torch and fp32, with greedy decoding. Raises WeightsError.

    folder: of the weights; the package's own by default.
    """
    entry, net = builtin.load_net(name, folder)
    engine = TorchEngine(net, pick_device("cpu", dtype="fp32"))
    return Recognizer(
        engine, StretchingResizer(), Charset(entry["charset"]), max_batch=32, space_prior=apply_space_prior
    )


def _builtin_detector(settings: Settings) -> tuple[Engine, dict[str, Any]]:
    entry, engine = builtin.engine(presets.DETECTOR, settings)
    preprocessing = entry["preprocessing"]
    mean, scale = float(preprocessing["mean"]), float(preprocessing["scale"])
    defaults = {name: preprocessing[name] for name in ("bin_thresh", "box_thresh", "unclip_ratio", "shrink")}
    normalisation = Normalisation("rgb", (mean, mean, mean), (scale, scale, scale))
    return engine, {**defaults, "long_side": presets.BUILTIN_DETECTOR.long_side, "normalisation": normalisation}


def _onnx_recognizer(
    settings: Settings, path: Path, characters: Path | None, *, with_language_model: bool = False
) -> Recognizer:
    engine = OnnxEngine(path, presets.pick_for(settings, "onnx"))
    charset = _charset_of(engine, path, characters if settings.recognition.onnx else None)
    rescorer = _rescorer(charset, settings.recognition) if with_language_model else None
    return _recognizer(engine, _fit_of(engine), charset, settings.recognition, rescorer=rescorer)


def _recognizer(
    engine: Engine,
    resizer: LineResizer,
    charset: Charset,
    wanted: RecognitionSettings,
    prior: SpacePrior | None = None,
    rescorer: Rescorer | None = None,
) -> Recognizer:
    # ONNX Runtime and MNN gain little from a batch on a CPU, and a reading must not depend on its company.
    alone = engine.backend.runtime != "torch" and engine.backend.device == "cpu"
    decode = make_decoder(wanted, charset, beam=wanted.beam)
    max_batch = 1 if alone else wanted.max_batch
    return Recognizer(
        engine, resizer, charset, max_batch=max_batch, decode=decode, space_prior=prior, rescorer=rescorer
    )


def _rescorer(charset: Charset, wanted: RecognitionSettings) -> Rescorer | None:
    """Return what chooses the text of unsure lines, unless a constraint or a beam of the settings does."""
    return None if _is_constrained(wanted) else Rescorer(charset, load_language_model(wanted))


def load_language_model(wanted: RecognitionSettings) -> LanguageModel | None:
    """Return the language model of these settings; None if it is off, or a constraint or a beam replaces it.

    The readers of a process share it. Raises WeightsError.
    """
    path = presets.language_model_path(wanted)
    return None if path is None or _is_constrained(wanted) else _language_model(path)


def _is_constrained(wanted: RecognitionSettings) -> bool:
    return wanted.lexicon is not None or wanted.pattern is not None or wanted.beam > 1


@cache
def _language_model(path: Path) -> LanguageModel:
    return LanguageModel.load(path)


def _fit_of(engine: OnnxEngine) -> PaddingResizer:
    _, channels, height, width = (*engine.input_shape, None, None, None, None)[:4]
    return PaddingResizer(height or presets.PPOCR_HEIGHT, (width,) if width else presets.PPOCR_WIDTHS, channels or 3)


def _charset_of(engine: OnnxEngine, path: Path, listed: Path | None) -> Charset:
    """Return the characters of a PP-OCR recogniser: one per line, in a file or in the model, then a space."""
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
