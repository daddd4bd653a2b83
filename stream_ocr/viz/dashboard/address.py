"""Address of the dashboard: its listening socket, URL and access token. Needs no web server."""

import ipaddress
import secrets
import socket

from stream_ocr.config.settings import DashboardSettings
from stream_ocr.errors import SettingsError, SinkError
from stream_ocr.sinks.base import describe_error
from stream_ocr.viz.thresholds import DASHBOARD


def open_listener(dashboard: DashboardSettings) -> socket.socket:
    """Return a socket that listens at the address of the settings. Raises SinkError."""
    family = socket.AF_INET6 if ":" in dashboard.host else socket.AF_INET
    listener = socket.socket(family)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((dashboard.host, dashboard.port))
        listener.listen()  # from here on a browser waits for the server instead of being refused
    except OSError as error:
        listener.close()
        raise SinkError(
            f"The dashboard cannot listen at {dashboard.host}:{dashboard.port}: {describe_error(error)}; "
            "set dashboard.port to another port, or to 0 for any free one."
        ) from error
    return listener


def dashboard_url(listener: socket.socket, token: str | None) -> str:
    """Return the URL to open in a browser."""
    host, port = listener.getsockname()[:2]
    wildcards = {"0.0.0.0": socket.gethostname(), "::": socket.gethostname()}
    name = wildcards.get(host, f"[{host}]" if ":" in host else host)
    return f"http://{name}:{port}/" + (f"?token={token}" if token else "")


def resolve_token(dashboard: DashboardSettings) -> str | None:
    """Return the token that viewers need: from the token file, or else a new one, or None at a loopback address.

    Raises SettingsError when the file cannot be read or the token is too short.
    """
    if dashboard.token_file is not None:
        try:
            token = dashboard.token_file.read_text(encoding="ascii").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise SettingsError(
                f"dashboard.token_file {dashboard.token_file} cannot be read: {describe_error(error)}."
            ) from error
        if len(token) < DASHBOARD.min_token_chars:
            raise SettingsError(
                f"dashboard.token_file {dashboard.token_file} has a token of {len(token)} characters; make it"
                f" {DASHBOARD.min_token_chars} or more."
            )
        return token
    return None if is_loopback(dashboard.host) else secrets.token_urlsafe(DASHBOARD.token_bytes)


def is_loopback(host: str) -> bool:
    """Return whether a host name or address is a loopback one."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
