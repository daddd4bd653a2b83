"""A run beside us: how its cameras do and their pictures, over HTTP."""

import http.client
from collections.abc import Mapping
from http import HTTPStatus
from urllib.parse import urlencode

_PATIENCE_S = 3.0


class RemoteStatus:
    """The run that answers at ``service.listen``."""

    def __init__(self, listen: str) -> None:
        """listen: HOST:PORT."""
        self._listen = listen

    def show(self, path: str, query: Mapping[str, str]) -> tuple[str, bytes] | None:
        """As of ``operation.onlook.Onlook.show``; None, too, when nothing answers there."""
        host, _, port = self._listen.rpartition(":")
        connection = http.client.HTTPConnection(host, int(port), timeout=_PATIENCE_S)
        try:
            connection.request("GET", f"{path}?{urlencode(query)}")
            answer = connection.getresponse()
            body = answer.read()
        except (OSError, http.client.HTTPException):
            return None
        finally:
            connection.close()
        return (answer.headers.get_content_type(), body) if answer.status == HTTPStatus.OK else None
