"""Refusals: errors with the status that a client gets."""

from http import HTTPStatus


class Refused(Exception):  # noqa: N818 - a refusal is no error of the server
    """Raised when a request gets no answer but a status and a sentence. retry_after_s: when to try again."""

    def __init__(self, status: HTTPStatus | int, sentence: str, *, retry_after_s: int | None = None) -> None:
        super().__init__(sentence)
        self.status = int(status)
        self.retry_after_s = retry_after_s
