"""Endpoints of past texts: a page of those of a day, their number by hour, all as CSV, and those at a moment."""

import asyncio
import csv
import io
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TypeVar

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse

from stream_ocr.events.visible import VisibleText, visible_text
from stream_ocr.sinks.csv import escape_formula
from stream_ocr.store.moment import texts_at
from stream_ocr.store.reader import StoreReader
from stream_ocr.viz.dashboard.context import PageContext
from stream_ocr.viz.dashboard.day import DayPage, DayQuery, DayText, count_hours, read_page
from stream_ocr.viz.dashboard.history_sources import HistorySource, open_history
from stream_ocr.viz.thresholds import DASHBOARD

Answer = TypeVar("Answer")

_HEADER = ("stream", "track", "start_utc", "end_utc", "duration_s", "text", "confidence")
_MAX_DIGITS = 15  # of a position in a query


class DayEndpoints:
    """Answers about the store of a run, or else its buffer. One answer is made at a time, which bounds memory."""

    def __init__(self, page: PageContext) -> None:
        self._page = page
        self._turn = asyncio.Lock()  # who waits for it needs no thread

    async def texts(self, request: Request) -> Response:
        """Return the next page of texts."""
        return await self._json(request, read_page)

    async def hours(self, request: Request) -> Response:
        """Return how many texts appeared in each hour."""
        return await self._json(request, count_hours)

    async def table(self, request: Request) -> Response:
        """Return all texts as CSV."""
        query = _parse(request)
        if isinstance(query, str):
            return PlainTextResponse(query, 400)
        first = await self._answer(query, read_page)  # so that a store that cannot be read is an error
        name = f"texts-{query.since:%Y-%m-%dT%H%M}Z.csv"
        headers = {"Content-Disposition": f'attachment; filename="{name}"'}
        return StreamingResponse(self._rows(query, first), media_type="text/csv; charset=utf-8", headers=headers)

    async def at(self, request: Request) -> Response:
        """Return the texts that were on the screen at a time, by stream."""
        path, stream = self._page.settings.store.path, request.query_params.get("stream")
        try:
            moment = _time(request.query_params.get("time", ""))
        except (ValueError, OverflowError):
            return PlainTextResponse("time is a time with a zone, such as 2026-03-29T12:00:00Z.\n", 400)
        if path is None:
            return PlainTextResponse("There is no store of past texts; set store.path.\n", 404)

        def answer() -> bytes:
            found: dict[str, list[VisibleText]] = {}
            with StoreReader(path) as store:
                for event in texts_at(store, moment, [stream] if stream else ()):
                    found.setdefault(event.stream, []).append(visible_text(event))
            return msgspec.json.encode(found)

        async with self._turn:
            return Response(await run_in_threadpool(answer), media_type="application/json")

    async def _json(self, request: Request, make: Callable[[HistorySource, DayQuery], msgspec.Struct]) -> Response:
        query = _parse(request)
        if isinstance(query, str):
            return PlainTextResponse(query, 400)
        return Response(msgspec.json.encode(await self._answer(query, make)), media_type="application/json")

    async def _answer(self, query: DayQuery, make: Callable[[HistorySource, DayQuery], Answer]) -> Answer:
        def answer() -> Answer:
            with open_history(self._page.settings, self._page.buffer) as source:
                return make(source, query)

        async with self._turn:
            return await run_in_threadpool(answer)

    async def _rows(self, query: DayQuery, page: DayPage) -> AsyncIterator[str]:
        yield _csv([_HEADER])
        while True:
            yield _csv([_row(text) for text in page.texts])
            if page.next is None:
                return
            page = await self._answer(replace(query, after=page.next), read_page)


def _parse(request: Request) -> DayQuery | str:
    """Return the query of a request, the last 24 hours by default, or a sentence about what is wrong with it."""
    given = request.query_params
    try:
        until = _time(given["until"]) if "until" in given else datetime.now(UTC)
        since = _time(given["since"]) if "since" in given else until - timedelta(days=1)
    except (ValueError, OverflowError):
        return "since and until are times with a zone, such as 2026-03-29T00:00:00Z.\n"
    after = given.get("after", "")
    if after and not (after.isascii() and after.isdecimal() and len(after) <= _MAX_DIGITS):
        return "after is the number that the last answer gave as next.\n"
    text = given.get("q", "")[: DASHBOARD.max_query_chars].strip()
    return DayQuery(since, until, given.get("stream") or None, text, int(after) if after else -1)


def _time(text: str) -> datetime:
    """Parse a time with a zone. Raises ValueError, and OverflowError for years that have no UTC."""
    time = datetime.fromisoformat(text)
    if time.tzinfo is None:
        raise ValueError(text)
    utc = time.astimezone(UTC)
    if not _EARLIEST <= utc <= _LATEST:
        raise OverflowError(text)
    return utc


_EARLIEST, _LATEST = datetime(1970, 1, 1, tzinfo=UTC), datetime(9000, 1, 1, tzinfo=UTC)


def _row(text: DayText) -> tuple[object, ...]:
    end = text.end_utc
    return (
        escape_formula(text.stream),
        text.track,
        text.start_utc.isoformat(timespec="milliseconds"),
        "" if end is None else end.isoformat(timespec="milliseconds"),
        "" if text.end is None else round(text.end - text.start, 3),
        escape_formula(text.text),
        text.confidence,
    )


def _csv(rows: list[tuple[object, ...]]) -> str:
    file = io.StringIO(newline="")
    csv.writer(file).writerows(rows)
    return file.getvalue()
