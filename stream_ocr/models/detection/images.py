"""Text detection in still images, for ``stream-ocr detect`` and for evaluation."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import cv2
import msgspec
import numpy as np

from stream_ocr.config.settings import Settings
from stream_ocr.core.color import frame_from_bgr
from stream_ocr.core.geometry import from_flat
from stream_ocr.errors import SinkError, SourceError
from stream_ocr.models.zoo import load_detector

Corners = list[tuple[float, float]]

_OUTLINE_COLOUR, _FIRST_CORNER_COLOUR = (60, 60, 250), (60, 220, 60)  # BGR


class ImageDetections(msgspec.Struct, frozen=True):
    """Text lines of one image.

    quads: four corners [x, y] each, clockwise from the top left as the text is read. scores: one per quad. polygons:
    outlines of the same lines, in an order of their own; only if they were requested.
    """

    image: str
    quads: list[Corners]
    scores: list[float]
    polygons: list[Corners] | msgspec.UnsetType = msgspec.UNSET


def detect_images(images: Iterable[Path], settings: Settings, *, polygons: bool = False) -> Iterator[ImageDetections]:
    """Yield the detections of each image. Raise SourceError for a file that is not an image."""
    detector = load_detector(settings)
    for path in images:
        frame = frame_from_bgr(read_image(path))
        (detections,) = detector.detect([frame])
        yield ImageDetections(
            str(path),
            [_corners(from_flat(detection.quad)) for detection in detections],
            [round(detection.score, 4) for detection in detections],
            [_corners(polygon) for polygon in detector.detect_polygons(frame)] if polygons else msgspec.UNSET,
        )


def _corners(points: np.ndarray) -> Corners:
    return [(round(x, 2), round(y, 2)) for x, y in points.tolist()]


def read_image(path: Path) -> np.ndarray:
    """Return an image as (H, W, 3) uint8 BGR. Raise SourceError when it cannot be read or decoded."""
    try:
        data = np.frombuffer(path.read_bytes(), dtype=np.uint8)
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror}.") from error
    try:
        image = cv2.imdecode(data, cv2.IMREAD_COLOR) if len(data) else None
    except cv2.error as error:
        raise SourceError(f"{path} is an image that is too large or damaged ({error.err}).") from error
    if image is None:
        raise SourceError(f"{path} is not an image that can be decoded; use PNG, JPEG, WebP or BMP.")
    return np.asarray(image, dtype=np.uint8)


def draw_detections(detections: ImageDetections, folder: Path) -> Path:
    """Write the image with its text lines outlined into ``folder``. Raise SinkError when it cannot be written."""
    image = read_image(Path(detections.image))
    for outline in detections.polygons or detections.quads:
        corners = np.array(outline).round().astype(np.int32)
        cv2.polylines(image, [corners], isClosed=True, color=_OUTLINE_COLOUR, thickness=2)
        cv2.circle(image, tuple(int(v) for v in corners[0]), 3, _FIRST_CORNER_COLOUR, -1)
    target = folder / f"{Path(detections.image).stem}.png"
    write_image(target, image)
    return target


def write_image(target: Path, image: np.ndarray) -> None:
    """Write an image, (H, W, 3) uint8 BGR. Raise SinkError when it cannot be written."""
    try:
        written = cv2.imwrite(str(target), image)
    except cv2.error as error:
        raise SinkError(f"{target} cannot be written as an image ({error.err}); give it the suffix .png.") from error
    if not written:
        raise SinkError(f"{target} cannot be written; check that {target.parent} is a writable folder.")
