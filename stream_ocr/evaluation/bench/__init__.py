"""Benchmarks: cost and accuracy of reading videos, next to other programs, each in its own process."""

from stream_ocr.evaluation.bench.accuracy_table import show_accuracy
from stream_ocr.evaluation.bench.clips import ClipOptions
from stream_ocr.evaluation.bench.suite import contestants, run
from stream_ocr.evaluation.bench.table import show

__all__ = ["ClipOptions", "contestants", "run", "show", "show_accuracy"]
