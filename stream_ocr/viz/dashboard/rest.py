"""Events for programs that speak HTTP only: those after a position, the texts on the screen, and a description."""

from importlib.resources import files

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from stream_ocr.viz.dashboard.event_buffer import EventBuffer, EventPosition


class RestEndpoints:
    """Answers about the events of a buffer."""

    def __init__(self, buffer: EventBuffer) -> None:
        self._buffer = buffer

    async def events(self, request: Request) -> Response:
        """Return the events after a position, and the position to ask for next."""
        position = EventPosition.parse(request.query_params.get("after", ""))
        reached, lines, restart = self._buffer.read_after(position)
        head = msgspec.json.encode({"next": str(reached), "restart": restart})
        return Response(b'%s,"events":[%s]}' % (head[:-1], b",".join(lines)), media_type="application/json")

    async def texts_now(self, request: Request) -> Response:
        """Return the texts on the screen, by stream."""
        states, stream = self._buffer.visible(), request.query_params.get("stream")
        found = {name: state.texts for name, state in states.items() if stream in (None, name)}
        return Response(msgspec.json.encode(found), media_type="application/json")

    async def description(self, _request: Request) -> Response:
        """Return the OpenAPI document of all that programs may use."""
        document = files("stream_ocr.viz").joinpath("dashboard", "static", "openapi.json").read_bytes()
        return Response(document, media_type="application/json")
