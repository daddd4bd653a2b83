"""Addresses of cameras, whose passwords are for FFmpeg alone.

A ``SourceUrl`` shows itself without user, password and query, however it is printed. A ``Scrubber`` takes known
secrets out of sentences that others made, such as those of FFmpeg: by the secrets themselves in all the ways in which
they are written, not by a pattern of what an address looks like, which every new message would slip through.
"""

import base64
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from pydantic import GetCoreSchemaHandler, SerializationInfo
from pydantic_core import CoreSchema, core_schema

SCHEMES = ("rtsp", "rtsps", "http", "https")
REVEAL = {"reveal": True}
"""The context in which pydantic writes addresses as they are: for pipes to workers, and nothing else."""

_HIDDEN = "***"
_MALFORMED = "the address is malformed; characters such as @, / and # in a password are written %40, %2F and %23"
_SECRET_NAMES = re.compile("pass|pwd|token|key|secret|auth|sig", re.IGNORECASE)
_SHORT = 4  # letters; what is shorter stands by chance in much that is no secret


@dataclass(frozen=True, slots=True)
class SourceUrl:
    """An address as the user gave it. ``str`` and ``repr`` leave out what may be secret.

    Raises ValueError, without the address in it, where it is none of a source.
    """

    _text: str = field(repr=False)

    def __post_init__(self) -> None:
        try:
            parts = urlsplit(self._text)
            host, _ = parts.hostname, parts.port
        except ValueError:
            raise ValueError(_MALFORMED) from None
        if parts.fragment:
            raise ValueError(_MALFORMED)
        if parts.scheme not in SCHEMES or not host:
            raise ValueError(f"an address begins with {', '.join(f'{scheme}://' for scheme in SCHEMES)} and a host")
        if parts.username == _HIDDEN:
            raise ValueError("the password of this address was left out when it was printed; put it in again")

    def reveal(self) -> str:
        """The whole address."""
        return self._text

    @property
    def scheme(self) -> str:
        return urlsplit(self._text).scheme

    @property
    def host(self) -> str:
        """Host and port."""
        return urlsplit(self._text).netloc.rpartition("@")[2]

    @property
    def secrets(self) -> frozenset[str]:
        """All ways in which what is secret in it may be written."""
        return frozenset(_secrets(self._text))

    def __str__(self) -> str:
        parts = urlsplit(self._text)
        user = f"{_HIDDEN}@" if "@" in parts.netloc else ""
        query = f"?{_HIDDEN}" if parts.query else ""
        return f"{parts.scheme}://{user}{self.host}{parts.path}{query}"

    def __repr__(self) -> str:
        return f"SourceUrl({str(self)!r})"

    @classmethod
    def __get_pydantic_core_schema__(cls, _source: Any, _handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(
            _read,
            serialization=core_schema.plain_serializer_function_ser_schema(
                _written, info_arg=True, return_schema=core_schema.str_schema()
            ),
        )


@dataclass(frozen=True, slots=True)
class Scrubber:
    """Takes secrets out of texts."""

    secrets: frozenset[str] = frozenset()

    @classmethod
    def of(cls, urls: Iterable[SourceUrl]) -> "Scrubber":
        """One that knows the secrets of these addresses."""
        return cls(frozenset(secret for url in urls for secret in url.secrets))

    def __call__(self, text: str) -> str:
        """The text with ``***`` for every secret."""
        for secret in sorted(self.secrets, key=len, reverse=True):
            text = text.replace(secret, _HIDDEN)
        return text


def _read(value: object) -> SourceUrl:
    if isinstance(value, SourceUrl):
        return value
    if not isinstance(value, str):
        raise ValueError("an address is a text")
    return SourceUrl(value.strip())


def _written(url: SourceUrl, info: SerializationInfo) -> str:
    return url.reveal() if info.context == REVEAL else str(url)


def _secrets(text: str) -> Iterator[str]:
    parts = urlsplit(text)
    userinfo, at, _ = parts.netloc.rpartition("@")
    user, _, password = userinfo.partition(":")
    if at:
        for name in _spellings(user):
            for word in _spellings(password):
                pair = f"{name}:{word}"
                yield pair
                encoded = base64.b64encode(pair.encode()).decode()
                yield from (encoded, encoded.rstrip("="))
        yield from (word for word in _spellings(password) if len(word) >= _SHORT)
    for name, value in parse_qsl(parts.query):
        if _SECRET_NAMES.search(name) and len(value) >= _SHORT:
            yield from _spellings(value)


def _spellings(word: str) -> set[str]:
    """A word plain, percent-encoded with small and capital letters, and as it is."""
    plain = unquote(word)
    coded = {quote(plain, safe=""), quote(plain)}
    small = {re.sub("%..", lambda code: code[0].lower(), each) for each in coded}
    return {word, plain, *coded, *small} - {""}
