"""Corrections by the user: replacements in recognised texts, and texts that are not reported."""

import time
from functools import lru_cache
from typing import TYPE_CHECKING

from stream_ocr.config.base import compile_regex
from stream_ocr.config.reporting import EventSettings
from stream_ocr.logs import get_logger
from stream_ocr.readings.thresholds import CORRECTIONS

if TYPE_CHECKING:
    from regex import Pattern

log = get_logger(__name__)

Text = tuple[str, tuple[float, ...]]
"""A text and the confidence of each of its characters."""


class Corrections:
    """Applies ``replacements`` and ``ignore`` of the settings. A text that takes too long to match stays as it is."""

    def __init__(self, settings: EventSettings) -> None:
        self._replacements = [(compile_regex(each.regex), each.text) for each in settings.replacements]
        self._ignored = [compile_regex(pattern) for pattern in settings.ignore]
        self._reported = False
        self._cached = lru_cache(CORRECTIONS.cached_texts)(self._correct)

    def correct(self, text: str, char_confidences: tuple[float, ...]) -> Text:
        """Return a text with all replacements; what is put in is as sure as the least sure character it replaces."""
        return self._cached((text, char_confidences)) if self._replacements else (text, char_confidences)

    def ignores(self, text: str) -> bool:
        """Return True if a text is not reported."""
        try:
            return any(each.fullmatch(text, timeout=CORRECTIONS.timeout_s) for each in self._ignored)
        except TimeoutError:
            self._report_timeout()
            return False

    def _correct(self, given: Text) -> Text:
        until_s, corrected = time.thread_time() + CORRECTIONS.timeout_s, given
        try:
            for pattern, replacement in self._replacements:
                corrected = _replaced(corrected, pattern, replacement, until_s - time.thread_time())
        except TimeoutError:
            self._report_timeout()
            return given
        return _stripped(corrected)

    def _report_timeout(self) -> None:
        if not self._reported:
            log.warning("texts are not corrected: replacements or ignore take too long")
        self._reported = True


def _replaced(given: Text, pattern: "Pattern", replacement: str, timeout_s: float) -> Text:
    """Return a text with every match of a pattern replaced. Raise TimeoutError."""
    text, confidences = given
    parts: list[str] = []
    sure: list[float] = []
    end = 0
    for match in pattern.finditer(text, timeout=max(timeout_s, 0.001)):
        new = match.expand(replacement)
        replaced = confidences[match.start() : match.end()] or confidences[max(match.start() - 1, 0) : match.end() + 1]
        parts += [text[end : match.start()], new]
        sure += [*confidences[end : match.start()], *[min(replaced, default=1.0)] * len(new)]
        end = match.end()
    return "".join([*parts, text[end:]]), (*sure, *confidences[end:])


def _stripped(given: Text) -> Text:
    text, confidences = given
    start = len(text) - len(text.lstrip())
    return text.strip(), confidences[start : start + len(text.strip())]
