"""Tuning values of frames, of time stamps and of the geometry of text lines."""

from dataclasses import dataclass
from fractions import Fraction


@dataclass(frozen=True, slots=True)
class FrameThresholds:
    """Chosen by hand."""

    min_side_px: int = 16
    """Shortest side of a frame in pixels below which nobody can read a text in it: it is not processed."""


@dataclass(frozen=True, slots=True)
class TimestampThresholds:
    """Chosen by hand on damaged and concatenated files."""

    max_backward_s: Fraction = Fraction(1, 4)
    """Largest step back, in seconds, that counts as a wrong time stamp rather than as a new clock of the source."""

    assumed_fps: int = 25
    """Frame rate of sources that do not declare one."""


@dataclass(frozen=True, slots=True)
class LineThresholds:
    """Geometry of detected rectangles. Chosen by hand."""

    upright_ratio: float = 2.5
    """Rectangles up to this ratio of long to short side (a lone "1", two letters) are read along their flattest side,
    longer ones along their long side."""

    vertical_deg: float = 20.0
    """A long side within this angle of the vertical, in degrees, is read from bottom to top."""

    edge_margin_px: float = 2.0
    """A quad that is closer than this to the edge of the frame, in pixels, may be clipped by it."""


FRAMES = FrameThresholds()
TIMESTAMPS = TimestampThresholds()
LINES = LineThresholds()
