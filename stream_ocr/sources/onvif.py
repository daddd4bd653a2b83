"""ONVIF devices and their video streams (profiles S and T).

A device that fails is described in one sentence (``Device.problem``); it neither delays nor ends the questions to the
others. Texts that devices send are shortened and without the password, but not escaped for a terminal.
"""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal
from urllib.parse import urlsplit

from onveef import envelopes, parsers, urls

from stream_ocr.config.urls import SourceUrl
from stream_ocr.sources.onvif_soap import CallError, FaultError, Login, SoapClient
from stream_ocr.sources.thresholds import ONVIF
from stream_ocr.sources.ws_discovery import Found

Role = Literal["main", "sub"]


@dataclass(frozen=True, slots=True)
class VideoStream:
    """A stream of a device.

    channel: number of the picture, from 1; a recorder has several. role: main for the largest stream of a channel.
    width, height: pixels. fps: frames per second at most. url: without user and password. protected: the address needs
    a user and password.
    """

    channel: int
    role: Role
    name: str
    codec: str
    width: int | None
    height: int | None
    fps: int | None
    url: str
    protected: bool


@dataclass(frozen=True, slots=True)
class Device:
    """A device and what it told. problem: sentence that says why streams are missing, or None."""

    address: str
    name: str = ""
    manufacturer: str = ""
    model: str = ""
    streams: tuple[VideoStream, ...] = ()
    problem: str | None = None


def ask_devices(found: Iterable[Found], login: Login | None, timeout_s: float) -> list[Device]:
    """Return the devices in the given order. timeout_s: most time for all answers of one device."""
    return asyncio.run(_ask_devices(found, login, timeout_s))


async def _ask_devices(found: Iterable[Found], login: Login | None, timeout_s: float) -> list[Device]:
    permits = asyncio.Semaphore(ONVIF.concurrency)

    async def ask(each: Found) -> Device:
        async with permits:
            return await _Inquiry(each, login).run(timeout_s)

    return await asyncio.gather(*map(ask, found))


class _Inquiry:
    """The calls of one device, and what they found so far."""

    def __init__(self, found: Found, login: Login | None) -> None:
        self._found, self._login = found, login
        self._scrub = login.scrubber if login else str
        self._device = Device(found.host, self._text(found.name))
        self._failure: FaultError | None = None  # of a call without which the others make sense

    async def run(self, timeout_s: float) -> Device:
        """Return the device after all calls, or after those that it answered."""
        problem = None
        try:
            async with asyncio.timeout(timeout_s), SoapClient(self._login, timeout_s) as client:
                await self._ask(client)
        except TimeoutError:
            problem = f"does not answer within {timeout_s:g} s"
        except CallError as error:
            problem = self._scrub(str(error))
        except Exception as error:  # noqa: BLE001 - parsers of untrusted input raise more than they document
            problem = f"answers with nonsense ({type(error).__name__})"
        if problem is None and not self._device.streams:
            problem = "has no video stream"
        return replace(self._device, problem=f"{self._found.host} {problem}." if problem else None)

    async def _ask(self, client: SoapClient) -> None:
        await client.set_clock(self._found.url)
        services = await self._services(client)
        try:
            answer = await client.call(self._found.url, envelopes.device_get_information())
        except FaultError:  # the streams matter more
            facts = {}
        else:
            facts = parsers.parse_device_information(answer)
        self._device = replace(
            self._device,
            manufacturer=self._text(facts.get("Manufacturer", "")),
            model=self._text(facts.get("Model", "")),
        )
        for service in ("media2", "media"):  # Media2 knows H.265; older devices have Media only
            if service in services:
                try:
                    await self._add_streams(client, services[service], is_media2=service == "media2")
                except FaultError as error:
                    self._failure = error
                if self._device.streams:
                    break
        if self._failure:
            raise self._failure

    async def _services(self, client: SoapClient) -> dict[str, str]:
        """Return the address of each service, on this device."""
        try:
            answer = await client.call(self._found.url, envelopes.device_get_services(include_capability=False))
            services = parsers.parse_services(answer)
        except FaultError:  # a call of 2010 and later
            services = parsers.parse_capabilities(
                await client.call(self._found.url, envelopes.device_get_capabilities())
            )
        return {name: self._here(address) for name, address in services.items()}

    async def _add_streams(self, client: SoapClient, service: str, *, is_media2: bool) -> None:
        answer = await client.call(service, envelopes.media_get_profiles(use_media2=is_media2))
        profiles = [profile for profile in parsers.parse_profiles(answer) if "video_encoder" in profile]
        for channel, members in enumerate(_channels(profiles[: ONVIF.max_streams]), 1):
            for profile in members:
                token = profile["token"]
                request = envelopes.media_get_stream_uri(profile_token=token, use_media2=is_media2)
                try:
                    address = self._usable(parsers.parse_stream_uri(await client.call(service, request)))
                except FaultError as error:
                    self._failure = error
                else:
                    self._add(channel, profile, address)

    def _add(self, channel: int, profile: Mapping[str, Any], address: SourceUrl) -> None:
        encoder, others = profile["video_encoder"], self._device.streams
        if self._scrub(address.without_login()) in (stream.url for stream in others):
            return  # a second profile of the same stream
        stream = VideoStream(
            channel,
            "sub" if any(stream.channel == channel for stream in others) else "main",
            self._text(profile["name"] or profile["token"]),
            self._text(encoder["encoding"]),
            _plausible(encoder.get("width")),
            _plausible(encoder.get("height")),
            _plausible(encoder.get("fps_limit")),
            self._scrub(address.without_login()),
            self._login is not None or address.has_login,
        )
        self._device = replace(self._device, streams=(*self._device.streams, stream))

    def _usable(self, text: str) -> SourceUrl:
        """Return the address of a stream. Raise FaultError if it is none."""
        try:
            parts = urlsplit(text)
            if parts.hostname and parts.hostname in urls.UNROUTABLE_HOSTS:
                text = urls.rewrite_host(text, self._found.url)
            if not text.isprintable() or " " in text:
                raise ValueError
            return SourceUrl(text)
        except ValueError:
            raise FaultError("gives an address of a stream that is none") from None

    def _here(self, address: str) -> str:
        """Return the address of a service on this device, whatever host it claims: it gets a digest of the password."""
        try:
            parts, own = urlsplit(address), urlsplit(self._found.url)
            if parts.hostname == own.hostname and parts.scheme in ("http", "https"):
                own = own._replace(scheme=parts.scheme, netloc=parts.netloc.rpartition("@")[2])
        except ValueError:
            raise CallError("gives an address of a service that is none") from None
        return own._replace(path=parts.path, query=parts.query).geturl()

    def _text(self, text: str) -> str:
        return " ".join(self._scrub(text).split())[: ONVIF.max_text]


def _channels(profiles: Iterable[Mapping[str, Any]]) -> list[list[Mapping[str, Any]]]:
    """Return the profiles by video source, the largest picture of each first."""
    channels: dict[str, list[Mapping[str, Any]]] = {}
    for profile in profiles:
        source = profile.get("video_source", {})
        channels.setdefault(source.get("source_token") or "", []).append(profile)
    return [sorted(members, key=_pixels, reverse=True) for members in channels.values()]


def _pixels(profile: Mapping[str, Any]) -> int:
    encoder = profile["video_encoder"]
    return (encoder.get("width") or 0) * (encoder.get("height") or 0)


def _plausible(number: int | None) -> int | None:
    return number if number and 0 < number <= ONVIF.max_number else None
