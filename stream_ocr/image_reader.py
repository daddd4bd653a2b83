"""Text in still images: lines with text, confidence and position, in reading order."""

from os import PathLike
from pathlib import Path

import msgspec
import numpy as np

from stream_ocr.config.settings import Settings
from stream_ocr.core.frame import Frame
from stream_ocr.core.geometry import expand, from_flat, relative_centre
from stream_ocr.events import Polygon, quad_to_polygon
from stream_ocr.events.polygon import FlatQuad
from stream_ocr.models import presets, zoo
from stream_ocr.models.detection import images as image_files
from stream_ocr.models.detection.detector import sort_reading_order
from stream_ocr.models.recognition.calibration import calibrate, text_confidence
from stream_ocr.models.recognition.ctc import Decoded
from stream_ocr.readings.corrections import Corrections
from stream_ocr.readings.second_reader import Crop, load_readers
from stream_ocr.readings.similarity import without_spaces
from stream_ocr.readings.word_filter import drop_unsure_ends, is_text
from stream_ocr.sources.pictures import ColorOrder, PictureConverter
from stream_ocr.tracking.association import line_coverage
from stream_ocr.tracking.template_matching import cut_crop
from stream_ocr.tracking.thresholds import TRACKER


class TextLine(msgspec.Struct, frozen=True, kw_only=True):
    """A line of text in an image.

    confidence: estimated probability that the whole text is right. polygon: four corners [x, y] in pixels, clockwise
    from the top left of the text.
    """

    text: str
    confidence: float
    polygon: Polygon


class ImageReader:
    """Reads images one after the other with models that are loaded once.

    settings: as for ``read``; what concerns time and tracks does not apply. color: order of the channels of arrays.
    Raises WeightsError and DeviceError where the models cannot be loaded.
    """

    def __init__(self, settings: Settings | None = None, *, color: ColorOrder = "bgr") -> None:
        self._settings = presets.with_model_defaults(Settings.require(settings))
        self._arrays, self._files = PictureConverter(color), PictureConverter("bgr")
        self._detector = zoo.load_detector(self._settings)
        self._readers = load_readers(self._settings)
        self._margin = self._settings.recognition.margin or 0.0
        self._corrections = Corrections(self._settings.events)
        self._crop_size = presets.crop_size(self._settings)

    def read(self, image: "str | PathLike[str] | np.ndarray") -> list[TextLine]:
        """Return the lines of an image in reading order.

        image: path of a PNG, JPEG, WebP or BMP file, or an array, (H, W, 3) or (H, W) uint8. Raises SourceError for a
        file that cannot be read, and TypeError for anything else.
        """
        if isinstance(image, str | PathLike):
            frame = self._files.convert(image_files.read_image(Path(image)))
        else:
            frame = self._arrays.convert(image)
        quads = self._detect(frame)
        readings = self._readers.read_once([self._crop(frame, from_flat(quad)) for quad in quads])
        lines = (self._line(quad, drop_unsure_ends(reading)) for quad, reading in zip(quads, readings, strict=True))
        return [line for line in lines if line is not None]

    def _detect(self, frame: Frame) -> list[FlatQuad]:
        """Return the lines that the detector finds at its usual size, and small ones that it finds in more detail."""
        detections = self._detector.detect([frame])[0]
        if max(frame.size) > self._detector.long_side:
            quads = [from_flat(detection.quad) for detection in detections]
            detections += [
                fine
                for fine in self._detector.detect_fine([frame])[0]
                if all(line_coverage(from_flat(fine.quad), quad) <= TRACKER.min_coverage for quad in quads)
            ]
        areas = self._settings.detection
        detections = [each for each in detections if areas.includes(relative_centre(each.quad, frame.size))]
        if not detections:
            return []
        quads_N42 = np.stack([from_flat(detection.quad) for detection in detections])
        return [detections[i].quad for i in sort_reading_order(quads_N42, range(len(detections)))]

    def _crop(self, frame: Frame, quad: np.ndarray) -> Crop:
        return Crop(cut_crop(frame.y, expand(quad, self._margin), self._crop_size), self._margin)

    def _line(self, quad: FlatQuad, reading: Decoded) -> TextLine | None:
        """Return a line, or None for what is no text or what the settings exclude."""
        text, characters = self._corrections.correct(reading.text, reading.char_confidences)
        limits = self._settings.events
        if not is_text(text) or len(without_spaces(text)) < limits.min_characters or self._corrections.ignores(text):
            return None
        confidence = text_confidence(calibrate(characters, self._settings.recognition.temperature or 1.0))
        if confidence < limits.min_confidence:
            return None
        return TextLine(text=text, confidence=round(confidence, 4), polygon=quad_to_polygon(quad))


def read_image(image: "str | PathLike[str] | np.ndarray", settings: Settings | None = None) -> list[TextLine]:
    """Return the lines of one image in reading order; see ``ImageReader.read``, which is faster for several."""
    return ImageReader(settings).read(image)
