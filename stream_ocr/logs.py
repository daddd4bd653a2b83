"""Loggers that import structlog with their first line: the import takes 45 ms, and most runs log nothing."""

import sys
import threading
from collections.abc import Callable
from typing import Any

_pending: list[Callable[[], None]] = []
"""The configuration that is applied when structlog is imported, if any."""
_lock = threading.Lock()


class Logger:
    """Logs lines with structlog: an event and its values."""

    def __init__(self, name: str) -> None:
        self._name = name

    def info(self, event: str, **values: Any) -> None:
        """Log a line of level ``info``."""
        self._log("info", event, values)

    def warning(self, event: str, **values: Any) -> None:
        """Log a line of level ``warning``."""
        self._log("warning", event, values)

    def error(self, event: str, **values: Any) -> None:
        """Log a line of level ``error``."""
        self._log("error", event, values)

    def exception(self, event: str, **values: Any) -> None:
        """Log a line of level ``error`` with the traceback of the exception that is handled."""
        self._log("exception", event, values)

    def log(self, level: int, event: str, **values: Any) -> None:
        """Log a line of a level of the module ``logging``."""
        import logging

        self._log(logging.getLevelName(level).lower(), event, values)

    def _log(self, level: str, event: str, values: dict[str, Any]) -> None:
        import structlog

        with _lock:
            while _pending:
                _pending.pop()()
        getattr(structlog.get_logger(self._name), level)(event, **values)


def get_logger(name: str) -> Logger:
    """Return the logger of a module."""
    return Logger(name)


def configure_with(configure: Callable[[], None]) -> None:
    """Configure structlog with a function, once it is imported. The last one counts."""
    with _lock:
        _pending.clear()
        if "structlog" in sys.modules:
            configure()
        else:
            _pending.append(configure)
