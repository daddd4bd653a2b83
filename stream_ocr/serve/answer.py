"""The answer to a request: a document, or events while they are read."""

from http import HTTPStatus

import msgspec
from starlette.types import Send

from stream_ocr.serve.errors import Refused
from stream_ocr.serve.messages import Document

EVENT_STREAM = "text/event-stream"
_JSON_LINES = "application/x-ndjson"


class Answer:
    """Writes the answer of one request. as_event_stream: events as server-sent events, not as JSON lines."""

    def __init__(self, send: Send, *, as_event_stream: bool) -> None:
        self._send, self._as_event_stream = send, as_event_stream
        self._has_begun = False

    async def begin_events(self) -> None:
        """Begin an answer of events."""
        await self._begin(HTTPStatus.OK, EVENT_STREAM if self._as_event_stream else _JSON_LINES, {})

    async def send_event(self, event: bytes) -> None:
        """Send an event, as JSON."""
        await self._write(b"event: text\ndata: %s\n\n" % event if self._as_event_stream else event + b"\n")

    async def send_heartbeat(self) -> None:
        """Show a client that waits for events that the server is alive; JSON lines have no comments."""
        if self._has_begun and self._as_event_stream:
            await self._write(b": reading\n\n")

    async def end_events(self) -> None:
        """End an answer of events: the video has been read to its end."""
        await self._write(b"event: end\ndata: {}\n\n" if self._as_event_stream else b"", is_last=True)

    async def send_document(self, document: Document) -> None:
        """Send the whole answer."""
        body = document.text.encode()
        is_json = document.media_type == "application/json"
        kind = document.media_type if is_json else f"{document.media_type}; charset=utf-8"
        await self._begin(HTTPStatus.OK, kind, {"Content-Length": str(len(body))})
        await self._write(body, is_last=True)

    async def refuse(self, refused: Refused, *, is_last: bool = True) -> None:
        """Send an error; after the first event it is the last line. is_last: nothing remains to be received."""
        error = msgspec.json.encode({"error": str(refused)})
        if self._has_begun:
            line = b"event: error\ndata: %s\n\n" % error if self._as_event_stream else error + b"\n"
            await self._write(line, is_last=True)
            return
        headers = {"Content-Length": str(len(error))}
        if refused.retry_after_s is not None:
            headers["Retry-After"] = str(refused.retry_after_s)
        if not is_last:
            headers["Connection"] = "close"
        await self._begin(refused.status, "application/json", headers)
        await self._write(error, is_last=is_last)

    async def end(self) -> None:
        """End an answer whose content has been sent."""
        await self._write(b"", is_last=True)

    async def _begin(self, status: int, kind: str, headers: dict[str, str]) -> None:
        self._has_begun = True
        given = {"Content-Type": kind, "X-Accel-Buffering": "no", **headers}  # or nginx collects events
        raw = [(name.lower().encode(), value.encode("latin-1")) for name, value in given.items()]
        await self._send({"type": "http.response.start", "status": int(status), "headers": raw})

    async def _write(self, data: bytes, *, is_last: bool = False) -> None:
        await self._send({"type": "http.response.body", "body": data, "more_body": not is_last})
