"""Benchmarks: what reading a video costs and how right it is, next to others, each as a process of its own."""

from stream_ocr.evaluation.bench.suite import ClipOptions, contestants, run
from stream_ocr.evaluation.bench.table import show

__all__ = ["ClipOptions", "contestants", "run", "show"]
