"""The sizes of lines that our own recogniser reads: 32 pixels high, and of a few widths."""

from typing import Final

HEIGHT: Final = 32
WIDTHS: Final = (32, 48, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384, 448, 512, 640, 768, 896)
ASPECT: Final = 1.35
"""Crops are stretched by this much, so that narrow letters keep their columns."""
COLUMNS_PER_STEP: Final = 4


def width_for(height: int, width: int) -> int:
    """The bucket for a crop of this size: of `WIDTHS`, the nearest to the crop's width at height 32 times `ASPECT`."""
    wanted = HEIGHT * ASPECT * width / max(1, height)
    return min(WIDTHS, key=lambda bucket: abs(bucket - wanted))
