"""What stands before the page: who may see it, and what it may do in the browser."""

import ipaddress
import re
import secrets
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qs, urlencode

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

COOKIE = "stream_ocr_token"
_HEADERS = {
    "Content-Security-Policy": "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "object-src 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
_PORT = re.compile(r":\d+$")


class AuthMiddleware:
    """ASGI middleware.

    token: what a viewer has to show once, as ``?token=``, and then as a cookie; None lets everybody in who asks for
    a loopback name, which keeps out pages of others that point a name of theirs at this machine.
    """

    def __init__(self, app: ASGIApp, token: str | None = None) -> None:
        self._app, self._token = app, token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers[name] = value
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        answer = self._refusal(scope)
        await (answer or self._app)(scope, receive, guarded)

    def _refusal(self, scope: Scope) -> Response | None:
        """What to say instead of the page; None for those who may see it."""
        headers = Headers(scope=scope)
        if self._token is None:
            host = _PORT.sub("", headers.get("host", "")).removeprefix("[").removesuffix("]")
            return None if is_loopback(host) else PlainTextResponse("Ask for localhost.\n", 421)
        if _same(_cookie(headers), self._token):
            return None
        query = parse_qs(scope["query_string"].decode("latin-1"))
        if not _same(query.pop("token", [""])[0], self._token):
            return PlainTextResponse("Open the address that was printed at the start: it ends in a token.\n", 401)
        rest = f"?{urlencode(query, doseq=True)}" if query else ""
        answer = RedirectResponse(f"{scope['path']}{rest}", 303)
        answer.set_cookie(COOKIE, self._token, httponly=True, samesite="strict", path="/")
        return answer


def is_loopback(host: str) -> bool:
    """Whether an address or name is that of this machine for itself."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _same(given: str, token: str) -> bool:
    return secrets.compare_digest(given.encode(), token.encode())


def _cookie(headers: Headers) -> str:
    try:
        found = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
    except CookieError:
        return ""
    return found.value if found else ""
