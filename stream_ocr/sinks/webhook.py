"""Send events to a webhook: POST requests with a JSON array, signed according to Standard Webhooks.

| response                     | action                                                               |
|------------------------------|----------------------------------------------------------------------|
| 2xx                          | done                                                                 |
| 408, 425, 429, 5xx, none     | retry after the backoff or Retry-After, but max_backoff_s at most    |
| 3xx, 401, 403, 404, 405, 407 | wrong URL or credentials: keep the events, retry every max_backoff_s |
| other 4xx                    | halve the batch down to the rejected event; drop and count that one  |
"""

import asyncio
import base64
import hashlib
import hmac
import os
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

import httpcore
import msgspec

from stream_ocr.config.settings import read_secret
from stream_ocr.config.sinks import WebhookSettings, check_web_address
from stream_ocr.errors import SinkError
from stream_ocr.sinks import http_pool
from stream_ocr.sinks.base import describe_error, tls_context
from stream_ocr.sinks.delivery import ACCEPTED, Delivery, DeliveryResult
from stream_ocr.sinks.thresholds import THRESHOLDS

# HTTP status codes.
_TRANSIENT = {408, 425, 429}
_MISCONFIGURED = {401, 403, 404, 405, 407}

_STANDARD_PREFIX = b"whsec_"


class _Identified(msgspec.Struct):
    id: str


class WebhookDelivery(Delivery):
    """One request a batch; ``request_timeout_s`` covers all of it, however slowly an answer trickles in."""

    def __init__(self, settings: WebhookSettings) -> None:
        self._settings = settings
        self._url = ""
        self._key: bytes | None = None
        self._connections: httpcore.AsyncConnectionPool | None = None
        self._runner = asyncio.Runner()
        self._task: asyncio.Task[DeliveryResult] | None = None
        self._interrupted = False

    def open(self) -> None:
        self._url = _address(self._settings.url)
        self._key = signing_key(read_secret(self._settings.secret)) if self._settings.secret else None
        self._connections = http_pool.create_pool(tls_context(self._settings.ca_file))

    def deliver(self, lines: Sequence[bytes]) -> DeliveryResult:
        try:
            return self._runner.run(self._post(lines))
        except asyncio.CancelledError:
            return DeliveryResult("retry", "interrupted")

    def interrupt(self) -> None:
        self._interrupted = True
        if self._task is not None:
            with suppress(RuntimeError):  # the loop is closed already
                self._task.get_loop().call_soon_threadsafe(self._task.cancel)

    def close(self) -> None:
        assert self._connections is not None, "close() before open()"
        self._runner.run(self._connections.aclose())
        self._runner.close()

    async def _post(self, lines: Sequence[bytes]) -> DeliveryResult:
        self._task = asyncio.current_task()
        if self._interrupted:
            return DeliveryResult("retry", "interrupted")
        assert self._connections is not None, "deliver() before open()"
        body = b"[" + b",".join(lines) + b"]"
        headers = [
            ("content-type", "application/json"),
            ("user-agent", "stream-ocr"),
            *self._headers(lines, body).items(),
        ]
        try:
            async with asyncio.timeout(self._settings.request_timeout_s) as limit:
                async with self._connections.stream("POST", self._url, headers=headers, content=body) as response:
                    limit.reschedule(asyncio.get_running_loop().time() + 2 * THRESHOLDS.webhook_body_s)
                    await _skip_body(response)
                    return self._evaluate(response)
        except TimeoutError:
            return DeliveryResult(
                "retry", f"no answer from {self._origin} within {self._settings.request_timeout_s:g} s"
            )
        except http_pool.ERRORS as error:
            return DeliveryResult("retry", f"{self._origin}: {_root_reason(error)}")

    def _headers(self, lines: Sequence[bytes], body: bytes) -> Mapping[str, str]:
        """Return the signature headers. The id depends only on the events, so a retry repeats it."""
        ids = "".join(msgspec.json.decode(line, type=_Identified).id for line in lines)
        name = "msg_" + hashlib.blake2b(ids.encode(), digest_size=16).hexdigest()
        stamp = str(int(time.time()))
        headers = {"webhook-id": name, "webhook-timestamp": stamp}
        return headers if self._key is None else headers | {"webhook-signature": sign(self._key, name, stamp, body)}

    def _evaluate(self, response: httpcore.Response) -> DeliveryResult:
        status = response.status
        answer = f"{self._origin} answers {status}"
        if 200 <= status < 300:
            return ACCEPTED
        if 300 <= status < 400:
            return DeliveryResult(
                "retry", f"{answer}, a redirect, which is not followed; correct `url`", self._settings.max_backoff_s
            )
        if status in _MISCONFIGURED:
            return DeliveryResult("retry", f"{answer}; check `url` and `secret`", self._settings.max_backoff_s)
        if status in _TRANSIENT or status >= 500:
            return DeliveryResult("retry", answer, retry_after_s(_header(response, b"retry-after")))
        return DeliveryResult("rejected", answer)

    @property
    def _origin(self) -> str:
        """Return the receiver's origin for log lines; path and query may hold a token."""
        url = urlsplit(self._url)
        return f"{url.scheme}://{url.netloc}"


async def _skip_body(response: httpcore.Response) -> None:
    read = 0
    with suppress(TimeoutError, *http_pool.ERRORS):
        async with asyncio.timeout(THRESHOLDS.webhook_body_s):
            async for chunk in response.aiter_stream():
                read += len(chunk)
                if read > THRESHOLDS.webhook_body_bytes:
                    return


def _header(response: httpcore.Response, wanted: bytes) -> str | None:
    return next((value.decode("latin-1") for name, value in response.headers if name.lower() == wanted), None)


def _root_reason(error: BaseException) -> str:
    """Return the operating system's reason where there is one; libraries above it only report a failure."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ConnectionError) and cause.errno:
            return os.strerror(cause.errno)
        if isinstance(cause, OSError) and cause.strerror:
            return cause.strerror
        cause = cause.__cause__ or cause.__context__
    return describe_error(error)


def _address(url: str) -> str:
    if not url.startswith(("env:", "file:")):
        return url
    try:
        return check_web_address(read_secret(url).decode())
    except ValueError as error:
        raise SinkError(f"{url} does not hold the URL of a webhook: {error}.") from error


def signing_key(value: bytes) -> bytes:
    """Return the key in a secret, which may have the form ``whsec_`` + base64. Raises SinkError."""
    if not value.startswith(_STANDARD_PREFIX):
        return value
    try:
        return base64.b64decode(value.removeprefix(_STANDARD_PREFIX), validate=True)
    except ValueError:
        raise SinkError("The secret of a webhook is not base64 after whsec_; copy it completely.") from None


def sign(key: bytes, name: str, stamp: str, body: bytes) -> str:
    """Return the header ``webhook-signature``: HMAC-SHA256 over id, timestamp and body (Standard Webhooks)."""
    digest = hmac.digest(key, f"{name}.{stamp}.".encode() + body, "sha256")
    return f"v1,{base64.b64encode(digest).decode()}"


def retry_after_s(value: str | None) -> float | None:
    """Return the seconds of a Retry-After header (RFC 9110), given as a number or date; None if it is neither."""
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
