"""The server as an ASGI application: ``POST /read``, ``/healthz``, and a description of itself."""

from importlib.resources import files

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from stream_ocr.serve.read_endpoint import ReadEndpoint
from stream_ocr.viz.dashboard.auth import AuthMiddleware

_HEALTH = "/healthz"


def create_app(read: ReadEndpoint, *, token: str | None = None) -> Starlette:
    """Return the application. token: see ``AuthMiddleware``; ``/healthz`` needs none."""
    return Starlette(
        routes=[
            Route("/read", read, methods=["POST"]),
            Route(_HEALTH, _health),
            Route("/openapi.json", _description),
        ],
        middleware=[Middleware(AuthMiddleware, token=token, for_programs=True, public=(_HEALTH,))],
        exception_handlers={HTTPException: _on_http_error},
    )


async def _health(_request: Request) -> Response:
    return JSONResponse({"status": "ok"})


async def _description(_request: Request) -> Response:
    document = files("stream_ocr.serve").joinpath("static", "openapi.json").read_bytes()
    return Response(document, media_type="application/json")


async def _on_http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException), "registered for it"
    sentence = f"{request.method} {request.url.path} is not served here; POST /read reads a file."
    return JSONResponse({"error": sentence}, error.status_code, error.headers)
