"""Constants of the metrics. They define what is counted, so changing one changes all scores."""

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class EvaluationThresholds:
    """Thresholds of matching and of the benchmark's baselines; chosen by hand where no source is given."""

    # Events against a truth file
    word_min_iou: float = 0.5
    """Least temporal IoU of a predicted and a true word that match."""
    line_min_overlap: float = 0.25
    """Share of a true line's time for which a text must be present to count in its character error rate."""
    together_min_overlap: float = 0.5
    """Texts are pieces of one line if they are present for more than this share of the longest piece's time."""

    sampling_interval_s: float = 0.02
    """Interval of the moments at which tracks and characters are compared: the frames of the fastest broadcasts."""

    # Detections against labelled quads
    min_iou: float = 0.5
    """Least IoU of a one-to-one match; ICDAR 2015."""
    ignored_min_overlap: float = 0.5
    """A detection of which more than this share lies in "don't care" truth is not counted; with IoU matching."""
    area_recall: float = 0.8
    """DetEval: share of a true quad that must be covered (Wolf and Jolion)."""
    area_precision: float = 0.4
    """DetEval: share of a detected quad that must be covered (Wolf and Jolion)."""
    split_credit: float = 0.8
    """DetEval: credit for a line detected in pieces, and for each of the pieces; 1 for everything else."""

    # Confidences
    calibration_bins: int = 15
    """Bins of the expected calibration error, of equal width."""

    # Benchmarks
    min_clip_side_px: int = 128
    """Smallest side of a generated clip."""
    min_clip_s: float = 2.0
    """Shortest generated clip, in seconds."""
    first_memory_interval_s: float = 0.02
    """Until the first sample of memory; it doubles up to ``memory_interval_s``, so that short commands are sampled."""
    memory_interval_s: float = 0.25
    """Interval between samples of a contestant's memory, in seconds."""
    rapidocr_fps: int = 5
    """Frames a second that the RapidOCR baseline reads."""
    rapidocr_min_iou: float = 0.5
    """Least IoU at which the RapidOCR baseline takes two boxes for the same text."""
    rapidocr_min_similarity: float = 0.8
    """Least ``difflib`` ratio at which the RapidOCR baseline takes two readings for the same text."""


@dataclass(frozen=True, slots=True)
class BySourceThresholds:
    """Measurement of a detector by the source of its images (``detector_by_source.py``); chosen by hand."""

    box_thresholds: tuple[float, ...] = (0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8)
    """Values of ``box_thresh`` that are tried; the one with the best mean is chosen for all sets."""

    long_side: int = 960
    """Longer side of the network's input in pixels, as for still images."""

    unclip_ratio: float = 1.0
    """Growth of boxes, as for still images."""

    height_bounds_px: tuple[float, ...] = (6.0, 10.0, 16.0, 32.0, 64.0, math.inf)
    """Bounds of the text heights for which recall is reported, in pixels of the network's input. Smaller text than the
    first bound need not be found."""


@dataclass(frozen=True, slots=True)
class MetamorphicThresholds:
    """Comparison of a video with its variants (``metamorphic``)."""

    retimed_tolerance_s: float = 3e-3
    """Difference of times in seconds that is none: two roundings to milliseconds, and one more."""

    truth_tolerance_s: float = 6e-4
    """Rounding error in seconds of times in truth files, which may be rounded to milliseconds. Frames of 24 and 25 fps
    are as close as 1.7 ms."""


THRESHOLDS = EvaluationThresholds()
BY_SOURCE = BySourceThresholds()
METAMORPHIC = MetamorphicThresholds()
