"""Calls of ONVIF devices: SOAP over HTTP, with limits.

Messages are built and parsed by onveef. The transport is here, because a device is a stranger: an answer is limited in
bytes, elements and depth, the password is sent as a digest only, and nothing is sent to another host.
"""

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote

import httpx
from onveef import envelopes, parsers

from stream_ocr.config.urls import Scrubber, SourceUrl
from stream_ocr.errors import SourceError
from stream_ocr.sources.thresholds import ONVIF

_HEADERS = {"Content-Type": "application/soap+xml; charset=utf-8", "Accept-Encoding": "identity"}
_NOT_AUTHORIZED = re.compile(r"not\s*authori[sz]ed|unauthori[sz]ed|authentication", re.IGNORECASE)


class CallError(SourceError):
    """Raised when a call fails; the message continues a sentence that begins with the device."""


class LoginError(CallError):
    """Raised when a device asks for a login, or refuses it."""


class FaultError(CallError):
    """Raised when a device answers with a SOAP fault, as for calls that it does not know."""


@dataclass(frozen=True, slots=True)
class Login:
    """User and password of devices."""

    user: str
    password: str = field(repr=False)

    @property
    def scrubber(self) -> Scrubber:
        """Return what removes the password from texts of a device."""
        return Scrubber.for_urls([SourceUrl(f"rtsp://{quote(self.user, '')}:{quote(self.password, '')}@device")])


class SoapClient:
    """Calls one device; an asynchronous context manager."""

    def __init__(self, login: Login | None, timeout_s: float) -> None:
        """timeout_s: longest silence."""
        self._login = login
        self._clock_offset_s = 0.0
        self._http = httpx.AsyncClient(
            timeout=timeout_s,
            verify=False,  # cameras sign their own certificates
            trust_env=False,  # a camera of this network is not behind a proxy
            follow_redirects=False,
            headers=_HEADERS,
            auth=httpx.DigestAuth(login.user, login.password) if login else None,  # for devices that ask so
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.aclose()

    async def set_clock(self, url: str) -> None:
        """Learn the time of the device, by which it judges the age of a digest. url: of its device service."""
        try:
            answer = await self.call(url, envelopes.device_get_system_date_time(), anonymous=True)
        except (FaultError, LoginError):
            return
        utc: Any = parsers.parse_system_datetime(answer).get("UTCDateTime")
        try:
            date, clock = (utc["year"], utc["month"], utc["day"]), (utc["hour"], utc["minute"], utc["second"])
            now = datetime(*date, *clock, tzinfo=UTC)
        except (KeyError, TypeError, ValueError):
            return
        self._clock_offset_s = (now - datetime.now(UTC)).total_seconds()

    async def call(self, url: str, body: str, *, anonymous: bool = False) -> str:
        """Return the answer to a call, a whole and bounded XML document. body: of ``onveef.envelopes``.

        Raise CallError.
        """
        login = None if anonymous else self._login
        envelope = envelopes.build_envelope(
            body,
            username=login.user if login else "",
            password=login.password if login else "",
            clock_offset_s=self._clock_offset_s,
        )
        status, answer = await self._post(url, envelope)
        if status == httpx.codes.UNAUTHORIZED:
            raise self._refusal()
        try:
            root = parse(answer)
        except CallError:
            if httpx.codes.is_success(status):
                raise
            raise CallError(f"answers with HTTP status {status}") from None
        fault = parsers.find_local(root, "Fault")
        if fault is not None:
            if any(_NOT_AUTHORIZED.search(part.text or "") for part in fault.iter()):
                raise self._refusal()
            raise FaultError(f"refuses a call: {parsers.parse_fault(answer)[: ONVIF.max_text]}")
        if parsers.find_local(root, "Body") is None or not httpx.codes.is_success(status):
            raise CallError(f"answers with something else than SOAP, and HTTP status {status}")
        return answer

    def _refusal(self) -> LoginError:
        if self._login is None:
            return LoginError("asks for a user name and a password; see --login")
        return LoginError("refuses the user name or the password")

    async def _post(self, url: str, envelope: str) -> tuple[int, str]:
        body = bytearray()
        try:
            async with self._http.stream("POST", url, content=envelope.encode()) as response:
                if response.headers.get("Content-Encoding", "identity") != "identity":
                    raise CallError("answers compressed, which was not asked for")
                async for chunk in response.aiter_raw():
                    body += chunk
                    if len(body) > ONVIF.max_answer_bytes:
                        raise CallError(f"sends more than {ONVIF.max_answer_bytes} bytes for an answer")
        except httpx.TimeoutException:
            raise CallError("does not answer") from None
        except httpx.ConnectError:
            raise CallError("cannot be reached") from None
        except httpx.HTTPError as error:
            raise CallError(f"does not speak HTTP, or breaks off ({type(error).__name__})") from None
        return response.status_code, body.decode("utf-8", "replace")


def parse(text: str) -> Any:
    """Return the root of an XML document. Raise CallError if it is none, defines entities, or is too large or deep."""
    root = parsers.parse_xml(text)
    if root is None:
        raise CallError("answers with something else than XML")
    level, count = [root], 0
    for _ in range(ONVIF.max_depth):
        count += len(level)
        level = [child for element in level for child in element]
        if not level:
            break
    if level or count > ONVIF.max_elements:
        raise CallError("answers with XML that is too large or too deep")
    return root
