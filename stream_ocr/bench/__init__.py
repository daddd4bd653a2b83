"""Benchmarks: what reading a video costs and how right it is, next to others, each as a process of its own."""

from stream_ocr.bench.report import show
from stream_ocr.bench.suite import Make, contestants, run

__all__ = ["Make", "contestants", "run", "show"]
