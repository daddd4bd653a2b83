"""Read text in live video and video files, and report when and where each text appears, changes and ends.

import stream_ocr

for event in stream_ocr.read("match.mp4"):
    print(f"{event.start:8.2f}s  {event.kind:<9} {event.text}")
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from stream_ocr.api import Pipeline, Progress, Summary, read
    from stream_ocr.client import Subscription, subscribe
    from stream_ocr.config.settings import Settings
    from stream_ocr.errors import (
        DeviceError,
        SettingsError,
        SinkError,
        SourceError,
        StoreError,
        StreamOcrError,
        SubscribeError,
        WeightsError,
        WorkerError,
    )
    from stream_ocr.events import TextEvent
    from stream_ocr.events.dataframe import to_frame
    from stream_ocr.image_reader import ImageReader, TextLine, read_image
    from stream_ocr.reader import Reader
    from stream_ocr.viz.report.page import Report

__all__ = [
    "DeviceError",
    "ImageReader",
    "Pipeline",
    "Progress",
    "Reader",
    "Report",
    "Settings",
    "SettingsError",
    "SinkError",
    "SourceError",
    "StoreError",
    "StreamOcrError",
    "SubscribeError",
    "Subscription",
    "Summary",
    "TextEvent",
    "TextLine",
    "WeightsError",
    "WorkerError",
    "read",
    "read_image",
    "subscribe",
    "to_frame",
]

_MODULES = {
    "Pipeline": "api",
    "Progress": "api",
    "Summary": "api",
    "read": "api",
    "Subscription": "client",
    "subscribe": "client",
    "ImageReader": "image_reader",
    "TextLine": "image_reader",
    "read_image": "image_reader",
    "Reader": "reader",
    "TextEvent": "events",
    "Settings": "config.settings",
    "Report": "viz.report.page",
    "to_frame": "events.dataframe",
}


def __getattr__(name: str) -> Any:
    # Names are imported on first use (PEP 562): every worker process imports this package, and should load only the
    # modules that its stage needs.
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES.get(name, 'errors')}"), name)
