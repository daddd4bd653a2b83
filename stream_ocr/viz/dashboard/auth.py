"""Access control and security headers of web servers."""

import re
import secrets
from collections.abc import Callable, Collection, Sequence
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qs, urlencode

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocketClose

from stream_ocr.viz.dashboard.address import is_loopback

COOKIE = "stream_ocr_token"
_POLICY = "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; object-src 'none'"
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
_PORT = re.compile(r":\d+$")

OTHER_SITE = "A page of another site must not send requests here."


class AuthMiddleware:
    """ASGI middleware that checks a token and adds security headers.

    token: a viewer sends it once as ``?token=`` and then as a cookie, a program as ``Authorization: Bearer``. None:
    accept requests for a loopback host name only, which prevents DNS rebinding. picture_origins: returns the origins
    from which the page may load pictures besides its own, such as http://10.0.0.7:9560. for_programs: accept the token
    in that header only, and refuse in JSON. public: paths that need no token.
    """

    def __init__(
        self,
        app: ASGIApp,
        token: str | None = None,
        *,
        picture_origins: Callable[[], Sequence[str]] = tuple,
        for_programs: bool = False,
        public: Collection[str] = (),
    ) -> None:
        self._app, self._token, self._picture_origins = app, token, picture_origins
        self._for_programs, self._public = for_programs, public

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            allowed = is_own_page(Headers(scope=scope)) and self._denial(scope) is None
            await (self._app if allowed else WebSocketClose())(scope, receive, send)
            return
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["Content-Security-Policy"] = self._policy()
                for name, value in _HEADERS.items():
                    headers[name] = value
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        response = None if scope["path"] in self._public else self._denial(scope)
        if response is None and scope["method"] not in ("GET", "HEAD") and not is_own_page(Headers(scope=scope)):
            response = self._refusal(OTHER_SITE, 403)
        await (response or self._app)(scope, receive, send_with_headers)

    def _policy(self) -> str:
        origins = self._picture_origins()
        return f"{_POLICY}; img-src 'self' {' '.join(origins)}" if origins else _POLICY

    def _denial(self, scope: Scope) -> Response | None:
        """Return the response for a viewer without access, or None for one with access."""
        headers = Headers(scope=scope)
        if self._token is None:
            host = _PORT.sub("", headers.get("host", "")).removeprefix("[").removesuffix("]")
            return None if is_loopback(host) else self._refusal("Use localhost as the host name.", 421)
        if _matches(_bearer(headers), self._token):
            return None
        if self._for_programs:
            return self._refusal("Send the token of this server as 'Authorization: Bearer TOKEN'.", 401)
        if _matches(_cookie(headers), self._token):
            return None
        query = parse_qs(scope["query_string"].decode("latin-1"))
        if not _matches(query.pop("token", [""])[0], self._token):
            return self._refusal("Open the URL that was printed at the start; it ends in a token.", 401)
        rest = f"?{urlencode(query, doseq=True)}" if query else ""
        path = scope["path"].lstrip("/\\")  # browsers take what follows two slashes for a host
        response = RedirectResponse(f"/{path}{rest}", 303)
        response.set_cookie(COOKIE, self._token, httponly=True, samesite="strict", path="/")
        return response

    def _refusal(self, sentence: str, status: int) -> Response:
        if not self._for_programs:
            return PlainTextResponse(f"{sentence}\n", status)
        headers = {"WWW-Authenticate": "Bearer"} if status == 401 else None
        return JSONResponse({"error": sentence}, status, headers)


def is_own_page(headers: Headers) -> bool:
    """Return False for a request of another site's page: browsers let any page send forms and open a WebSocket.

    Programs send neither header.
    """
    if headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
        return False
    origin = headers.get("origin")
    return origin is None or origin.partition("://")[2] == headers.get("host")


def _matches(given: str, token: str) -> bool:
    return secrets.compare_digest(given.encode(), token.encode())


def _bearer(headers: Headers) -> str:
    """Return the token of ``Authorization: Bearer TOKEN`` (RFC 6750), which programs send."""
    scheme, _, token = headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def _cookie(headers: Headers) -> str:
    try:
        found = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
    except CookieError:
        return ""
    return found.value if found else ""
