"""Events as lines for people and programs: as they come, and as they are found."""

import os
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

from stream_ocr.client import Subscription
from stream_ocr.client.sequencer import Since
from stream_ocr.errors import StreamOcrError, SubscribeError
from stream_ocr.events import Event, TextEvent
from stream_ocr.sinks.console import clock, printable, row
from stream_ocr.sinks.jsonl import tame
from stream_ocr.store.reader import Query, StoreReader

_SILENT_S = 3.0
_WHY_SILENT = "(has a run there socket.events? does it ask for keys?)"
_AROUND = 40  # characters shown on either side of what was found
_MEDIA = re.compile(r"(?:(?:(\d+):)?(\d+):)?(\d+(?:\.\d+)?)")

_UNSAFE = re.compile(r"[^\w.-]|^\.")  # in the name of a file

Line = Callable[[Event], str]


def as_json(event: Event) -> str:
    """One line of JSON; on a terminal it cannot act there."""
    line = event.to_json()
    return (tame(line) if sys.stdout.isatty() else line).decode()


def as_row(event: Event) -> str:
    """One line to read, with the stream that it is of."""
    return f"{printable(event.stream)}  {row(event)}"


def follow(
    subscription: Subscription, line: Line, *, command: str | None = None, count: int | None = None, endpoint: str = ""
) -> None:
    """Write a line for every event until there were ``count``, or hand it to a command.

    command: started for every event, without a shell, with the event as JSON on its standard input.
    """
    program = None if command is None else shlex.split(command)
    left, silent_s = count, time.monotonic() + _SILENT_S
    with _until_nobody_listens():
        while left is None or left > 0:
            event = subscription.receive(0.5)
            if event is not None:
                _write(line(event)) if program is None else _hand_over(program, event)
                left = None if left is None else left - 1
            elif not subscription.connected and time.monotonic() > silent_s:
                sys.stderr.write(f"nothing is heard from {endpoint} yet; waiting {_WHY_SILENT}\n")
                silent_s = float("inf")


def search(path: Path, query: Query, *, json: bool, crops: Path | None = None) -> int:
    """Write what is found, the latest first; how much that is. Raises StoreError.

    crops: a folder that gets the pictures which the texts were read from, as STREAM-SEQ.webp.
    """
    found = 0
    with StoreReader(path) as store, _until_nobody_listens():
        store.require(query.streams)
        for event in store.search(query):
            _write(as_json(event) if json else _found(event, query))
            found += 1
            if crops is not None and (crop := store.crop(event.stream, event.seq)) is not None:
                _save(crops / f"{_UNSAFE.sub('_', event.stream)}-{event.seq}.webp", crop)
    return found


def since(text: str) -> Since:
    """``now``, ``start``, ``snapshot``, a ``seq``, or a time. Raises SubscribeError."""
    if text in ("now", "start", "snapshot"):
        return cast(Since, text)
    if text.isdecimal():
        return int(text)
    moment = _datetime(text)
    if moment is None:
        raise SubscribeError(f"{text!r} is no place to begin; use now, start, snapshot, a seq, or a time of ISO 8601.")
    return moment


def query(text: str, *, streams: list[str], from_: str | None, to: str | None, fuzzy: bool, limit: int) -> Query:
    """What to search for. Times are dates of ISO 8601 or media seconds. Raises StreamOcrError."""
    (since_utc, since_s), (until_utc, until_s) = _time(from_), _time(to)
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


def _save(path: Path, picture: bytes) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(picture)
    except OSError as error:
        raise StreamOcrError(f"{path} cannot be written: {error.strerror}.") from error


def _write(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


@contextmanager
def _until_nobody_listens() -> Iterator[None]:
    """Ctrl-C, and a pipe that was closed at its other end, are good ends."""
    try:
        yield
    except KeyboardInterrupt:
        pass
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for what is flushed at the end


def _hand_over(program: list[str], event: Event) -> None:
    try:
        ended = subprocess.run(program, input=event.to_json() + b"\n", check=False)
    except OSError as error:
        raise SubscribeError(f"{program[0]} cannot be started: {error.strerror}.") from error
    if ended.returncode:
        sys.stderr.write(
            f"{program[0]} ended with {ended.returncode} at event {event.seq} of {printable(event.stream)}\n"
        )


def _found(event: TextEvent, query: Query) -> str:
    when = "" if event.emitted_utc is None else f"{event.emitted_utc.astimezone(UTC):%Y-%m-%d %H:%M:%SZ}  "
    return f"{when}{printable(event.stream)}  {clock(event.start)}  {_snippet(event.text, query.text)}"


def _snippet(text: str, sought: str) -> str:
    """The text around what was found, safe to show, marked where there is a terminal to show it on."""
    at = text.lower().find(sought.lower())
    if at < 0:
        return printable(text)
    end = at + len(sought)
    before, after = text[max(0, at - _AROUND) : at], text[end : end + _AROUND]
    found = printable(text[at:end])
    if sys.stdout.isatty():
        found = f"\x1b[1m{found}\x1b[0m"
    return "".join(
        [
            "…" if at > _AROUND else "",
            printable(before),
            found,
            printable(after),
            "…" if len(text) > end + _AROUND else "",
        ]
    )


def _time(text: str | None) -> tuple[datetime | None, float | None]:
    """A time of day, or of the media: 83.5, 1:23.5 or 0:01:23.5."""
    if text is None:
        return None, None
    media = _MEDIA.fullmatch(text)
    if media:
        hours, minutes, seconds = (float(part or 0) for part in media.groups())
        return None, hours * 3600 + minutes * 60 + seconds
    moment = _datetime(text)
    if moment is None:
        raise StreamOcrError(
            f"{text!r} is no time; write 2026-11-21T14:00 for one of the day, 1:23.5 for one of the media."
        )
    return moment, None


def _datetime(text: str) -> datetime | None:
    """A time of ISO 8601; one without a zone is of here."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.astimezone()
