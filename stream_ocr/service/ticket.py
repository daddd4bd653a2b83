"""Tickets for the picture of one camera: for a short time, any machine that has one may load it.

Whoever has the key makes tickets: the dashboard of a fleet, for viewers that it lets in.
"""

import hashlib
import hmac
from collections.abc import Mapping

from stream_ocr.service.thresholds import THRESHOLDS

_MAX_DIGITS = 15  # of a time


class Tickets:
    """Makes and checks tickets. Times are seconds since 1970; clocks may differ by up to ``ticket_s``."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def issue(self, stream: str, now_s: float) -> dict[str, str]:
        """Return the query of a picture of a camera, with its ticket."""
        until = str(int(now_s + THRESHOLDS.ticket_s))
        return {"stream": stream, "until": until, "ticket": self._sign(stream, until)}

    def admits(self, path: str, query: Mapping[str, str], now_s: float) -> bool:
        """Return whether a request has a valid ticket for what it asks for."""
        stream, until = query.get("stream", ""), query.get("until", "")
        if path != "/picture" or not (until.isascii() and until.isdecimal()) or len(until) > _MAX_DIGITS:
            return False
        if not now_s < int(until) <= now_s + 2 * THRESHOLDS.ticket_s:
            return False
        return hmac.compare_digest(query.get("ticket", "").encode(), self._sign(stream, until).encode())

    def _sign(self, stream: str, until: str) -> str:
        return hmac.new(self._key, f"{until}/{stream}".encode(), hashlib.sha256).hexdigest()
