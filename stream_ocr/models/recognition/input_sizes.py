"""Input sizes of the built-in recogniser: 32 pixels high, and a few widths. Free of arrays and torch."""

from typing import Final

HEIGHT: Final = 32
WIDTHS: Final = (32, 48, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384, 448, 512, 640, 768, 896)
ASPECT: Final = 1.35
"""Crops are stretched by this factor, so that narrow letters keep their columns."""
COLUMNS_PER_STEP: Final = 4
"""Columns of the input for each step of the output."""
CONTRAST_FLOOR: Final = 8
"""Grey levels added to a crop's standard deviation in normalisation, so that noise is not amplified."""


def width_for(height: int, width: int) -> int:
    """Return the input width for a crop: of ``WIDTHS``, the nearest to its width at height 32 times ``ASPECT``."""
    target = HEIGHT * ASPECT * width / max(1, height)
    return min(WIDTHS, key=lambda bucket: abs(bucket - target))
