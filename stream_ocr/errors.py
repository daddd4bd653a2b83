"""Exceptions of stream_ocr.

    StreamOcrError
    ├── SettingsError     a settings file, an environment variable or --set is invalid
    │   └── SettingsConflictError   the settings file has changed in the meantime
    ├── SourceError       a file or camera cannot be opened or read
    ├── WeightsError      weights are missing, damaged, or belong to another network
    ├── DeviceError       the requested device or inference engine is not available
    ├── SinkError         a sink cannot be opened or written
    │   └── EventsLostError   some events were lost; the sink continues
    ├── StoreError        the event store cannot be opened or used
    ├── SubscribeError    a subscription is impossible as requested
    ├── SlotError         a slot of shared memory has been released or overwritten
    └── WorkerError       a worker process died, hung or failed

Each message is one sentence with the problem, the value and the remedy.
"""

__all__ = [
    "DeviceError",
    "EventsLostError",
    "SettingsConflictError",
    "SettingsError",
    "SinkError",
    "SlotError",
    "SourceError",
    "StoreError",
    "StreamOcrError",
    "SubscribeError",
    "WeightsError",
    "WorkerError",
]


class StreamOcrError(Exception):
    """Base class of all exceptions of stream_ocr."""


class SettingsError(StreamOcrError):
    """Raised when settings are invalid; the message lists every mistake."""


class SettingsConflictError(SettingsError):
    """Raised when the settings file has changed since the version that a change was made from."""


class SourceError(StreamOcrError):
    """Raised when a source cannot be opened, or cannot be read any further."""


class WeightsError(StreamOcrError):
    """Raised when weights cannot be found, verified or loaded."""


class DeviceError(StreamOcrError):
    """Raised when the requested device or inference engine is not available."""


class SinkError(StreamOcrError):
    """Raised when a sink cannot be opened or written."""


class EventsLostError(SinkError):
    """Raised by a sink that lost ``count`` events, current or earlier ones, and continues."""

    def __init__(self, message: str, count: int = 1) -> None:
        super().__init__(message)
        self.count = count


class StoreError(StreamOcrError):
    """Raised when an event store cannot be opened, or the file is not an event store."""


class SubscribeError(StreamOcrError):
    """Raised when a subscription is impossible as requested, or its cursor cannot be saved."""


class SlotError(StreamOcrError):
    """Raised when a slot has been reclaimed or overwritten since the reference to it was created."""


class WorkerError(StreamOcrError):
    """Raised when a worker process dies, hangs or fails."""
