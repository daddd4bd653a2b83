"""An ONVIF device for tests: WS-Discovery over multicast and SOAP over HTTP, as the WSDL of ONVIF defines them.

It checks the WS-Security digest with its own clock and refuses a nonce that it has seen. Each device listens on a
loopback address of its own, so that several of them share ports as in a network. With a fault it is no good device:
see ``faults.py``.
"""

import base64
import hashlib
import os
import re
import socket
import struct
import sys
import threading
import xml.etree.ElementTree as ET
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from xml.sax.saxutils import escape

from onvif_camera.faults import FAULTS
from onvif_camera.messages import SCHEMA, Profile, envelope, fault, media2_profile, media_profile, probe_match

GROUP = ("239.255.255.250", 3702)
DIGEST = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-username-token-profile-1.0#PasswordDigest"
SERVICES = {"device": "tds", "media": "trt", "media2": "tr2"}
MAX_AGE_S = 5.0  # of a digest


@dataclass
class OnvifCamera:
    """A running device; a context manager.

    host: its loopback address. login: (user, password), or None for a device that is open to all. services: of
    ``SERVICES``. types: what it answers to a probe. fault: of ``FAULTS`` in faults.py, or deaf: it
    answers no probe. clock_s: by which its clock is ahead.
    has_get_services: False for a device that knows GetCapabilities only. claimed_host: in the addresses that it gives.
    http_digest: a device that asks for HTTP digest instead of WS-Security.
    """

    profiles: tuple[Profile, ...] = ()
    host: str = "127.0.0.2"
    name: str = "Hall"
    login: tuple[str, str] | None = None
    services: tuple[str, ...] = ("device", "media")
    types: str = "dn:NetworkVideoTransmitter"
    fault: str | None = None
    clock_s: float = 0.0
    has_get_services: bool = True
    claimed_host: str | None = None
    http_digest: bool = False
    requests: list[bytes] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def __enter__(self) -> Self:
        self._nonces: set[bytes] = set()
        self._ended = threading.Event()
        self._server = _Server((self.host, 0), Handler)
        self._server.camera = self
        self._udp = _multicast_socket()
        self._reply = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._reply.bind((self.host, 0))
        self._threads = [threading.Thread(target=work) for work in (self._serve, self._answer_probes)]
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._server.shutdown()
        for thread in self._threads:
            thread.join()
        for each in (self._udp, self._reply):
            each.close()
        self._server.server_close()
        assert self.errors == []

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    @property
    def address(self) -> str:
        return f"{self.host}:{self.port}"

    def wait(self, time_s: float | None = None) -> bool:
        """Wait until the device is stopped, or for a time; return whether it is stopped."""
        return self._ended.wait(time_s)

    def answer(self, path: str, request: bytes) -> tuple[int, bytes]:
        """Return HTTP status and document for a call."""
        self.requests.append(request)
        message = ET.fromstring(request)
        call = message.find("s:Body/*", SCHEMA)
        assert call is not None
        namespace, _, operation = call.tag[1:].partition("}")
        service = next(name for name in self.services if SCHEMA[SERVICES[name]] == namespace)
        assert path == f"/onvif/{service}_service"
        if operation not in {"GetSystemDateAndTime", "GetServices", "GetCapabilities"} and not self._knows(message):
            return 400, fault("ter:NotAuthorized", "Sender not Authorized")
        content = self._contents().get((service, operation))
        if content is None:
            return 500, fault("ter:ActionNotSupported", "Optional Action Not Implemented")
        return 200, envelope(content(call))

    def _contents(self) -> dict[tuple[str, str], Callable[[ET.Element], str]]:
        calls = {
            ("device", "GetSystemDateAndTime"): self._time,
            ("device", "GetServices"): self._services,
            ("device", "GetCapabilities"): self._capabilities,
            ("device", "GetDeviceInformation"): self._information,
            ("media", "GetProfiles"): self._profiles,
            ("media", "GetStreamUri"): self._stream_uri,
            ("media2", "GetProfiles"): self._profiles2,
            ("media2", "GetStreamUri"): self._stream_uri2,
        }
        if not self.has_get_services:
            del calls["device", "GetServices"]
        return calls

    def _knows(self, message: ET.Element) -> bool:
        """Return whether the header has the digest of the password, fresh and not seen before."""
        if self.login is None or self.http_digest:
            return True
        token = message.find("s:Header/wsse:Security/wsse:UsernameToken", SCHEMA)
        if token is None:
            return False
        user, created = token.findtext("wsse:Username", "", SCHEMA), token.findtext("wsu:Created", "", SCHEMA)
        nonce = base64.b64decode(token.findtext("wsse:Nonce", "", SCHEMA))
        password = token.find("wsse:Password", SCHEMA)
        assert password is not None
        assert password.get("Type") == DIGEST, "the password is not sent in clear text"
        expected = hashlib.sha1(nonce + created.encode() + self.login[1].encode()).digest()
        age_s = (self._now() - datetime.fromisoformat(created)).total_seconds()
        fresh = abs(age_s) <= MAX_AGE_S and nonce not in self._nonces
        self._nonces.add(nonce)
        return fresh and (user, password.text) == (self.login[0], base64.b64encode(expected).decode())

    def _now(self) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=self.clock_s)

    def _url(self, service: str) -> str:
        return f"http://{self.claimed_host or self.host}:{self.port}/onvif/{service}_service"

    def _time(self, _call: ET.Element) -> str:
        now = self._now()
        clock = f"<tt:Hour>{now.hour}</tt:Hour><tt:Minute>{now.minute}</tt:Minute><tt:Second>{now.second}</tt:Second>"
        date = f"<tt:Year>{now.year}</tt:Year><tt:Month>{now.month}</tt:Month><tt:Day>{now.day}</tt:Day>"
        return (
            "<tds:GetSystemDateAndTimeResponse><tds:SystemDateAndTime><tt:DateTimeType>NTP</tt:DateTimeType>"
            f"<tt:DaylightSavings>false</tt:DaylightSavings><tt:UTCDateTime><tt:Time>{clock}</tt:Time>"
            f"<tt:Date>{date}</tt:Date></tt:UTCDateTime></tds:SystemDateAndTime></tds:GetSystemDateAndTimeResponse>"
        )

    def _services(self, _call: ET.Element) -> str:
        version = "<tds:Version><tt:Major>2</tt:Major><tt:Minor>60</tt:Minor></tds:Version>"
        each = (
            f"<tds:Service><tds:Namespace>{SCHEMA[SERVICES[name]]}</tds:Namespace>"
            f"<tds:XAddr>{self._url(name)}</tds:XAddr>{version}</tds:Service>"
            for name in self.services
        )
        return f"<tds:GetServicesResponse>{''.join(each)}</tds:GetServicesResponse>"

    def _capabilities(self, _call: ET.Element) -> str:
        streaming = "<tt:StreamingCapabilities><tt:RTP_RTSP_TCP>true</tt:RTP_RTSP_TCP></tt:StreamingCapabilities>"
        return (
            "<tds:GetCapabilitiesResponse><tds:Capabilities>"
            f"<tt:Device><tt:XAddr>{self._url('device')}</tt:XAddr></tt:Device>"
            f"<tt:Media><tt:XAddr>{self._url('media')}</tt:XAddr>{streaming}</tt:Media>"
            "</tds:Capabilities></tds:GetCapabilitiesResponse>"
        )

    def _information(self, _call: ET.Element) -> str:
        facts = {
            "Manufacturer": "ACME",
            "Model": "Eye 2",
            "FirmwareVersion": "1",
            "SerialNumber": "7",
            "HardwareId": "8",
        }
        each = "".join(f"<tds:{name}>{value}</tds:{name}>" for name, value in facts.items())
        return f"<tds:GetDeviceInformationResponse>{each}</tds:GetDeviceInformationResponse>"

    def _profiles(self, _call: ET.Element) -> str:
        return f"<trt:GetProfilesResponse>{''.join(map(media_profile, self.profiles))}</trt:GetProfilesResponse>"

    def _profiles2(self, _call: ET.Element) -> str:
        return f"<tr2:GetProfilesResponse>{''.join(map(media2_profile, self.profiles))}</tr2:GetProfilesResponse>"

    def _stream_uri(self, call: ET.Element) -> str:
        assert call.findtext("trt:StreamSetup/tt:Stream", "", SCHEMA) == "RTP-Unicast"
        assert call.findtext("trt:StreamSetup/tt:Transport/tt:Protocol", "", SCHEMA) == "RTSP"
        uri = f"<tt:Uri>{self._uri(call.findtext('trt:ProfileToken', '', SCHEMA))}</tt:Uri>"
        details = (
            "<tt:InvalidAfterConnect>false</tt:InvalidAfterConnect><tt:InvalidAfterReboot>false</tt:InvalidAfterReboot>"
            "<tt:Timeout>PT0S</tt:Timeout>"
        )
        return f"<trt:GetStreamUriResponse><trt:MediaUri>{uri}{details}</trt:MediaUri></trt:GetStreamUriResponse>"

    def _stream_uri2(self, call: ET.Element) -> str:
        assert call.findtext("tr2:Protocol", "", SCHEMA) == "RtspUnicast"
        uri = f"<tr2:Uri>{self._uri(call.findtext('tr2:ProfileToken', '', SCHEMA))}</tr2:Uri>"
        return f"<tr2:GetStreamUriResponse>{uri}</tr2:GetStreamUriResponse>"

    def _uri(self, token: str) -> str:
        (profile,) = (profile for profile in self.profiles if profile.token == token)
        return escape(profile.url)

    def _serve(self) -> None:
        self._server.serve_forever(poll_interval=0.05)

    def _answer_probes(self) -> None:
        while not self._ended.is_set():
            try:
                datagram, sender = self._udp.recvfrom(65_535)
            except TimeoutError:
                continue
            probe = ET.fromstring(datagram)
            if self.fault == "deaf" or self.types not in probe.findtext("s:Body/d:Probe/d:Types", "", SCHEMA).split():
                continue
            if self.fault == "garbage":
                self._reply.sendto(os.urandom(500), sender)
            message_id = probe.findtext("s:Header/a:MessageID", "", SCHEMA)
            self._reply.sendto(probe_match(self.name, self.types, self._url("device"), message_id), sender)


class _Server(ThreadingHTTPServer):
    camera: OnvifCamera
    daemon_threads = False

    def handle_error(self, _request: Any, _client_address: Any) -> None:
        error = sys.exception()
        if not isinstance(error, ConnectionError):  # a client that had enough
            self.camera.errors.append(repr(error))


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_POST(self) -> None:
        camera = self.server.camera
        request = self.rfile.read(int(self.headers["Content-Length"]))
        if camera.fault in FAULTS:
            self.close_connection = True
            FAULTS[camera.fault](self)
            return
        if camera.http_digest and not self._has_http_digest():
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="camera"')
            self.send_header("WWW-Authenticate", 'Digest realm="camera", nonce="1234", qop="auth", algorithm=MD5')
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self.send(*camera.answer(self.path, request))

    def send(self, status: int, document: bytes, **headers: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/soap+xml; charset=utf-8")
        self.send_header("Content-Length", str(len(document)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(document)

    def write(self, data: bytes) -> None:
        self.wfile.write(data)

    def wait(self, time_s: float | None = None) -> bool:
        return self.server.camera.wait(time_s)

    def log_message(self, *_: object) -> None:
        pass

    def _has_http_digest(self) -> bool:
        given = dict(re.findall(r'(\w+)="?([^",]+)"?', self.headers.get("Authorization", "")))
        if not given:
            return False
        assert self.headers["Authorization"].startswith("Digest "), "the password is not sent in clear text"
        assert self.server.camera.login is not None
        user, password = self.server.camera.login
        one = _md5(f"{user}:camera:{password}")
        two = _md5(f"POST:{given['uri']}")
        expected = _md5(f"{one}:1234:{given['nc']}:{given['cnonce']}:auth:{two}")
        return (given["username"], given["response"]) == (user, expected)


def _loopback() -> bytes:
    return struct.pack("4s4si", socket.inet_aton(GROUP[0]), bytes(4), socket.if_nametoindex("lo"))


def _multicast_socket() -> socket.socket:
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    udp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    udp.bind(GROUP)
    udp.settimeout(0.05)
    udp.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, _loopback())
    return udp


def _md5(text: str) -> str:
    return hashlib.md5(text.encode()).hexdigest()
