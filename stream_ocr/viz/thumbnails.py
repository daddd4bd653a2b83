"""Small pictures of texts: what was on screen, cut from the frame, upright as it is read."""

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

_HEIGHT_PX, _WIDTH_PX = 48, 480  # at most
_MARGIN = 0.15  # of the height of the text, on every side
_QUALITY = 80


def of_spans(video: Path, spans: Iterable[Span], decode: DecodeSettings) -> Iterator[tuple[Span, bytes]]:
    """A JPEG of each span from the middle of its time; the video is decoded once. Raises SourceError."""
    waiting = sorted(spans, key=_middle_s, reverse=True)
    with open_file(video, stream=video.name, max_pixels=decode.max_pixels, threads=decode.threads) as source:
        for picture in source:
            bgr: np.ndarray | None = None
            while waiting and _middle_s(waiting[-1]) < picture.stamp.end_s:
                span = waiting.pop()
                bgr = colours(picture.frame) if bgr is None else bgr
                yield span, jpeg(upright(bgr, span.polygon_at(picture.stamp.time_s)))
            if not waiting:
                return


def of_span(video: Path, span: Span, decode: DecodeSettings) -> bytes | None:
    """A JPEG of one span from the middle of its time, found by a jump; None when the video has no such time."""
    with open_container(video, decode.max_pixels) as container:
        stream = container.streams.best("video")
        if not isinstance(stream, VideoStream):
            return None
        time_s = _middle_s(span)
        try:
            container.seek(int(time_s / float(stream.time_base or 1)), stream=stream)
            for decoded in container.decode(stream):
                if decoded.time is not None and decoded.time + 1e-6 >= time_s:
                    return jpeg(upright(colours(FrameConverter().frame(decoded)), span.polygon_at(decoded.time)))
        except av.FFmpegError as error:
            raise SourceError(f"{video} cannot be read at {time_s:.2f} s ({error}).") from error
    return None


def colours(frame: Frame, size: tuple[int, int] | None = None) -> np.ndarray:
    """A frame as (H, W, 3) uint8, blue first; of that (width, height), or as large as it is."""
    # A view turned round by NumPy would take 35 times as long to copy.
    return cv2.cvtColor(frame_to_rgb(frame, size or frame.size), cv2.COLOR_RGB2BGR)


def upright(bgr: np.ndarray, polygon: Polygon) -> np.ndarray:
    """What is within a polygon and a little round it, small, as it is read."""
    corners = np.array(polygon, dtype=np.float32)
    width = max(float(np.linalg.norm(corners[1] - corners[0])), 1.0)
    height = max(float(np.linalg.norm(corners[3] - corners[0])), 1.0)
    margin = _MARGIN * height
    scale = min(1.0, _HEIGHT_PX / (height + 2 * margin), _WIDTH_PX / (width + 2 * margin))
    size = max(round((width + 2 * margin) * scale), 1), max(round((height + 2 * margin) * scale), 1)
    inner = np.array([(0, 0), (width, 0), (width, height), (0, height)], dtype=np.float32) + margin
    turn = cv2.getPerspectiveTransform(corners, inner * np.float32(scale))
    return cv2.warpPerspective(bgr, turn, size, flags=cv2.INTER_AREA, borderMode=cv2.BORDER_REPLICATE)


def jpeg(bgr: np.ndarray) -> bytes:
    """A picture as JPEG."""
    done, data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    assert done
    return data.tobytes()


def _middle_s(span: Span) -> float:
    return (span.start + span.end) / 2
