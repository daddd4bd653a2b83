"""The pictures of the page: out of the video, out of the store, of cameras as they are now."""

from functools import lru_cache
from threading import Lock

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from stream_ocr.errors import SourceError
from stream_ocr.events.spans import build_spans
from stream_ocr.viz import thumbnails
from stream_ocr.viz.dashboard.context import PageContext
from stream_ocr.viz.dashboard.search import crop_in

_MOST_DIGITS = 15


class Pictures:
    """Answers of the application. Small pictures out of the video are made one at a time, the latest kept."""

    def __init__(self, page: PageContext) -> None:
        self._page = page
        self._lock = Lock()
        self._made = lru_cache(maxsize=512)(self._make)

    def thumbnail(self, request: Request) -> Response:
        """Of a text, out of the video."""
        try:
            key = request.query_params["stream"], int(request.query_params["track"])
            start = float(request.query_params["start"])
        except (KeyError, ValueError):
            return PlainTextResponse("Name stream, track and start.\n", 400)
        if self._page.video is None:
            return _none()
        with self._lock:
            data = self._made(*key, start)
        if data is None:
            return _none()
        return Response(data, media_type="image/jpeg", headers={"Cache-Control": "private, max-age=3600"})

    def evidence(self, request: Request) -> Response:
        """Of a text, as it was kept when it was read."""
        store, seq = self._page.settings.store.path, request.query_params.get("seq", "")
        if store is None or not seq.isdecimal() or len(seq) > _MOST_DIGITS:
            return _none()
        data = crop_in(store, request.query_params.get("stream", ""), int(seq))
        return Response(data, media_type="image/webp") if data else _none()

    def shown(self, request: Request) -> Response:
        """Of a run that is looked at."""
        show, what = self._page.show, request.path_params["what"]
        answer = show(f"/{what}", request.query_params) if show else None
        return Response(answer[1], media_type=answer[0]) if answer else _none()

    def _make(self, stream: str, track: int, start: float) -> bytes | None:
        assert self._page.video is not None
        for span in build_spans(self._page.history.events()):
            if (span.stream, span.track) == (stream, track) and abs(span.start - start) < 1e-6:
                try:
                    return thumbnails.of_span(self._page.video, span, self._page.settings.decode)
                except SourceError:
                    return None
        return None


def _none() -> Response:
    return PlainTextResponse("There is no picture.\n", 404)
