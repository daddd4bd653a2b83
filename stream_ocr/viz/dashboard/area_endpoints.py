"""Regions, masks and named fields of the cameras of a run: the only part of the page that changes anything.

Besides the token, a request must come from the page itself or from a program: browsers send where a request comes from,
and no other site can send JSON without a preflight, which is not answered.
"""

import asyncio
from collections.abc import Callable
from http import HTTPStatus
from typing import Annotated, Any, Protocol

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response

from stream_ocr.errors import SettingsConflictError, SettingsError
from stream_ocr.viz.dashboard.auth import OTHER_SITE, is_own_page
from stream_ocr.viz.thresholds import DASHBOARD

_Points = Annotated[list[tuple[float, float]], msgspec.Meta(min_length=3, max_length=DASHBOARD.max_areas)]
_Polygons = Annotated[list[_Points], msgspec.Meta(max_length=DASHBOARD.max_areas)]


class AreaEditor(Protocol):
    """Reads and changes areas in the settings file of a run. Its methods may take seconds."""

    def describe(self) -> bytes:
        """Return the areas of all cameras as JSON. Raises SettingsError."""
        ...

    def save(self, camera: str, areas: dict[str, Any], version: str) -> bytes:
        """Change the areas of a camera; return the new version as JSON. Raises SettingsError."""
        ...


class _Field(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    region: _Points
    pattern: str | None = None


class _Change(msgspec.Struct, forbid_unknown_fields=True):
    """Body of a request. version: of the file as the page has read it."""

    version: str
    regions: _Polygons
    masks: _Polygons
    fields: Annotated[dict[str, _Field], msgspec.Meta(max_length=DASHBOARD.max_areas)]


class AreaEndpoints:
    """Answers for an editor, one request at a time; without an editor, refuses."""

    def __init__(self, editor: AreaEditor | None) -> None:
        self._editor = editor
        self._lock = asyncio.Lock()

    async def describe(self, request: Request) -> Response:
        """Return the areas of all cameras, and the version of the file."""
        if (refusal := self._refusal(request)) is not None:
            return refusal
        async with self._lock:
            return await self._answer(lambda editor: editor.describe())

    async def save(self, request: Request) -> Response:
        """Save the areas of a camera, and return the new version of the file."""
        if (refusal := self._refusal(request)) is not None:
            return refusal
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
            return _text(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "Send the areas as application/json.")
        try:
            body = await asyncio.wait_for(_read_body(request), DASHBOARD.request_timeout_s)
        except (TimeoutError, ClientDisconnect):
            return _text(HTTPStatus.REQUEST_TIMEOUT, "The request did not end.")
        if body is None:
            limit = DASHBOARD.max_areas_bytes >> 10
            return _text(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"The areas are longer than {limit} KiB.")
        try:
            change = msgspec.json.decode(body, type=_Change)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            return _text(HTTPStatus.BAD_REQUEST, f"The areas are malformed: {error}.")
        if self._lock.locked():
            return _text(HTTPStatus.CONFLICT, "Another change is being saved; try again.")
        areas = msgspec.to_builtins(change)
        camera, version = request.path_params["camera"], areas.pop("version")
        async with self._lock:
            return await self._answer(lambda editor: editor.save(camera, areas, version))

    def _refusal(self, request: Request) -> Response | None:
        if self._editor is None:
            return _text(
                HTTPStatus.FORBIDDEN, "Areas cannot be changed here; use `stream-ocr run CONFIG` with dashboard.edit."
            )
        if not is_own_page(request.headers):
            return _text(HTTPStatus.FORBIDDEN, OTHER_SITE)
        return None

    async def _answer(self, work: Callable[[AreaEditor], bytes]) -> Response:
        assert self._editor is not None, "requests without an editor are refused"
        try:
            return Response(await run_in_threadpool(work, self._editor), media_type="application/json")
        except SettingsConflictError as error:
            return _text(HTTPStatus.CONFLICT, str(error))
        except SettingsError as error:
            return _text(HTTPStatus.UNPROCESSABLE_ENTITY, str(error))


async def _read_body(request: Request) -> bytes | None:
    """Return the body; None if it is too long."""
    body = b""
    async for part in request.stream():
        body += part
        if len(body) > DASHBOARD.max_areas_bytes:
            return None
    return body


def _text(status: HTTPStatus, sentence: str) -> Response:
    return PlainTextResponse(f"{sentence}\n", status)
