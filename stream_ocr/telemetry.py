"""Structured logs on standard error: for people on a terminal, JSON lines otherwise."""

import logging
import sys
from typing import Any

import structlog

from stream_ocr.settings import Logs


def configure(logs: Logs, **context: str) -> None:
    """Set up the logs of this process. ``context``, such as stage and worker, is said with every line."""
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
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[logs.level.upper()]),
        logger_factory=_to_stderr,
        cache_logger_on_first_use=False,
    )


def _to_stderr(*_names: str) -> structlog.WriteLogger:
    # Looked up for every line: a progress bar takes the place of sys.stderr while it is shown.
    return structlog.WriteLogger(sys.stderr)
