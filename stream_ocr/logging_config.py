"""Structured logs on standard error: readable text on a terminal, JSON lines otherwise."""

import logging
import sys
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from stream_ocr.config.settings import Settings
from stream_ocr.config.urls import Scrubber
from stream_ocr.logs import configure_with
from stream_ocr.printable import escape_unprintable

if TYPE_CHECKING:
    from structlog import WriteLogger


def configure(settings: Settings, **context: str) -> None:
    """Configure the logs of this process. ``context``, such as stage and worker, is added to every line.

    Passwords of sources are redacted in every line.
    """
    configure_with(partial(_configure, settings, context))


def _configure(settings: Settings, context: dict[str, str]) -> None:
    import structlog  # only by the first line, see ``logs``

    logs, scrub = settings.logs, settings.scrubber
    is_console = logs.style == "console" or (logs.style == "auto" and sys.stderr.isatty())
    renderer: Any = (
        structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
        if is_console
        else structlog.processors.JSONRenderer(ensure_ascii=False)
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            lambda _logger, _method, line: {**context, **line},
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            lambda _logger, _method, line: _redact(line, _escaping(scrub) if is_console else scrub),
            renderer,
            lambda _logger, _method, text: scrub(str(text)),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[logs.level.upper()]),
        logger_factory=_to_stderr,
        cache_logger_on_first_use=False,
    )


def _to_stderr(*_names: str) -> "WriteLogger":
    import structlog

    # Looked up for every line, because a progress bar replaces sys.stderr while it is visible.
    return structlog.WriteLogger(sys.stderr)


def _escaping(scrub: Scrubber) -> Callable[[str], str]:
    """Return a scrubber that also escapes what a terminal would act on, such as in the name of a file."""
    return lambda text: "\n".join(map(escape_unprintable, scrub(text).split("\n")))


def _redact(value: Any, scrub: Callable[[str], str]) -> Any:
    """Return a value without secrets. Must run before rendering, which may escape characters of a secret."""
    if isinstance(value, str):
        return scrub(value)
    if isinstance(value, dict):
        return {_redact(key, scrub): _redact(inner, scrub) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_redact(inner, scrub) for inner in value]
    if value is None or isinstance(value, int | float):
        return value
    return scrub(f"{type(value).__name__}: {value}" if isinstance(value, BaseException) else str(value))
