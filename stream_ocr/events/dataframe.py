"""Events as a pandas data frame."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

import msgspec

from stream_ocr.errors import StreamOcrError
from stream_ocr.events import Event, TextEvent

if TYPE_CHECKING:
    import pandas


def to_frame(events: Iterable[Event]) -> "pandas.DataFrame":
    """Return a data frame with one row per text event and one column per field; source events are left out.

    UTC times are timestamps with a time zone, ``kind`` and ``stream`` are categories. Raises StreamOcrError if pandas
    is not installed.
    """
    try:
        import pandas
    except ImportError as error:
        raise StreamOcrError("to_frame needs pandas; install it with: pip install 'stream-ocr[notebook]'.") from error
    rows = [msgspec.structs.astuple(event) for event in events if isinstance(event, TextEvent)]
    names = [field.name for field in msgspec.structs.fields(TextEvent)]
    frame = pandas.DataFrame(rows, columns=names)
    for name in ("start_utc", "end_utc", "emitted_utc"):
        frame[name] = pandas.to_datetime(frame[name], utc=True)
    return frame.astype({"kind": "category", "stream": "category", "start": float, "end": float})
