"""Events to a web address: POST requests with a JSON array, signed as Standard Webhooks describes.

| answer                    | what follows                                                             |
|---------------------------|--------------------------------------------------------------------------|
| 2xx                       | done                                                                     |
| 408, 425, 429, 5xx, none  | the same again after a pause, that of Retry-After up to max_pause_s      |
| 3xx, 401, 403, 404, 405, 407 | address or credentials are wrong: events are kept, a try now and then |
| other 4xx                 | smaller requests, until it is one event that is refused; that is given up |
"""

import asyncio
import base64
import hashlib
import hmac
import os
import ssl
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

import httpcore
import msgspec

from stream_ocr.config.settings import read_secret
from stream_ocr.config.sinks import WebhookSettings, web_address
from stream_ocr.errors import SinkError
from stream_ocr.sinks import http_pool
from stream_ocr.sinks.base import reason
from stream_ocr.sinks.delivery import TAKEN, Outcome

_TRANSIENT = {408, 425, 429}
_NOT_OUR_EVENTS = {401, 403, 404, 405, 407}
_BODY_S, _BODY_BYTES = 1.0, 1 << 16  # what an answer may take beyond its status; it is only read to use the line again
_STANDARD_PREFIX = b"whsec_"


class _Identified(msgspec.Struct):
    id: str


class WebhookDelivery:
    """One request a batch; ``request_s`` covers all of it, however slowly an answer trickles in."""

    def __init__(self, settings: WebhookSettings) -> None:
        self._settings = settings
        self._url = ""
        self._key: bytes | None = None
        self._connections: httpcore.AsyncConnectionPool | None = None
        self._runner = asyncio.Runner()
        self._task: asyncio.Task[Outcome] | None = None
        self._interrupted = False

    def open(self) -> None:
        self._url = _address(self._settings.url)
        self._key = signing_key(read_secret(self._settings.secret)) if self._settings.secret else None
        try:
            trusted = ssl.create_default_context(cafile=self._settings.ca_file)
        except OSError as error:
            raise SinkError(f"{self._settings.ca_file} holds no certificates: {reason(error)}.") from error
        self._connections = http_pool.connections(trusted)

    def deliver(self, lines: Sequence[bytes]) -> Outcome:
        try:
            return self._runner.run(self._post(lines))
        except asyncio.CancelledError:
            return Outcome("later", "interrupted")

    def interrupt(self) -> None:
        self._interrupted = True
        if self._task is not None:
            with suppress(RuntimeError):  # the loop is closed already
                self._task.get_loop().call_soon_threadsafe(self._task.cancel)

    def close(self) -> None:
        assert self._connections is not None, "close() before open()"
        self._runner.run(self._connections.aclose())
        self._runner.close()

    async def _post(self, lines: Sequence[bytes]) -> Outcome:
        self._task = asyncio.current_task()
        if self._interrupted:
            return Outcome("later", "interrupted")
        assert self._connections is not None, "deliver() before open()"
        body = b"[" + b",".join(lines) + b"]"
        headers = [
            ("content-type", "application/json"),
            ("user-agent", "stream-ocr"),
            *self._signed(lines, body).items(),
        ]
        try:
            async with asyncio.timeout(self._settings.request_s) as limit:
                async with self._connections.stream("POST", self._url, headers=headers, content=body) as response:
                    limit.reschedule(asyncio.get_running_loop().time() + 2 * _BODY_S)
                    await _skip_body(response)
                    return self._judge(response)
        except TimeoutError:
            return Outcome("later", f"no answer from {self._place} within {self._settings.request_s:g} s")
        except http_pool.ERRORS as error:
            return Outcome("later", f"{self._place}: {_root_reason(error)}")

    def _signed(self, lines: Sequence[bytes], body: bytes) -> Mapping[str, str]:
        """The same events have the same id, whenever they are sent."""
        ids = "".join(msgspec.json.decode(line, type=_Identified).id for line in lines)
        name = "msg_" + hashlib.blake2b(ids.encode(), digest_size=16).hexdigest()
        stamp = str(int(time.time()))
        headers = {"webhook-id": name, "webhook-timestamp": stamp}
        return headers if self._key is None else headers | {"webhook-signature": sign(self._key, name, stamp, body)}

    def _judge(self, response: httpcore.Response) -> Outcome:
        status = response.status
        answer = f"{self._place} answers {status}"
        if 200 <= status < 300:
            return TAKEN
        if 300 <= status < 400:
            return Outcome(
                "later", f"{answer}, a redirect, which is not followed; correct `url`", self._settings.max_pause_s
            )
        if status in _NOT_OUR_EVENTS:
            return Outcome("later", f"{answer}; check `url` and `secret`", self._settings.max_pause_s)
        if status in _TRANSIENT or status >= 500:
            return Outcome("later", answer, retry_after_s(_header(response, b"retry-after")))
        return Outcome("refused", answer)

    @property
    def _place(self) -> str:
        """Where it goes, without path and query, which may hold a token."""
        url = urlsplit(self._url)
        return f"{url.scheme}://{url.netloc}"


async def _skip_body(response: httpcore.Response) -> None:
    read = 0
    with suppress(TimeoutError, *http_pool.ERRORS):
        async with asyncio.timeout(_BODY_S):
            async for chunk in response.aiter_stream():
                read += len(chunk)
                if read > _BODY_BYTES:
                    return


def _header(response: httpcore.Response, wanted: bytes) -> str | None:
    return next((value.decode("latin-1") for name, value in response.headers if name.lower() == wanted), None)


def _root_reason(error: BaseException) -> str:
    """What the system said, where it was the system; the libraries above it only say that something failed."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ConnectionError) and cause.errno:
            return os.strerror(cause.errno)
        if isinstance(cause, OSError) and cause.strerror:
            return cause.strerror
        cause = cause.__cause__ or cause.__context__
    return reason(error)


def _address(url: str) -> str:
    if not url.startswith(("env:", "file:")):
        return url
    try:
        return web_address(read_secret(url).decode())
    except ValueError as error:
        raise SinkError(f"What lies at {url} is no address of a webhook: {error}.") from error


def signing_key(value: bytes) -> bytes:
    """The key in a secret, which may have the form ``whsec_`` + base64. Raises SinkError."""
    if not value.startswith(_STANDARD_PREFIX):
        return value
    try:
        return base64.b64decode(value.removeprefix(_STANDARD_PREFIX), validate=True)
    except ValueError:
        raise SinkError("What follows whsec_ in the secret of a webhook is not base64; copy all of it.") from None


def sign(key: bytes, name: str, stamp: str, body: bytes) -> str:
    """The value of the header ``webhook-signature``: HMAC-SHA256 over id, timestamp and body."""
    digest = hmac.digest(key, f"{name}.{stamp}.".encode() + body, "sha256")
    return f"v1,{base64.b64encode(digest).decode()}"


def retry_after_s(value: str | None) -> float | None:
    """Seconds in the header Retry-After, which has them or a date; None where it has neither."""
    if value is None:
        return None
    if value.isascii() and value.isdigit():
        return float(value[:9])
    try:
        then = parsedate_to_datetime(value)
    except ValueError:
        return None
    then = then if then.tzinfo else then.replace(tzinfo=UTC)
    return max(0.0, (then - datetime.now(UTC)).total_seconds())
