"""Publish events to a NATS JetStream, in which the events of many hosts meet: subject SUBJECT.SITE.STREAM.KIND.

Each message has the id of its event as ``Nats-Msg-Id``, so that the server drops what it already has: an event that is
sent again after a lost acknowledgement is stored once. A batch leaves the disk queue once all of it is acknowledged.
"""

import asyncio
import threading
from collections.abc import Coroutine, Sequence
from concurrent.futures import CancelledError, Future
from typing import Any

import nats
from nats.errors import Error as NatsError
from nats.js.api import RetentionPolicy, StreamConfig
from nats.js.errors import NotFoundError

from stream_ocr.config.settings import read_secret
from stream_ocr.config.sinks import NatsConnection, NatsSettings
from stream_ocr.errors import SinkError
from stream_ocr.events import DECODE_ERRORS, parse
from stream_ocr.logs import get_logger
from stream_ocr.sinks.base import describe_error, encode_name, tls_context
from stream_ocr.sinks.delivery import ACCEPTED, Delivery, DeliveryResult
from stream_ocr.sinks.thresholds import THRESHOLDS

log = get_logger(__name__)
_DAY_S = 86400  # seconds


class NatsDelivery(Delivery):
    """Keeps a connection to a NATS server and publishes events to a JetStream.

    The client lives in an event loop with a thread of its own, because it answers pings between deliveries.
    """

    def __init__(self, settings: NatsSettings) -> None:
        self._settings = settings
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._client: Any = None
        self._jetstream: Any = None
        self._running: Future[None] | None = None
        self._interrupted = False
        self._log = ConnectionLog(settings)

    def open(self) -> None:
        self._options = connect_options(self._settings) | self._log.callbacks
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="nats", daemon=True)
        self._thread.start()

    def deliver(self, lines: Sequence[bytes]) -> DeliveryResult:
        try:
            messages = [self._message(line) for line in lines]
        except DECODE_ERRORS as error:
            return DeliveryResult("rejected", f"a line of the spool is not an event: {error}")
        try:
            self._run(self._publish(messages))
        except CancelledError:
            return DeliveryResult("retry", "interrupted")
        except (NatsError, OSError, TimeoutError) as error:
            return DeliveryResult("retry", self._log.reason or describe_error(error))
        self._log.log_success()
        return ACCEPTED

    def interrupt(self) -> None:
        self._interrupted = True
        if self._running is not None:
            self._running.cancel()

    def close(self) -> None:
        if self._loop is None or self._thread is None:
            return
        if self._client is not None:
            asyncio.run_coroutine_threadsafe(self._client.close(), self._loop).result(THRESHOLDS.nats_timeout_s)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        assert self._loop is not None, "delivers after open()"
        self._running = asyncio.run_coroutine_threadsafe(work, self._loop)
        if self._interrupted:
            self._running.cancel()
        self._running.result()

    def _message(self, line: bytes) -> tuple[str, bytes, dict[str, str]]:
        """Return subject, payload and headers."""
        event, settings = parse(line), self._settings
        subject = f"{settings.subject}.{settings.site}.{subject_token(event.stream)}.{event.kind}"
        return subject, line, {"Nats-Msg-Id": f"{settings.site}/{event.id}"}

    async def _publish(self, messages: Sequence[tuple[str, bytes, dict[str, str]]]) -> None:
        """Publish in order; return once the JetStream has stored all messages."""
        if self._client is None:
            self._client = await asyncio.wait_for(nats.connect(**self._options), THRESHOLDS.nats_timeout_s)
        if self._jetstream is None:
            jetstream = self._client.jetstream(timeout=THRESHOLDS.nats_timeout_s)
            await self._ensure_jetstream(jetstream)
            self._jetstream = jetstream
        acknowledged = [
            await self._jetstream.publish_async(subject, payload, headers=headers)
            for subject, payload, headers in messages
        ]
        stored = asyncio.gather(*acknowledged, return_exceptions=True)
        for result in await asyncio.wait_for(stored, THRESHOLDS.nats_timeout_s):
            if isinstance(result, BaseException):
                raise result

    async def _ensure_jetstream(self, jetstream: Any) -> None:
        """Create the JetStream unless there is one: an operator may have set it up with other limits."""
        settings = self._settings
        try:
            await jetstream.stream_info(settings.jetstream)
        except NotFoundError:
            await jetstream.add_stream(
                StreamConfig(
                    name=settings.jetstream,
                    subjects=[f"{settings.subject}.>"],
                    retention=RetentionPolicy.LIMITS,
                    max_age=settings.keep_days * _DAY_S,
                    duplicate_window=THRESHOLDS.nats_duplicate_window_s,
                )
            )


class ConnectionLog:
    """Logs each reason for which NATS is unavailable once, until it is available again.

    reason: the last one; "" while it is available.
    """

    def __init__(self, connection: NatsConnection) -> None:
        self.reason = ""
        self._servers = ", ".join(connection.servers)

    @property
    def callbacks(self) -> dict[str, Any]:
        """Arguments of ``nats.connect``. The client sets the connection up again by itself."""
        return {"error_cb": self._on_error, "reconnected_cb": self._on_reconnected}

    async def _on_error(self, error: Exception) -> None:
        self.log_failure(error)

    async def _on_reconnected(self) -> None:
        self.log_success()

    def log_failure(self, error: Exception) -> None:
        """Log why something failed. A timeout says less than what was logged before it."""
        reason = describe_error(error)
        if reason != self.reason and not (self.reason and isinstance(error, TimeoutError)):
            self.reason = reason
            log.warning("NATS is unavailable", servers=self._servers, reason=reason)

    def log_success(self) -> None:
        """Log that NATS is available again, if it was not."""
        if self.reason:
            self.reason = ""
            log.info("NATS is available again", servers=self._servers)


def connect_options(settings: NatsConnection) -> dict[str, Any]:
    """Return the arguments of ``nats.connect``. Raise SinkError if certificates or credentials cannot be read."""
    options: dict[str, Any] = {
        "servers": list(settings.servers),
        "name": "stream-ocr",
        "allow_reconnect": True,
        "max_reconnect_attempts": -1,
        "reconnect_time_wait": THRESHOLDS.nats_reconnect_s,
        "connect_timeout": THRESHOLDS.nats_timeout_s,
    }
    if settings.token is not None:
        options["token"] = read_secret(settings.token).decode()
    if settings.credentials is not None:
        if not settings.credentials.is_file():
            raise SinkError(f"There is no file {settings.credentials}; check credentials.")
        options["user_credentials"] = str(settings.credentials)
    if settings.ca_file is not None:
        options["tls"] = tls_context(settings.ca_file)
    return options


def subject_token(stream: str) -> str:
    """Return the name of a stream as one token of a subject."""
    return encode_name(stream, " .*>")
