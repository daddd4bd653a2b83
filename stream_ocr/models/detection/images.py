"""Text in still pictures: what the detector finds, for a look and for measuring it."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import cv2
import msgspec
import numpy as np

from stream_ocr.config.settings import Settings
from stream_ocr.core.frame import Frame, planes_in
from stream_ocr.core.geometry import unflat
from stream_ocr.errors import SinkError, SourceError
from stream_ocr.models.zoo import load_detector

Corners = list[tuple[float, float]]


class Found(msgspec.Struct, frozen=True):
    """The lines of text in one picture; quads are four [x, y], clockwise from the top left as the text is read.

    polygons: the same lines by their outlines, where they were asked for, in an order of their own.
    """

    image: str
    quads: list[Corners]
    scores: list[float]
    polygons: list[Corners] | msgspec.UnsetType = msgspec.UNSET


def detect(images: Iterable[Path], settings: Settings, *, outlines: bool = False) -> Iterator[Found]:
    """What the detector finds in each picture. Raises SourceError for a file that is none."""
    detector = load_detector(settings)
    for image in images:
        frame = frame_of(load(image))
        (regions,) = detector.detect([frame])
        quads, scores = [_corners(unflat(region.quad)) for region in regions], [round(r.score, 4) for r in regions]
        polygons = [_corners(polygon) for polygon in detector.outlines(frame)] if outlines else msgspec.UNSET
        yield Found(str(image), quads, scores, polygons)


def _corners(points: np.ndarray) -> Corners:
    return [(round(x, 2), round(y, 2)) for x, y in points.tolist()]


def load(image: Path) -> np.ndarray:
    """A picture as (H, W, 3) uint8, blue first. Raises SourceError."""
    try:
        data = np.frombuffer(image.read_bytes(), dtype=np.uint8)
    except OSError as error:
        raise SourceError(f"{image} cannot be read: {error.strerror}.") from error
    picture = cv2.imdecode(data, cv2.IMREAD_COLOR) if len(data) else None
    if picture is None:
        raise SourceError(f"{image} is no picture that can be read; use PNG, JPEG, WebP or BMP.")
    return np.asarray(picture, dtype=np.uint8)


def frame_of(picture: np.ndarray) -> Frame:
    """A picture as a decoder would have made it, YUV 4:2:0."""
    height, width = picture.shape[:2]
    even = cv2.copyMakeBorder(picture, 0, height % 2, 0, width % 2, cv2.BORDER_REPLICATE)
    planes = np.ascontiguousarray(cv2.cvtColor(even, cv2.COLOR_BGR2YUV_I420)).reshape(-1)
    whole = planes_in(planes, (even.shape[1], even.shape[0]))
    return Frame(whole.y[:height, :width], whole.u, whole.v)


def draw(found: Found, folder: Path) -> Path:
    """Write the picture with its lines drawn in. Raises SinkError when that is impossible."""
    picture = load(Path(found.image))
    for corners in [np.array(outline).round().astype(np.int32) for outline in found.polygons or found.quads]:
        cv2.polylines(picture, [corners], isClosed=True, color=(60, 60, 250), thickness=2)
        cv2.circle(picture, tuple(int(v) for v in corners[0]), 3, (60, 220, 60), -1)
    target = folder / f"{Path(found.image).stem}.png"
    write(target, picture)
    return target


def write(target: Path, picture: np.ndarray) -> None:
    """Write a picture, (H, W, 3) uint8, blue first. Raises SinkError when that is impossible."""
    try:
        written = cv2.imwrite(str(target), picture)
    except cv2.error as error:
        raise SinkError(f"{target} cannot be written as a picture ({error.err}); give it the suffix .png.") from error
    if not written:
        raise SinkError(f"{target} cannot be written; is {target.parent} a folder that can be written to?")
