"""Tuning values of running networks. Those of detection and recognition are in the packages of these names."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ModelThresholds:
    """Thresholds of devices and batches; chosen by hand."""

    max_threads: int = 4
    """Threads of one call on a CPU at most; more gain little on images of the size of a video frame."""

    cuda_detector_batch: int = 8
    """Frames in a detector batch on CUDA. On a CPU batches gain nothing."""


THRESHOLDS = ModelThresholds()
