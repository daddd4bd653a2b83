"""Every error that stream_ocr raises on purpose.

    StreamOcrError
    ├── SettingsError     a settings file, an environment variable or --set is wrong
    ├── SourceError       a file or camera cannot be opened, or is refused
    ├── WeightsError      weights are missing, damaged, or made for another network
    ├── DeviceError       the device or engine asked for is not there
    ├── SinkError         events cannot be written where the user wanted them
    │   └── EventsLostError   some could not, and the sink goes on
    ├── StoreError        the store of events cannot be used as it is
    ├── SubscribeError    events cannot be had as the subscriber asked
    ├── SlotError         a slot of shared memory holds another frame than was asked for
    └── WorkerError       a worker process died, hung, or reported a failure

The message is one sentence: what is wrong, the value, and what to do about it.
"""


class StreamOcrError(Exception):
    """Base of everything raised on purpose."""


class SettingsError(StreamOcrError):
    """Raised at start, with every mistake found in the settings."""


class SourceError(StreamOcrError):
    """Raised when a source cannot be opened or breaks for good."""


class WeightsError(StreamOcrError):
    """Raised when weights cannot be found, verified or loaded."""


class DeviceError(StreamOcrError):
    """Raised when the device or engine asked for is not available."""


class SinkError(StreamOcrError):
    """Raised when a sink cannot be opened or written."""


class EventsLostError(SinkError):
    """Raised by a sink that had to give up ``count`` events, the one at hand or some before, and goes on."""

    def __init__(self, message: str, count: int = 1) -> None:
        super().__init__(message)
        self.count = count


class StoreError(StreamOcrError):
    """Raised when a store of events cannot be opened, or is not one."""


class SubscribeError(StreamOcrError):
    """Raised when a subscription cannot be made as asked, or its cursor cannot be kept."""


class SlotError(StreamOcrError):
    """Raised when a slot has been taken back or used again since it was referred to."""


class WorkerError(StreamOcrError):
    """Raised when a worker process ends, hangs or fails."""
