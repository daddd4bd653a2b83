"""Benchmarks: cost and accuracy of reading videos, next to other programs, each in its own process."""

from stream_ocr.evaluation.bench.suite import ClipOptions, contestants, run
from stream_ocr.evaluation.bench.table import show

__all__ = ["ClipOptions", "contestants", "run", "show"]
