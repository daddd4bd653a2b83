"""Named fields: places in the picture whose text has a meaning, such as the digits of a score board."""

from typing import TYPE_CHECKING

from stream_ocr.config.base import compile_regex
from stream_ocr.config.reporting import EventSettings
from stream_ocr.core.geometry import relative_centre
from stream_ocr.events.polygon import FlatQuad, contains_point
from stream_ocr.logs import get_logger
from stream_ocr.readings.thresholds import CORRECTIONS

if TYPE_CHECKING:
    from regex import Pattern

log = get_logger(__name__)


class Fields:
    """Tells to which field of the settings a text belongs."""

    def __init__(self, settings: EventSettings) -> None:
        self._fields = [
            (name, field.region, compile_regex(field.pattern) if field.pattern else None)
            for name, field in settings.fields.items()
        ]

    def find(self, text: str, quad: FlatQuad, size: tuple[int, int]) -> str | None:
        """Return the name of the first field that holds a text, or None.

        quad: in pixels of the frame. size: width and height of the frame.
        """
        if not self._fields:
            return None
        centre = relative_centre(quad, size)
        for name, region, pattern in self._fields:
            if contains_point(region, centre) and (pattern is None or _matches(pattern, text)):
                return name
        return None


def _matches(pattern: "Pattern", text: str) -> bool:
    try:
        return pattern.fullmatch(text, timeout=CORRECTIONS.timeout_s) is not None
    except TimeoutError:
        log.warning("a text has no field: its pattern takes too long", text=text, pattern=pattern.pattern)
        return False
