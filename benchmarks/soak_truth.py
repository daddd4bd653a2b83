"""Showings of texts by the cameras of the soak, from the records of the cameras."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from stream_ocr.synthetic.scene import Text

RECORD = np.dtype([("viewer", "<u4"), ("is_whole", "<u4"), ("wall_s", "<f8"), ("time_s", "<f8"), ("position_s", "<f8")])
"""A record of tests/rtsp_camera/camera.py: an access unit for one viewer."""

FPS = 25
_HALF_FRAME_S = 0.5 / FPS


@dataclass(frozen=True)
class Showing:
    """A text that a camera showed to one viewer. start_s, end_s: since the first frame of the connection.

    wall_s, wall_end_s: Unix times at which the first and the last frame were sent. is_complete: all of its frames were
    sent, undamaged.
    """

    text: str
    start_s: float
    end_s: float
    wall_s: float
    wall_end_s: float
    is_complete: bool


@dataclass(frozen=True)
class Connection:
    """All that one viewer of a camera was sent. wall_s: Unix time of the first frame."""

    wall_s: float
    showings: tuple[Showing, ...]


def read_record(path: Path, texts: Sequence[Text]) -> list[Connection]:
    """Return the connections of a camera in order. texts: of its clip, which it repeats."""
    records = np.fromfile(path, RECORD) if path.exists() else np.empty(0, RECORD)
    _, firsts = np.unique(records["viewer"], return_index=True)
    return [_connection(records[records["viewer"] == records["viewer"][first]], texts) for first in sorted(firsts)]


def _connection(records: np.ndarray, texts: Sequence[Text]) -> Connection:
    """records: (N,) of one viewer."""
    origin_s = records["time_s"][0]
    rounds = np.split(records, np.flatnonzero(np.diff(records["position_s"]) < 0) + 1)
    showings = (showing for frames in rounds for text in texts for showing in _showings(frames, text, origin_s))
    return Connection(float(records["wall_s"][0]), tuple(showings))


def _showings(frames: np.ndarray, text: Text, origin_s: float) -> Iterator[Showing]:
    """Yield the showing of a text while the clip is played once, if it came that far. frames: (N,) records."""
    position_s = frames["position_s"] + _HALF_FRAME_S
    shown = frames[(position_s >= text.start_s) & (position_s < text.end_s)]
    if len(shown):
        yield Showing(
            text.text if isinstance(text.text, str) else "",
            float(shown["time_s"][0] - origin_s),
            float(shown["time_s"][-1] - origin_s + 1 / FPS),
            float(shown["wall_s"][0]),
            float(shown["wall_s"][-1]),
            bool(shown["is_whole"].all()) and len(shown) == round((text.end_s - text.start_s) * FPS),
        )
