"""Named fields for other programs: as JSON over HTTP and WebSocket, and as a page for the browser source of OBS."""

import asyncio
from contextlib import suppress

from starlette.requests import Request
from starlette.responses import Response
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from stream_ocr.viz.dashboard.event_buffer import EventBuffer


class FieldEndpoints:
    """Answers about the fields of a buffer."""

    def __init__(self, buffer: EventBuffer) -> None:
        self._buffer = buffer

    async def latest(self, _request: Request) -> Response:
        """Return all fields by stream and name."""
        return Response(self._buffer.fields_json(), media_type="application/json")

    async def follow(self, socket: WebSocket) -> None:
        """Send all fields at once, and again whenever one has changed. What the client sends is ignored."""
        await socket.accept()
        listening = asyncio.create_task(_listen(socket))
        with suppress(WebSocketDisconnect), self._buffer.subscribe() as changed:
            sent = b""
            while not self._buffer.closed and not listening.done():
                changed.clear()
                if (fields := self._buffer.fields_json()) != sent:
                    await socket.send_text(fields.decode())
                    sent = fields
                waiting = asyncio.create_task(changed.wait())
                await asyncio.wait((waiting, listening), return_when=asyncio.FIRST_COMPLETED)
                waiting.cancel()
        listening.cancel()
        if socket.client_state is WebSocketState.CONNECTED:
            await socket.close()


async def _listen(socket: WebSocket) -> None:
    """Return once the client has gone."""
    while (await socket.receive())["type"] != "websocket.disconnect":
        pass
