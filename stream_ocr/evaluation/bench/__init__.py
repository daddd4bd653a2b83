"""Benchmarks: cost and accuracy of reading videos, next to other programs, each in its own process."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from stream_ocr.evaluation.bench.accuracy_table import show_accuracy
    from stream_ocr.evaluation.bench.clips import ClipOptions
    from stream_ocr.evaluation.bench.suite import contestants, run
    from stream_ocr.evaluation.bench.table import show

__all__ = ["ClipOptions", "contestants", "run", "show", "show_accuracy"]

_MODULES = {
    "ClipOptions": "clips",
    "contestants": "suite",
    "run": "suite",
    "show": "table",
    "show_accuracy": "accuracy_table",
}


def __getattr__(name: str) -> Any:
    # Imported on first use (PEP 562): contestants are modules of this package, and their start is measured.
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
