"""Receiving of a file: the body of a request, or the file of a form, into a file without a name on disk."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager
from email.message import Message as Header
from http import HTTPStatus
from typing import BinaryIO

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect
from starlette.types import Receive

from stream_ocr.config.web import ServeSettings
from stream_ocr.serve.errors import Refused
from stream_ocr.serve.thresholds import THRESHOLDS

FORM = "multipart/form-data"
_NEUTRAL = ("", "application/octet-stream", "application/x-www-form-urlencoded")  # the last: curl, if it is not told
_MEDIA = ("image/", "video/", "application/mp4", "application/mxf", "application/ogg", "application/vnd.rn-realmedia")


def new_file(settings: ServeSettings) -> AbstractContextManager[BinaryIO]:
    """Return a file without a name: the kernel deletes it with the last process that has it open. Raise OSError."""
    return tempfile.TemporaryFile(dir=settings.folder)


def check_headers(headers: Headers, settings: ServeSettings) -> None:
    """Raise Refused for a body that is certainly no file that can be read, or too large."""
    kind = _media_type(headers)
    if kind not in (*_NEUTRAL, FORM) and not kind.startswith(_MEDIA):
        raise Refused(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            f"A body of the type {kind!r} cannot be read; send an image or a video, or a form ({FORM}) with one.",
        )
    if (encoding := headers.get("content-encoding", "identity").lower()) != "identity":
        raise Refused(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"A body encoded with {encoding!r} cannot be read; send it as it is."
        )
    length = headers.get("content-length", "")
    if length.isdecimal() and int(length) > settings.max_bytes + (THRESHOLDS.form_bytes if kind == FORM else 0):
        raise _too_large(settings)


class Upload:
    """Receives the body of a request once. is_complete: all of it has arrived."""

    def __init__(self, headers: Headers, receive: Receive, settings: ServeSettings) -> None:
        self.is_complete = False
        self._headers, self._receive, self._settings = headers, receive, settings

    async def save(self, file: BinaryIO) -> str | None:
        """Write the file to ``file`` and return its name, None without one.

        Raise Refused if it is too large, too slow or damaged, OSError for a full disk, and ClientDisconnect.
        """
        if _media_type(self._headers) == FORM:
            form = _Form(self._headers["content-type"], self._limited(file))
            async for chunk in self._chunks():
                form.write(chunk)
            return form.finish()
        write = self._limited(file)
        async for chunk in self._chunks():
            write(chunk)
        return None

    async def discard(self) -> None:
        """Ignore what is still arriving, for a limited time, so that the client reads the answer instead of sending."""
        try:
            async with asyncio.timeout(THRESHOLDS.linger_s):
                while not self.is_complete:
                    await self._next()
        except (TimeoutError, ClientDisconnect):
            return

    async def _chunks(self) -> AsyncIterator[bytes]:
        loop = asyncio.get_running_loop()
        end_s = loop.time() + self._settings.upload_timeout_s
        while not self.is_complete:
            try:
                async with asyncio.timeout_at(min(end_s, loop.time() + THRESHOLDS.idle_s)):
                    chunk = await self._next()
            except TimeoutError:
                raise Refused(
                    HTTPStatus.REQUEST_TIMEOUT,
                    f"The file did not arrive within {self._settings.upload_timeout_s:g} seconds, or nothing of it did"
                    f" for {THRESHOLDS.idle_s:g} seconds; send it again.",
                ) from None
            yield chunk

    async def _next(self) -> bytes:
        message = await self._receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        self.is_complete = not message.get("more_body", False)
        chunk: bytes = message.get("body", b"")
        return chunk

    def _limited(self, file: BinaryIO) -> Callable[[bytes], None]:
        """Return what writes to a file and raises Refused beyond the limit."""
        left = self._settings.max_bytes

        def write(data: bytes) -> None:
            nonlocal left
            left -= len(data)
            if left < 0:
                raise _too_large(self._settings)
            file.write(data)

        return write


class _Form:
    """A form with one file and nothing else (RFC 7578)."""

    def __init__(self, content_type: str, write: Callable[[bytes], None]) -> None:
        _, options = parse_options_header(content_type)
        if not options.get(b"boundary"):
            raise _bad_form("it has no boundary")
        self._write_file = write
        self._other_bytes = 0  # of the form, besides its file
        self._field = bytearray()
        self._header = bytearray()
        self._disposition = b""
        self._parts = 0
        self._is_over = False
        self._parser = MultipartParser(
            options[b"boundary"],
            {
                "on_part_begin": self._begin_part,
                "on_header_field": lambda data, start, end: self._field.extend(data[start:end]),
                "on_header_value": lambda data, start, end: self._header.extend(data[start:end]),
                "on_header_end": self._end_header,
                "on_part_data": lambda data, start, end: self._take(data[start:end]),
                "on_end": self._end,
            },
        )

    def write(self, chunk: bytes) -> None:
        """Parse a part of the body. Raise Refused."""
        self._other_bytes += len(chunk)
        try:
            self._parser.write(chunk)
        except FormParserError as error:
            raise _bad_form(str(error)) from None
        if self._other_bytes > THRESHOLDS.form_bytes:
            raise _bad_form("it has more than a file")

    def finish(self) -> str | None:
        """Return the name of the file. Raise Refused if the form is not complete."""
        if not self._is_over or not self._parts:
            raise _bad_form("it breaks off" if self._parts else "it has no file")
        _, options = parse_options_header(self._disposition)
        header = Header()  # of the e-mail package: knows names that are encoded (RFC 2231)
        header["Content-Disposition"] = self._disposition.decode("utf-8", "replace")
        return options.get(b"filename", b"").decode("utf-8", "replace") or header.get_filename()

    def _begin_part(self) -> None:
        self._parts += 1
        if self._parts > 1:
            raise _bad_form("it has more than a file")

    def _end_header(self) -> None:
        if self._field.lower() == b"content-disposition":
            self._disposition = bytes(self._header)
        self._field.clear()
        self._header.clear()

    def _take(self, data: bytes) -> None:
        self._other_bytes -= len(data)
        self._write_file(data)

    def _end(self) -> None:
        self._is_over = True


def _media_type(headers: Headers) -> str:
    return headers.get("content-type", "").partition(";")[0].strip().lower()


def _too_large(settings: ServeSettings) -> Refused:
    return Refused(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        f"The file has more than the {settings.max_bytes} bytes allowed (serve.max_bytes).",
    )


def _bad_form(reason: str) -> Refused:
    return Refused(HTTPStatus.BAD_REQUEST, f"The form cannot be read: {reason}; send one file and nothing else.")
