"""Image endpoints of the dashboard: thumbnails of a video, stored crops, camera previews."""

from functools import lru_cache
from threading import Lock

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response

from stream_ocr.errors import SourceError
from stream_ocr.events.spans import build_spans
from stream_ocr.viz import thumbnails
from stream_ocr.viz.dashboard.context import PageContext
from stream_ocr.viz.dashboard.search import read_crop
from stream_ocr.viz.thresholds import DASHBOARD, TIME_RESOLUTION_S

_MAX_DIGITS = 15  # of a sequence number in a query


class ImageEndpoints:
    """Handles image requests. Thumbnails are made one at a time; the latest are cached."""

    def __init__(self, page: PageContext) -> None:
        self._page = page
        self._lock = Lock()
        self._cached = lru_cache(maxsize=DASHBOARD.max_cached_thumbnails)(self._thumbnail)

    def thumbnail(self, request: Request) -> Response:
        """Return a thumbnail of a text, taken from the video."""
        try:
            key = request.query_params["stream"], int(request.query_params["track"])
            start = float(request.query_params["start"])
        except (KeyError, ValueError):
            return PlainTextResponse("The query needs stream, track and start.\n", 400)
        if self._page.video is None:
            return _not_found()
        with self._lock:
            data = self._cached(*key, start)
        if data is None:
            return _not_found()
        return Response(data, media_type="image/jpeg", headers={"Cache-Control": "private, max-age=3600"})

    def crop(self, request: Request) -> Response:
        """Return the stored crop that a text was read from: of the first of some events that has one."""
        store, seqs = self._page.settings.store.path, request.query_params.getlist("seq")[: DASHBOARD.max_crop_events]
        if store is None or not all(seq.isdecimal() and len(seq) <= _MAX_DIGITS for seq in seqs):
            return _not_found()
        data = read_crop(store, request.query_params.get("stream", ""), [int(seq) for seq in seqs])
        return Response(data, media_type="image/webp") if data else _not_found()

    def preview(self, request: Request) -> Response:
        """Return the status or a camera image of a run. The images of many hosts come from these themselves."""
        preview, name, hosts = self._page.preview, request.path_params["name"], self._page.hosts
        if hosts is not None and name == "live":
            return JSONResponse(hosts.status())
        if hosts is not None and name == "picture":
            query = request.query_params
            url = hosts.picture_url(query.get("stream", ""), query.get("width", ""))
            return RedirectResponse(url, 307) if url else _not_found()
        found = preview(f"/{name}", request.query_params) if preview else None
        return Response(found[1], media_type=found[0]) if found else _not_found()

    def _thumbnail(self, stream: str, track: int, start: float) -> bytes | None:
        assert self._page.video is not None
        for span in build_spans(self._page.buffer.events()):
            if (span.stream, span.track) == (stream, track) and abs(span.start - start) < TIME_RESOLUTION_S:
                try:
                    return thumbnails.span_thumbnail(self._page.video, span, self._page.settings.decode)
                except SourceError:
                    return None
        return None


def _not_found() -> Response:
    return PlainTextResponse("There is no such image.\n", 404)
