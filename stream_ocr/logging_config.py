"""Structured logs on standard error: for people on a terminal, JSON lines otherwise."""

import logging
import sys
from typing import Any

import structlog

from stream_ocr.config.settings import Settings
from stream_ocr.config.urls import Scrubber


def configure(settings: Settings, **context: str) -> None:
    """Set up the logs of this process. ``context``, such as stage and worker, is said with every line.

    Passwords of sources are left out of every line.
    """
    logs, scrub = settings.logs, settings.scrubber
    for_people = logs.style == "console" or (logs.style == "auto" and sys.stderr.isatty())
    renderer: Any = (
        structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
        if for_people
        else structlog.processors.JSONRenderer(ensure_ascii=False)
    )
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(**context)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            lambda _logger, _method, line: _clean(line, scrub),
            renderer,
            lambda _logger, _method, text: scrub(str(text)),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[logs.level.upper()]),
        logger_factory=_to_stderr,
        cache_logger_on_first_use=False,
    )


def _to_stderr(*_names: str) -> structlog.WriteLogger:
    # Looked up for every line: a progress bar takes the place of sys.stderr while it is shown.
    return structlog.WriteLogger(sys.stderr)


def _clean(value: Any, scrub: Scrubber) -> Any:
    """What is to be said without its secrets; before it is written down, which would disguise them."""
    if isinstance(value, str):
        return scrub(value)
    if isinstance(value, dict):
        return {_clean(key, scrub): _clean(inner, scrub) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_clean(inner, scrub) for inner in value]
    if value is None or isinstance(value, int | float):
        return value
    return scrub(f"{type(value).__name__}: {value}" if isinstance(value, BaseException) else str(value))
