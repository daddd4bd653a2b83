"""Named fields for other programs: as JSON over HTTP and WebSocket, and as a page for the browser source of OBS."""

import asyncio

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.websockets import WebSocket, WebSocketDisconnect

from stream_ocr.viz.dashboard.event_buffer import EventBuffer
from stream_ocr.viz.thresholds import DASHBOARD


class FieldEndpoints:
    """Answers about the fields of a buffer."""

    def __init__(self, buffer: EventBuffer) -> None:
        self._buffer = buffer

    async def latest(self, _request: Request) -> Response:
        """Return all fields by stream and name."""
        return Response(self._encode(), media_type="application/json")

    async def follow(self, socket: WebSocket) -> None:
        """Send all fields at once, and again whenever one has changed. What the client sends is ignored."""
        await socket.accept()
        listening = asyncio.create_task(_listen(socket))
        try:
            with self._buffer.subscribe() as changed:
                sent = b""
                while not self._buffer.closed and not listening.done():
                    changed.clear()
                    if (fields := self._encode()) != sent:
                        await socket.send_text(fields.decode())
                        sent = fields
                    waiting = asyncio.create_task(changed.wait())
                    await asyncio.wait(
                        (waiting, listening), timeout=DASHBOARD.heartbeat_s, return_when=asyncio.FIRST_COMPLETED
                    )
                    waiting.cancel()
        except WebSocketDisconnect:
            return
        finally:
            listening.cancel()
        if not listening.done() or not listening.cancelled():
            await _close(socket)

    def _encode(self) -> bytes:
        return msgspec.json.encode(self._buffer.fields.values)


async def _listen(socket: WebSocket) -> None:
    """Return once the client has gone."""
    try:
        while True:
            await socket.receive_text()
    except (WebSocketDisconnect, KeyError):  # KeyError: it sent bytes
        return


async def _close(socket: WebSocket) -> None:
    if socket.client_state.name == "CONNECTED" and socket.application_state.name == "CONNECTED":
        await socket.close()
