"""The page as a web application: its files, events as they come, search, the video. It only ever answers GET."""

import asyncio
from collections.abc import AsyncIterator
from importlib.resources import files
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from stream_ocr.viz.dashboard.auth import AuthMiddleware
from stream_ocr.viz.dashboard.context import PageContext
from stream_ocr.viz.dashboard.event_buffer import EventBuffer, EventPosition
from stream_ocr.viz.dashboard.images import Pictures
from stream_ocr.viz.dashboard.search import Found

_BEAT_S = 5.0
_LONGEST_QUERY = 200


def create(page: PageContext, *, token: str | None = None) -> Starlette:
    """The application. token: as of ``AuthMiddleware``."""
    root = files("stream_ocr.viz")
    static = Path(str(root.joinpath("dashboard", "static")))
    pictures = Pictures(page)

    async def index(_request: Request) -> Response:
        return FileResponse(static / "index.html")

    async def theme(_request: Request) -> Response:
        return FileResponse(Path(str(root.joinpath("theme.css"))))

    async def about(_request: Request) -> Response:
        given = {"video": page.video is not None, "cameras": page.show is not None}
        return JSONResponse({"title": page.title, "stream": page.stream, **given})

    async def events(request: Request) -> Response:
        place = EventPosition.parse(request.headers.get("last-event-id") or request.query_params.get("after", ""))
        return StreamingResponse(_told(page.history, place), media_type="text/event-stream")

    def search(request: Request) -> Response:
        wanted = request.query_params.get("q", "")[:_LONGEST_QUERY].strip()
        found = page.search(wanted) if wanted else ()
        return JSONResponse([_result(each) for each in found])

    async def video(_request: Request) -> Response:
        return FileResponse(page.video) if page.video else PlainTextResponse("There is no video.\n", 404)

    return Starlette(
        routes=[
            Route("/", index),
            Route("/api/about", about),
            Route("/api/events", events),
            Route("/api/search", search),
            Route("/api/thumbnail", pictures.thumbnail),
            Route("/api/evidence", pictures.evidence),
            Route("/api/shown/{what}", pictures.shown),
            Route("/video", video),
            Route("/static/theme.css", theme),
            Mount("/static", StaticFiles(directory=static)),
        ],
        middleware=[Middleware(AuthMiddleware, token=token)],
    )


async def _told(history: EventBuffer, place: EventPosition) -> AsyncIterator[bytes]:
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


def _result(found: Found) -> dict[str, Any]:
    span = found.span
    return {
        "stream": span.stream,
        "track": span.track,
        "text": span.text,
        "confidence": span.confidence,
        "start": span.start,
        "end": span.end,
        "start_utc": found.utc and found.utc.isoformat(),
        "evidence": found.evidence,
    }
