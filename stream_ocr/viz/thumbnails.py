"""Thumbnails of texts: small crops of the frame, rectified so that the text is horizontal."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import av
import cv2
import numpy as np
from av.video.stream import VideoStream

from stream_ocr.config.stages import DecodeSettings
from stream_ocr.core.color import frame_to_rgb
from stream_ocr.core.frame import Frame
from stream_ocr.errors import SourceError
from stream_ocr.events import Polygon
from stream_ocr.events.spans import Span
from stream_ocr.sources.decoded_frame import FrameConverter
from stream_ocr.sources.files import open_container, open_file
from stream_ocr.viz.thresholds import DRAWING, TIME_RESOLUTION_S


def span_thumbnails(video: Path, spans: Iterable[Span], decode: DecodeSettings) -> Iterator[tuple[Span, bytes]]:
    """Yield a JPEG of each span from the middle of its time. Decodes the video once. Raises SourceError."""
    pending = sorted(spans, key=_midpoint_s, reverse=True)
    with open_file(video, stream=video.name, max_pixels=decode.max_pixels, threads=decode.threads) as source:
        for decoded in source:
            bgr: np.ndarray | None = None
            while pending and _midpoint_s(pending[-1]) < decoded.stamp.end_s:
                span = pending.pop()
                bgr = frame_to_bgr(decoded.frame) if bgr is None else bgr
                yield span, encode_jpeg(rectified_crop(bgr, span.polygon_at(decoded.stamp.time_s)))
            if not pending:
                return


def span_thumbnail(video: Path, span: Span, decode: DecodeSettings) -> bytes | None:
    """Return a JPEG of a span from the middle of its time, None if the video is shorter. Raises SourceError."""
    with open_container(video, decode.max_pixels) as container:
        stream = container.streams.best("video")
        if not isinstance(stream, VideoStream):
            return None
        time_s = _midpoint_s(span)
        try:
            container.seek(int(time_s / float(stream.time_base or 1)), stream=stream)
            for decoded in container.decode(stream):
                if decoded.time is not None and decoded.time + TIME_RESOLUTION_S >= time_s:
                    bgr = frame_to_bgr(FrameConverter().convert(decoded))
                    return encode_jpeg(rectified_crop(bgr, span.polygon_at(decoded.time)))
        except av.FFmpegError as error:
            raise SourceError(f"{video} cannot be read at {time_s:.2f} s ({error}).") from error
    return None


def frame_to_bgr(frame: Frame, size: tuple[int, int] | None = None) -> np.ndarray:
    """Convert a frame to (H, W, 3) uint8 BGR, scaled to ``size`` (width, height) if given."""
    # Copying a view reversed by NumPy would take 35 times as long.
    return cv2.cvtColor(frame_to_rgb(frame, size or frame.size), cv2.COLOR_RGB2BGR)


def rectified_crop(bgr: np.ndarray, polygon: Polygon) -> np.ndarray:
    """Return the content of a polygon with a margin, rectified and scaled down to thumbnail size."""
    corners = np.array(polygon, dtype=np.float32)
    width = max(float(np.linalg.norm(corners[1] - corners[0])), 1.0)
    height = max(float(np.linalg.norm(corners[3] - corners[0])), 1.0)
    margin = DRAWING.thumbnail_margin * height
    height_px, width_px = DRAWING.thumbnail_height_px, DRAWING.thumbnail_width_px
    scale = min(1.0, height_px / (height + 2 * margin), width_px / (width + 2 * margin))
    size = max(round((width + 2 * margin) * scale), 1), max(round((height + 2 * margin) * scale), 1)
    inner = np.array([(0, 0), (width, 0), (width, height), (0, height)], dtype=np.float32) + margin
    transform = cv2.getPerspectiveTransform(corners, inner * np.float32(scale))
    return cv2.warpPerspective(bgr, transform, size, flags=cv2.INTER_AREA, borderMode=cv2.BORDER_REPLICATE)


def encode_jpeg(bgr: np.ndarray) -> bytes:
    """Encode a BGR image as JPEG."""
    done, data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, DRAWING.jpeg_quality])
    assert done
    return data.tobytes()


def _midpoint_s(span: Span) -> float:
    return (span.start + span.end) / 2
