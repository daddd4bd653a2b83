"""The page as a web application: its files, events as they come, search, the video. It only ever answers GET."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from threading import Lock
from typing import Any

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from stream_ocr import thumbnails
from stream_ocr.dashboard.guard import Guard
from stream_ocr.dashboard.history import History, Place
from stream_ocr.dashboard.searching import Search
from stream_ocr.errors import SourceError
from stream_ocr.settings import Settings
from stream_ocr.spans import Span, spans

_BEAT_S = 5.0
_LONGEST_QUERY = 200

Show = Callable[[str, Mapping[str, str]], tuple[str, bytes] | None]
"""``/live`` and ``/picture`` of a run, as of ``operation.onlook.Onlook.show``."""


@dataclass(frozen=True)
class Page:
    """What the page shows. stream: the one that the video shows; search: finds texts, the latest first.

    show: how cameras do and their latest pictures, where a run can be asked.
    """

    title: str
    history: History
    settings: Settings
    search: Search
    video: Path | None = None
    stream: str | None = None
    show: Show | None = None


def create(page: Page, *, token: str | None = None) -> Starlette:
    """The application. token: as of ``Guard``."""
    root = files("stream_ocr")
    static = Path(str(root.joinpath("dashboard", "static")))
    pictures = _Pictures(page)

    async def index(_request: Request) -> Response:
        return FileResponse(static / "index.html")

    async def look(_request: Request) -> Response:
        return FileResponse(Path(str(root.joinpath("look.css"))))

    async def about(_request: Request) -> Response:
        given = {"video": page.video is not None, "cameras": page.show is not None}
        return JSONResponse({"title": page.title, "stream": page.stream, **given})

    async def events(request: Request) -> Response:
        place = Place.parse(request.headers.get("last-event-id") or request.query_params.get("after", ""))
        return StreamingResponse(_told(page.history, place), media_type="text/event-stream")

    def search(request: Request) -> Response:
        wanted = request.query_params.get("q", "")[:_LONGEST_QUERY].strip()
        found = page.search(wanted) if wanted else ()
        return JSONResponse([_result(span) for span in found])

    def thumbnail(request: Request) -> Response:
        try:
            key = request.query_params["stream"], int(request.query_params["track"])
            data = pictures.of(*key, float(request.query_params["start"]))
        except (KeyError, ValueError):
            return PlainTextResponse("Name stream, track and start.\n", 400)
        if data is None:
            return PlainTextResponse("There is no picture of it.\n", 404)
        return Response(data, media_type="image/jpeg", headers={"Cache-Control": "private, max-age=3600"})

    def shown(request: Request) -> Response:
        answer = page.show(f"/{request.path_params['what']}", request.query_params) if page.show else None
        if answer is None:
            return PlainTextResponse("There is nothing to be seen.\n", 404)
        return Response(answer[1], media_type=answer[0])

    async def video(_request: Request) -> Response:
        return FileResponse(page.video) if page.video else PlainTextResponse("There is no video.\n", 404)

    return Starlette(
        routes=[
            Route("/", index),
            Route("/api/about", about),
            Route("/api/events", events),
            Route("/api/search", search),
            Route("/api/thumbnail", thumbnail),
            Route("/api/shown/{what}", shown),
            Route("/video", video),
            Route("/static/look.css", look),
            Mount("/static", StaticFiles(directory=static)),
        ],
        middleware=[Middleware(Guard, token=token)],
    )


async def _told(history: History, place: Place) -> AsyncIterator[bytes]:
    """Server-sent events: ``restart`` when the viewer must forget, ``events`` as a JSON array, ``beat`` in between."""
    with history.listening() as news:
        yield b"retry: 500\n\n"
        while not history.closed:
            news.clear()
            place, lines, restart = history.after(place)
            if restart:
                yield f"id: {place.epoch}-{place.next - len(lines)}\nevent: restart\ndata: {{}}\n\n".encode()
            if lines:
                yield b"id: %s\nevent: events\ndata: [%s]\n\n" % (str(place).encode(), b",".join(lines))
                continue
            try:
                await asyncio.wait_for(news.wait(), _BEAT_S)
            except TimeoutError:
                yield b"event: beat\ndata: {}\n\n"


def _result(span: Span) -> dict[str, Any]:
    return {
        "stream": span.stream,
        "track": span.track,
        "text": span.text,
        "confidence": span.confidence,
        "start": span.start,
        "end": span.end,
    }


class _Pictures:
    """Small pictures of texts out of the video, one at a time, the latest kept."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self._lock = Lock()
        self._made = lru_cache(maxsize=512)(self._make)

    def of(self, stream: str, track: int, start: float) -> bytes | None:
        """A JPEG, or None where there is none to be had."""
        if self._page.video is None:
            return None
        with self._lock:
            return self._made(stream, track, start)

    def _make(self, stream: str, track: int, start: float) -> bytes | None:
        assert self._page.video is not None
        for span in spans(self._page.history.events()):
            if (span.stream, span.track) == (stream, track) and abs(span.start - start) < 1e-6:
                try:
                    return thumbnails.of_span(self._page.video, span, self._page.settings.decode)
                except SourceError:
                    return None
        return None
