"""The dashboard as an ASGI application: static files, an event stream, search, the video.

It only answers GET, but for the areas of cameras (``area_endpoints``).
"""

import asyncio
from collections.abc import AsyncIterator
from importlib.resources import files
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles

from stream_ocr.errors import StreamOcrError
from stream_ocr.viz.dashboard.area_endpoints import AreaEndpoints
from stream_ocr.viz.dashboard.auth import AuthMiddleware
from stream_ocr.viz.dashboard.context import PageContext
from stream_ocr.viz.dashboard.day_endpoints import DayEndpoints
from stream_ocr.viz.dashboard.event_buffer import EventBuffer, EventPosition
from stream_ocr.viz.dashboard.field_endpoints import FieldEndpoints
from stream_ocr.viz.dashboard.images import ImageEndpoints
from stream_ocr.viz.dashboard.rest import RestEndpoints
from stream_ocr.viz.dashboard.search import SearchResult
from stream_ocr.viz.thresholds import DASHBOARD


def create_app(page: PageContext, *, token: str | None = None) -> Starlette:
    """Return the application. token: see ``AuthMiddleware``."""
    root = files("stream_ocr.viz")
    static = Path(str(root.joinpath("dashboard", "static")))
    images, fields = ImageEndpoints(page), FieldEndpoints(page.buffer)
    rest, areas = RestEndpoints(page.buffer), AreaEndpoints(page.editor)
    day = DayEndpoints(page)
    origins = tuple if page.hosts is None else page.hosts.picture_origins

    async def index(_request: Request) -> Response:
        return FileResponse(static / "index.html")

    async def fields_page(_request: Request) -> Response:
        return FileResponse(static / "fields.html")

    async def theme(_request: Request) -> Response:
        return FileResponse(Path(str(root.joinpath("theme.css"))))

    async def about(_request: Request) -> Response:
        has_cameras = page.preview is not None or page.hosts is not None
        available = {
            "video": page.video is not None,
            "cameras": has_cameras,
            "edit": page.editor is not None,
            "crops": page.settings.store.path is not None,
        }
        return JSONResponse({"title": page.title, "stream": page.stream, **available})

    async def events(request: Request) -> Response:
        position = EventPosition.parse(request.headers.get("last-event-id") or request.query_params.get("after", ""))
        return StreamingResponse(_event_stream(page.buffer, position), media_type="text/event-stream")

    def search(request: Request) -> Response:
        query = request.query_params.get("q", "")[: DASHBOARD.max_query_chars].strip()
        return JSONResponse([_to_json(result) for result in (page.search(query) if query else ())])

    async def video(_request: Request) -> Response:
        return FileResponse(page.video) if page.video else PlainTextResponse("There is no video.\n", 404)

    return Starlette(
        routes=[
            Route("/", index),
            Route("/api/about", about),
            Route("/api/events", events),
            Route("/api/search", search),
            Route("/api/thumbnail", images.thumbnail),
            Route("/api/crop", images.crop),
            Route("/api/preview/{name}", images.preview),
            Route("/api/openapi.json", rest.description),
            Route("/api/events.json", rest.events),
            Route("/api/texts/now", rest.texts_now),
            Route("/api/texts/at", day.at),
            Route("/api/texts", day.texts),
            Route("/api/texts/hours", day.hours),
            Route("/api/texts.csv", day.table),
            Route("/fields", fields_page),
            Route("/api/fields", fields.latest),
            WebSocketRoute("/api/fields/ws", fields.follow),
            Route("/api/areas", areas.describe),
            Route("/api/areas/{camera}", areas.save, methods=["PUT"]),
            Route("/video", video),
            Route("/static/theme.css", theme),
            Mount("/static", StaticFiles(directory=static)),
        ],
        middleware=[Middleware(AuthMiddleware, token=token, picture_origins=origins)],
        exception_handlers={StreamOcrError: _on_failure},
    )


async def _on_failure(_request: Request, error: Exception) -> Response:
    """Answer with the sentence, as when the store has been removed."""
    return PlainTextResponse(f"{error}\n", 503)


async def _event_stream(buffer: EventBuffer, position: EventPosition) -> AsyncIterator[bytes]:
    """Yield server-sent events (WHATWG HTML, section 9.2).

    ``restart``: the viewer must discard its events. ``events``: a JSON array. ``heartbeat``: sent during silence.
    """
    with buffer.subscribe() as changed:
        yield b"retry: 500\n\n"
        while not buffer.closed:
            changed.clear()
            position, lines, restart = buffer.read_after(position)
            if restart:
                yield f"id: {position.epoch}-{position.next - len(lines)}\nevent: restart\ndata: {{}}\n\n".encode()
            if lines:
                yield b"id: %s\nevent: events\ndata: [%s]\n\n" % (str(position).encode(), b",".join(lines))
                continue
            try:
                await asyncio.wait_for(changed.wait(), DASHBOARD.heartbeat_s)
            except TimeoutError:
                yield b"event: heartbeat\ndata: {}\n\n"


def _to_json(result: SearchResult) -> dict[str, Any]:
    span = result.span
    return {
        "stream": span.stream,
        "track": span.track,
        "text": span.text,
        "confidence": span.confidence,
        "start": span.start,
        "end": span.end,
        "start_utc": result.utc and result.utc.isoformat(),
        "crop_seq": result.crop_seq,
    }
