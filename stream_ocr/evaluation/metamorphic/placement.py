"""Where the picture of a video lies in the picture of a variant of it: padded, cropped, scaled or shifted."""

from collections.abc import Callable
from dataclasses import dataclass

Size = tuple[int, int]
"""Width and height in pixels."""

_LETTERBOX_BAR = 6  # as a fraction of the height: 16:9 becomes 4:3


@dataclass(frozen=True)
class Placement:
    """FFmpeg filters (name, arguments) that place a picture, and the map of its coordinates: scale, then offset."""

    size: Size
    filters: tuple[tuple[str, str], ...] = ()
    scale: tuple[float, float] = (1.0, 1.0)
    offset_px: tuple[float, float] = (0.0, 0.0)

    def keyframe(self, keyframe: tuple[float, ...]) -> tuple[float, ...]:
        """Return a keyframe (time, left, top, width, height) in the coordinates of the variant."""
        time_s, x, y, width, height = keyframe
        (across, down), (right, below) = self.scale, self.offset_px
        return time_s, x * across + right, y * down + below, width * across, height * down


Place = Callable[[Size], Placement]
"""Returns the placement of a picture of a size. The size of the variant is even, as 4:2:0 needs it."""


def unchanged(size: Size) -> Placement:
    """Keep the picture; an odd row or column is cut off."""
    width, height = _even(*size)
    return Placement((width, height), () if (width, height) == size else (("crop", f"{width}:{height}:0:0"),))


def pad(pixels: int) -> Place:
    """Add black pixels on all sides."""

    def place(size: Size) -> Placement:
        width, height = _even(size[0] + 2 * pixels, size[1] + 2 * pixels)
        padding = ("pad", f"{width + 1}:{height + 1}:{pixels}:{pixels}"), ("crop", f"{width}:{height}:0:0")
        return Placement((width, height), padding, offset_px=(pixels, pixels))

    return place


def crop(pixels: int) -> Place:
    """Cut off pixels on all sides, and one more where the size would be odd."""

    def place(size: Size) -> Placement:
        width, height = _even(size[0] - 2 * pixels, size[1] - 2 * pixels)
        cut = ("crop", f"{width}:{height}:{pixels}:{pixels}")
        return Placement((width, height), (cut,), offset_px=(-pixels, -pixels))

    return place


def scale(factor: float) -> Place:
    """Scale the picture."""

    def place(size: Size) -> Placement:
        width, height = (2 * round(side * factor / 2) for side in size)
        method = "area" if factor < 1 else "bicubic"
        return Placement(
            (width, height), (("scale", f"{width}:{height}:flags={method}"),), (width / size[0], height / size[1])
        )

    return place


def letterbox(size: Size) -> Placement:
    """Add black bars above and below."""
    bar = 2 * round(size[1] / _LETTERBOX_BAR / 2)
    width, height = _even(size[0], size[1] + 2 * bar)
    padding = ("pad", f"{size[0]}:{height + 1}:0:{bar}"), ("crop", f"{width}:{height}:0:0")
    return Placement((width, height), padding, offset_px=(0, bar))


def shift(pixels: int) -> Place:
    """Move the picture right and down; the left column and the top row are repeated."""

    def place(size: Size) -> Placement:
        width, height = _even(*size)
        filters = (
            ("format", "yuv444p"),  # otherwise colours would move by multiples of two pixels
            ("crop", f"{width - pixels}:{height - pixels}:0:0"),
            ("pad", f"{width}:{height}:{pixels}:{pixels}"),
            ("fillborders", f"left={pixels}:top={pixels}:mode=smear"),
            ("format", "yuv420p"),
        )
        return Placement((width, height), filters, offset_px=(pixels, pixels))

    return place


def _even(width: int, height: int) -> Size:
    return width // 2 * 2, height // 2 * 2
