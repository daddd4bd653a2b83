"""Address of a web server: its listening socket, URL and access token. Needs no packages of the extra."""

import ipaddress
import secrets
import socket

from stream_ocr.config.web import ListenSettings
from stream_ocr.errors import SettingsError, SinkError
from stream_ocr.sinks.base import describe_error
from stream_ocr.viz.thresholds import DASHBOARD


def open_listener(settings: ListenSettings, section: str = "dashboard") -> socket.socket:
    """Return a socket that listens at the address of the settings. section: their name. Raises SinkError."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(family)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.host, settings.port))
        listener.listen()  # from here on a client waits for the server instead of being refused
    except OSError as error:
        listener.close()
        raise SinkError(
            f"A server cannot listen at {settings.host}:{settings.port}: {describe_error(error)}; "
            f"set {section}.port to another port, or to 0 for any free one."
        ) from error
    return listener


def dashboard_url(listener: socket.socket, token: str | None) -> str:
    """Return the URL to open in a browser."""
    host, port = listener.getsockname()[:2]
    wildcards = {"0.0.0.0": socket.gethostname(), "::": socket.gethostname()}
    name = wildcards.get(host, f"[{host}]" if ":" in host else host)
    return f"http://{name}:{port}/" + (f"?token={token}" if token else "")


def resolve_token(settings: ListenSettings, section: str = "dashboard") -> str | None:
    """Return the token that visitors need: from the token file, or else a new one, or None at a loopback address.

    section: name of the settings. Raises SettingsError when the file cannot be read or the token is too short.
    """
    if settings.token_file is not None:
        try:
            token = settings.token_file.read_text(encoding="ascii").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise SettingsError(
                f"{section}.token_file {settings.token_file} cannot be read: {describe_error(error)}."
            ) from error
        if len(token) < DASHBOARD.min_token_chars:
            raise SettingsError(
                f"{section}.token_file {settings.token_file} has a token of {len(token)} characters; make it"
                f" {DASHBOARD.min_token_chars} or more."
            )
        return token
    return None if is_loopback(settings.host) else secrets.token_urlsafe(DASHBOARD.token_bytes)


def is_loopback(host: str) -> bool:
    """Return whether a host name or address is a loopback one."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
