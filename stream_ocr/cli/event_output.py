"""Output of ``subscribe`` and ``search``: events as lines for people or programs."""

import os
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from datetime import time as clock_time
from itertools import islice
from pathlib import Path
from typing import cast

from stream_ocr.cli.thresholds import THRESHOLDS
from stream_ocr.client import Subscription
from stream_ocr.client.sequencer import Since
from stream_ocr.errors import StreamOcrError, SubscribeError
from stream_ocr.events import Event, TextEvent
from stream_ocr.sinks.console import escape_unprintable, format_event, format_time
from stream_ocr.sinks.jsonl import escape_json
from stream_ocr.store.moment import texts_at
from stream_ocr.store.reader import Query, StoreReader

_SILENCE_HINT = "(is socket.events set in that run? does it require keys?)"
_MEDIA_TIME = re.compile(r"(?:(?:(\d+):)?(\d+):)?(\d+(?:\.\d+)?)")
_UNSAFE = re.compile(r"[^\w.-]|^\.")  # in file names

FormatEvent = Callable[[Event], str]


def format_json(event: Event) -> str:
    """Return one line of JSON, with control characters escaped if it goes to a terminal."""
    line = event.to_json()
    return (escape_json(line) if sys.stdout.isatty() else line).decode()


def format_row(event: Event) -> str:
    """Return a readable line with the name of the stream."""
    return f"{escape_unprintable(event.stream)}  {format_event(event)}"


def write_events(
    subscription: Subscription,
    format_line: FormatEvent,
    *,
    command: str | None = None,
    count: int | None = None,
    endpoint: str = "",
) -> None:
    """Print a line for every event, or run a command for it, until ``count`` events.

    command: run for every event, without a shell, with the event as JSON on its standard input.
    """
    program = None if command is None else shlex.split(command)
    left, hint_at_s = count, time.monotonic() + THRESHOLDS.silence_s
    with _exit_quietly():
        while left is None or left > 0:
            event = subscription.receive(THRESHOLDS.poll_s)
            if event is not None:
                _write(format_line(event)) if program is None else _run_program(program, event)
                left = None if left is None else left - 1
            elif not subscription.connected and time.monotonic() > hint_at_s:
                sys.stderr.write(f"no answer from {endpoint} yet; waiting {_SILENCE_HINT}\n")
                hint_at_s = float("inf")


def write_results(
    path: Path, query: Query, *, json: bool, crops: Path | None = None, moment: datetime | None = None
) -> int:
    """Print the results of a search, latest first, and return their number. Raises StoreError.

    crops: folder for the stored crops of the results, as STREAM-SEQ.webp. moment: only texts that were on the screen
    then, in the order of their streams.
    """
    found = 0
    with StoreReader(path) as store, _exit_quietly():
        store.require_streams(query.streams)
        for event in store.search(query) if moment is None else _texts_at(store, query, moment):
            _write(format_json(event) if json else _format_result(event, query))
            found += 1
            if crops is not None and (crop := store.crop(event.stream, event.seq)) is not None:
                _save(crops / f"{_UNSAFE.sub('_', event.stream)}-{event.seq}.webp", crop)
    return found


def parse_since(text: str) -> Since:
    """Parse ``now``, ``start``, ``snapshot``, a sequence number, or a time (ISO 8601). Raises SubscribeError."""
    if text in ("now", "start", "snapshot"):
        return cast(Since, text)
    if text.isdecimal():
        return int(text)
    parsed = _parse_datetime(text)
    if parsed is None:
        raise SubscribeError(
            f"{text!r} is not a position; use now, start, snapshot, a sequence number, or a time (ISO 8601)."
        )
    return parsed


def build_query(text: str, *, streams: list[str], from_: str | None, to: str | None, fuzzy: bool, limit: int) -> Query:
    """Build a query from command line options. Times are ISO 8601 or media times. Raises StreamOcrError."""
    (since_utc, since_s), (until_utc, until_s) = _parse_time(from_), _parse_time(to)
    return Query(
        text,
        streams=streams,
        since=since_utc,
        until=until_utc,
        since_s=since_s,
        until_s=until_s,
        fuzzy=fuzzy,
        limit=limit,
    )


def parse_moment(text: str) -> datetime:
    """Parse a time (ISO 8601), or a time of today such as 14:00. Raises StreamOcrError."""
    parsed = _parse_datetime(text)
    if parsed is None:
        with suppress(ValueError):
            parsed = datetime.combine(datetime.now().astimezone().date(), clock_time.fromisoformat(text)).astimezone()
    if parsed is None:
        raise StreamOcrError(f"{text!r} is not a time; write 2026-11-21T14:00, or 14:00 for today.")
    return parsed


def _texts_at(store: StoreReader, query: Query, moment: datetime) -> Iterator[TextEvent]:
    found = texts_at(store, moment, query.streams)
    return islice((event for event in found if query.text.casefold() in event.text.casefold()), query.limit)


def _save(path: Path, crop: bytes) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(crop)
    except OSError as error:
        raise StreamOcrError(f"{path} cannot be written: {error.strerror}.") from error


def _write(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


@contextmanager
def _exit_quietly() -> Iterator[None]:
    """Treat Ctrl-C and a closed pipe as a normal end."""
    try:
        yield
    except KeyboardInterrupt:
        pass
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for the final flush


def _run_program(program: list[str], event: Event) -> None:
    try:
        done = subprocess.run(program, input=event.to_json() + b"\n", check=False)
    except OSError as error:
        raise SubscribeError(f"{program[0]} cannot be started: {error.strerror}.") from error
    if done.returncode:
        sys.stderr.write(
            f"{program[0]} ended with {done.returncode} at event {event.seq} of {escape_unprintable(event.stream)}\n"
        )


def _format_result(event: TextEvent, query: Query) -> str:
    when = "" if event.emitted_utc is None else f"{event.emitted_utc.astimezone(UTC):%Y-%m-%d %H:%M:%SZ}  "
    return f"{when}{escape_unprintable(event.stream)}  {format_time(event.start)}  {_snippet(event.text, query.text)}"


def _snippet(text: str, query: str) -> str:
    """Return the text around the match, escaped; the match is bold on a terminal."""
    at = text.lower().find(query.lower())
    if at < 0:
        return escape_unprintable(text)
    end = at + len(query)
    before, after = text[max(0, at - THRESHOLDS.snippet_chars) : at], text[end : end + THRESHOLDS.snippet_chars]
    match = escape_unprintable(text[at:end])
    if sys.stdout.isatty():
        match = f"\x1b[1m{match}\x1b[0m"
    return "".join(
        [
            "…" if at > THRESHOLDS.snippet_chars else "",
            escape_unprintable(before),
            match,
            escape_unprintable(after),
            "…" if len(text) > end + THRESHOLDS.snippet_chars else "",
        ]
    )


def _parse_time(text: str | None) -> tuple[datetime | None, float | None]:
    """Parse a time (ISO 8601) or a media time: 83.5, 1:23.5 or 0:01:23.5."""
    if text is None:
        return None, None
    media = _MEDIA_TIME.fullmatch(text)
    if media:
        hours, minutes, seconds = (float(part or 0) for part in media.groups())
        return None, hours * 3600 + minutes * 60 + seconds
    parsed = _parse_datetime(text)
    if parsed is None:
        raise StreamOcrError(f"{text!r} is not a time; write 2026-11-21T14:00, or 1:23.5 for a media time.")
    return parsed, None


def _parse_datetime(text: str) -> datetime | None:
    """Parse an ISO 8601 time, local if it has no zone. Return None for anything else."""
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError:
        return None
    return parsed if parsed.tzinfo else parsed.astimezone()
