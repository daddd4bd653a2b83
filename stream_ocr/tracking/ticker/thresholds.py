"""Tuning values of scrolling text. Units and origin as in ``stream_ocr.tracking.thresholds``."""

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TickerThresholds:
    """Detection of scrolling lines and assembly of their messages (``ticker/``; decision 0009)."""

    right_inset_px: int = 2
    """Pixels at the right end of a window that codecs smear."""

    min_rows_px: int = 4
    """Height of the lowest window that can be compared."""

    min_score: float = 0.6
    """Score from which two images show the same."""

    min_moving_pairs: int = 3
    """Consecutive pairs of frames that must show a line scrolling. A number of measurements, not a duration."""

    max_speed: float = 20.0
    """Highest speed that is searched, in heights per second: 0.8 heights per frame at 25 fps."""

    min_start_speed: float = 0.5
    """Lowest speed of a line that begins to scroll, in heights per second."""

    min_speed: float = 0.3
    """Speed below which a line that scrolled has stopped, in heights per second."""

    max_speed_deviation: float = 0.3
    """Share by which the speed may differ from frame to frame, and from that of the surroundings."""

    min_window_reach: float = 2.5
    """Width of the narrowest window in which motion can be measured, in multiples of the search radius."""

    speed_time_constant_s: float = -0.04 / math.log(0.9)
    """Time constant of the running average of the speed, in seconds: 0.9 of it stays per frame at 25 fps."""

    search_slack: int = 4
    """Pixels that are searched in addition to twice the expected motion."""

    max_lost_s: float = 1.0
    """Seconds without a match after which a ticker has ended."""

    lookback_s: float = 10.0
    """Seconds for which a line is taken to have scrolled at constant speed before it was noticed."""

    min_contrast: float = 24.0
    """Contrast in grey levels below which a column, or a window, shows no letters."""

    ink_share: float = 0.3
    """Share of the strongest contrast of a strip from which a column shows letters."""

    ink_percentile: float = 95.0
    """Percentile of the contrasts of a strip that counts as the strongest."""

    ignored_rows: float = 0.15
    """Heights at the top and at the bottom in which no letters are looked for, because the bar may end there."""

    message_gap: float = 1.6
    """Width of the gap that ends a message, in heights."""

    min_message_length: float = 0.5
    """Length of the shortest message, in heights."""

    max_message_length: int = 60
    """Length at which a message without a gap is cut, in heights."""

    message_padding: float = 0.3
    """Background that is kept on both sides of a message, in heights."""

    tail_length: float = 1.5
    """Length of the end of a message that is followed until it leaves the window, in heights."""

    tail_reach: int = 4
    """Radius of the search for the end of a message, in pixels."""

    window_padding: float = 0.15
    """Heights added above and below the first box, whose letters may lack ascenders and descenders."""

    alignment: float = 0.3
    """Heights by which the top, right and bottom of two boxes of one window may differ."""

    max_slope: float = 1 / 3
    """Rise of a line from its left to its right end up to which it is horizontal, in heights."""

    max_part_height: float = 2.0
    """Height of a detection up to which it can be a part of a ticker, in heights of that."""

    growth_reach: float = 2.0
    """Heights of a window, from its left end on, that are measured with what a line adds before that end."""

    surroundings: tuple[float, float] = (1 / 3, 2.0)
    """Distances above and below a window between which the surroundings lie, in heights."""

    min_surroundings: float = 0.5
    """Height of the lowest strip of the surroundings in which motion is measured, in heights."""

    min_height_ratio: float = 0.8
    """Ratio of the heights of two detections of one ticker. A line that zooms in has another height each time (seen on
    the real clip of a slide show)."""


TICKER = TickerThresholds()
