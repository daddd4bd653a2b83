"""Tuning values of text detection."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class DetectionThresholds:
    """Thresholds around the detector network. All but the defaults of DB post-processing were chosen by hand.

    Those defaults serve measurements and tests. A ``Detector`` gets its own: for video from ``presets``, for still
    images from the manifest of the weights.
    """

    max_upscale: float = 2.0
    """Largest factor by which a small frame is enlarged; beyond it the network gains no detail."""

    fine_max_height_px: float = 16.0
    """Greatest height, in pixels of the network's input in ``detect``, of the text that ``detect_fine`` reports."""

    max_height_ratio: float = 0.5
    """Detections taller than this share of the frame's shorter side are dropped as haze or foliage. A line that tall
    exceeds the receptive field of these networks."""

    max_height_px: float = 160.0
    """Lines up to this height in pixels of the network's input are kept whatever ``max_height_ratio`` says."""

    bin_thresh: float = 0.3
    """Default of ``find_boxes``: probability above which a pixel belongs to a kernel; as in PaddleOCR."""

    box_thresh: float = 0.6
    """Default of ``find_boxes``: lowest mean probability of a box; as in PaddleOCR."""

    unclip_ratio: float = 1.1
    """Default of ``find_boxes``: growth of a kernel relative to the exact inverse of the shrinking; chosen by hand."""

    shrink: float = 0.6
    """Default of ``find_boxes``: shrink ratio r of the training targets of the built-in detector."""

    max_boxes: int = 500
    """Default of ``find_boxes``: boxes of one map; the best are kept."""

    max_candidates: int = 1000
    """Kernels of one map that are scored; the largest are kept, so that noise cannot stall a stream."""

    min_kernel_side_px: float = 1.0
    """Kernels whose shorter side is not above this many map pixels (a single row of noise) are dropped."""

    polygon_tolerance_px: float = 0.5
    """Largest deviation, in map pixels, of a simplified outline from the contour (``cv2.approxPolyDP``)."""


THRESHOLDS = DetectionThresholds()
