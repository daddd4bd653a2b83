"""Tuning values of the gates, one frozen dataclass per concern.

Unless a field says otherwise its value was chosen by hand and checked on the generated scenario suite
(``tests/scenarios``). Decision records are in ``docs/decisions``.
"""

import math
from dataclasses import dataclass

TIME_TOLERANCE_S = 1e-6
"""Rounding error of media times, in seconds, that must not postpone what is due."""


@dataclass(frozen=True, slots=True)
class ChangeThresholds:
    """Change detection (``change_detection.py``)."""

    noise_gain: float = 0.55
    """Grey levels that the threshold rises per grey level of noise."""

    max_noise: float = 9.0
    """Highest noise that raises the threshold, in grey levels; anything stronger is motion. Measured: white noise of
    5 levels makes 7 in all cells and at most 10 in any."""

    noise_quantile: float = 0.75
    """Quantile of the cells that measures the noise: text covers less than a quarter of a picture."""

    contrast_reach_cells: int = 5
    """Side, in cells, of the square round a cell whose strongest contrast counts as its own."""

    contrast_share: float = 0.2
    """Share of the reference contrast that a change must exceed. Measured on slides at CRF 20: codecs alter strong
    edges by up to 0.13 at each key frame (decision 0011)."""

    max_flicker_share: float = 0.01
    """Share of changed cells above which a change is no flicker of the codec and is not compared with the contrast."""

    cut_share: float = 0.5
    """Share of the pixels that must differ between two frames for a cut."""

    cut_levels: float = 10
    """Grey levels by which these pixels differ at least."""

    max_cut_ncc: float = 0.7
    """Normalised cross-correlation below which two frames are a cut. It stays high in a pan, a flash or a fade."""

    onset_max_rows: int = 480
    """Height in pixels from which edges are searched at half the resolution, which shows all text that appears."""

    sample_rows: int = 24
    """Distance in rows of the quick test for identical frames; nearly all frames that differ do so in these rows."""

    coarse_cell_pixels: int = 4_000_000
    """Frame size in pixels (width × height) above which cells are 16 instead of 8 pixels wide."""

    full_comparison_interval_s: float = 0.16
    """While all rows wait for the detector, time in seconds between two full comparisons with the reference: every
    fourth frame at 25 fps. The frames between are assumed to move."""


@dataclass(frozen=True, slots=True)
class EdgeOnsetThresholds:
    """Detection of edges that appear (``edge_onset.py``). Edge strength: mean absolute Laplacian of a tile, one side of
    each edge, in grey levels. Tuned on subtitles over moving film (decision 0013)."""

    min_growth: float = 2.0
    """Edge strength that a tile must gain over what it and its neighbours had."""

    min_growth_factor: float = 1.2
    """Factor by which it must grow at the same time."""

    memory_time_constant_s: float = -0.04 / math.log(0.8)
    """Time constant, in seconds, with which a tile forgets edges that are gone, so that flicker appears only once:
    0.18 s, which keeps 0.8 per frame at 25 fps."""

    min_static_s: float = 0.2
    """Time in seconds for which edges must stand still before a replacement counts: 5 frames at 25 fps."""

    min_strength: float = 4.0
    """Edge strength from which a tile can be static or replaced."""

    static_difference: float = 0.6
    """Difference of the edges, relative to their strength, below which a tile stands still."""

    replaced_difference: float = 1.0
    """Difference of the edges, relative to their strength, above which they are replaced."""

    min_remaining: float = 0.5
    """Edge strength after a replacement relative to before; with less, something only went away."""


@dataclass(frozen=True, slots=True)
class ScheduleThresholds:
    """Detection schedule (``detection_schedule.py``; decisions 0012 and 0013)."""

    burst_runs: int = 2
    """Detector runs after something appeared: a text may still be fading in at the first one."""

    max_credit: float = 3.0
    """Runs that may follow each other without a pause when texts appear one after the other. On average there are never
    more than ``detection.max_fps``."""

    coarse_passes: int = 3
    """Coarse passes between two full passes over a picture that only moves."""

    margin_tiles: int = 2
    """Rows of tiles that are added above and below the changed ones."""

    max_band_share: float = 0.6
    """Share of the rows from which a band saves too little, and the whole frame is processed."""


@dataclass(frozen=True, slots=True)
class FinePassThresholds:
    """Fine passes (``fine_pass.py``; decision 0016)."""

    min_downscale: float = 1.8
    """Fine passes are made on frames whose long side is at least this many times the network's: also on those of
    1920×1080 of which an edge was cut off."""

    rest_s: float = 0.5
    """Time in seconds for which a tile must not have changed."""

    repeat_s: float = 4.0
    """Time in seconds between two fine passes over the same rows unless edges appeared in them."""

    parts: int = 3
    """A fine pass covers at most one part in this many of the frame, so that no frame waits long."""


@dataclass(frozen=True, slots=True)
class KnownRegionThresholds:
    """Novelty of what a coarse pass finds (``known_regions.py``; decision 0013)."""

    coarse_slack: float = 0.5
    """Tolerance of boxes of a coarse pass, in box heights."""

    full_slack: float = 0.15
    """Tolerance of boxes of a full pass, in box heights."""

    min_ncc: float = 0.6
    """Normalised cross-correlation above which the pixels of a region are still those of the text. Letters are
    stronger than the film behind them."""

    row_margin: float = 1.0
    """Rows above and below a novel region that the detector processes, in region heights."""


@dataclass(frozen=True, slots=True)
class ReadingThresholds:
    """Reading policy (``reading_policy.py``)."""

    better_area: float = 1.5
    """Factor by which the box must have grown for a reading to be worth repeating at once."""

    burst_revisions: float = 4.0
    """Revisions that are read one after the other before a text that keeps changing is rate-limited."""

    min_legible_confidence: float = 0.75
    """Mean character confidence below which a reading is illegible; little below it is published by default."""

    min_backoff_s: float = 0.5
    """Pause in seconds after the first illegible reading; it doubles with each further one."""

    max_backoff_s: float = 4.0
    """Longest pause in seconds after illegible readings."""

    closer_height: float = 1.3
    """Factor by which the text must have grown to be read in spite of the pause."""


@dataclass(frozen=True, slots=True)
class RereadThresholds:
    """Limits from which further readings are not expected to change the result (``reading_policy.py``).

    Confidences are those of the recogniser, before calibration.
    """

    certain_confidence: float = 0.97
    """Confidence of a whole text from which one reading is enough (decision 0017)."""

    certain_char_confidence: float = 0.8
    """Confidence that each of its characters must have, too."""

    agreed_confidence: float = 0.9
    """Confidence from which agreeing readings are enough."""

    min_agreeing: int = 2
    """Number of readings that must agree."""

    taller_factor: float = 1.3
    """A text that is taller by this factor than in all readings before is read again."""


CHANGE = ChangeThresholds()
EDGE_ONSET = EdgeOnsetThresholds()
SCHEDULE = ScheduleThresholds()
FINE_PASS = FinePassThresholds()
KNOWN_REGIONS = KnownRegionThresholds()
READING = ReadingThresholds()
REREAD = RereadThresholds()
