"""Settings: everything that users can configure. ``Settings`` is the public name of this package."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from stream_ocr.config.settings import Settings

__all__ = ["Settings"]


def __getattr__(name: str) -> Any:
    # Imported on first use (PEP 562): importing a small module of this package does not load all settings.
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.settings"), name)
