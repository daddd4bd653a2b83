"""Addresses of cameras, and redaction of their passwords.

A ``SourceUrl`` is always printed without user, password and query; only FFmpeg gets the whole address. A ``Scrubber``
removes known secrets from text written by others, such as error messages of FFmpeg. It searches for the secrets
themselves in all their spellings rather than for patterns of addresses, because new messages may not match a pattern.
"""

import base64
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlsplit, urlunsplit

from pydantic import GetCoreSchemaHandler, SerializationInfo
from pydantic_core import CoreSchema, core_schema

from stream_ocr.config.thresholds import THRESHOLDS

SCHEMES = ("rtsp", "rtsps", "http", "https")
_PORTS = {"rtsp": 554, "rtsps": 322, "http": 80, "https": 443}
REVEAL = {"reveal": True}
"""Serialisation context in which pydantic writes addresses with their passwords. Use it for pipes to workers only."""

_HIDDEN = "***"
_MALFORMED = "the address is malformed; write characters such as @, / and # in a password as %40, %2F and %23"
_SECRET_NAMES = re.compile("pass|pwd|token|key|secret|auth|sig", re.IGNORECASE)
_SECRET_PARAMETER = re.compile(rf"([a-z]*(?:{_SECRET_NAMES.pattern})[a-z]*=)[^&;/?]+", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class SourceUrl:
    """An address of a camera. ``str`` and ``repr`` omit what may be secret.

    Raises ValueError if it is not a valid address of a source. The message does not contain the address.
    """

    _text: str = field(repr=False)

    def __post_init__(self) -> None:
        try:
            parts = urlsplit(self._text)
            host, _ = parts.hostname, parts.port
        except ValueError:
            raise ValueError(_MALFORMED) from None
        if parts.scheme not in SCHEMES or not host:
            raise ValueError(f"an address starts with {', '.join(f'{scheme}://' for scheme in SCHEMES)} and a host")
        if parts.fragment or "@" in parts.path:  # the rest of a password, which would be shown
            raise ValueError(_MALFORMED)
        if parts.username == _HIDDEN:
            raise ValueError("the password of this address was replaced by *** when it was printed; enter it again")

    def reveal(self) -> str:
        """Return the whole address, including the password."""
        return self._text

    def without_login(self) -> str:
        """Return the address without user and password; what looks like a password in its path or query is ``***``."""
        parts = urlsplit(self._text)
        path, query = (_SECRET_PARAMETER.sub(rf"\1{_HIDDEN}", part) for part in (parts.path, parts.query))
        return urlunsplit((parts.scheme, self.host, path, query, ""))

    @property
    def has_login(self) -> bool:
        """Return True if the address contains a user, a password, or what looks like one."""
        parts = urlsplit(self._text)
        return "@" in parts.netloc or any(_SECRET_PARAMETER.search(part) for part in (parts.path, parts.query))

    @property
    def scheme(self) -> str:
        """Return the scheme, such as ``rtsp``."""
        return urlsplit(self._text).scheme

    @property
    def host(self) -> str:
        """Return host and port."""
        return urlsplit(self._text).netloc.rpartition("@")[2]

    @property
    def port(self) -> int:
        """Return the port, of the address or of its scheme."""
        parts = urlsplit(self._text)
        return parts.port or _PORTS[parts.scheme]

    @property
    def secrets(self) -> frozenset[str]:
        """Return all secrets in the address, in all their spellings."""
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
            _validate,
            serialization=core_schema.plain_serializer_function_ser_schema(
                _serialize, info_arg=True, return_schema=core_schema.str_schema()
            ),
        )


@dataclass(frozen=True, slots=True)
class Scrubber:
    """Removes secrets from texts."""

    secrets: frozenset[str] = frozenset()

    @classmethod
    def for_urls(cls, urls: Iterable[SourceUrl]) -> "Scrubber":
        """Return a scrubber that knows the secrets of these addresses."""
        return cls(frozenset(secret for url in urls for secret in url.secrets))

    def __call__(self, text: str) -> str:
        """Return the text with every secret replaced by ``***``."""
        for secret in sorted(self.secrets, key=len, reverse=True):
            text = text.replace(secret, _HIDDEN)
        return text


def _validate(value: object) -> SourceUrl:
    if isinstance(value, SourceUrl):
        return value
    if not isinstance(value, str):
        raise ValueError("an address must be a string")
    return SourceUrl(value.strip())


def _serialize(url: SourceUrl, info: SerializationInfo) -> str:
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
        yield from (word for word in _spellings(password) if len(word) >= THRESHOLDS.min_secret_length)
    for name, value in parse_qsl(parts.query):
        if _SECRET_NAMES.search(name) and len(value) >= THRESHOLDS.min_secret_length:
            yield from _spellings(value)


def _spellings(word: str) -> set[str]:
    """Return a word as given, decoded, and percent-encoded with upper- and lower-case digits."""
    plain = unquote(word)
    encoded = {quote(plain, safe=""), quote(plain)}
    lower = {re.sub("%..", lambda code: code[0].lower(), each) for each in encoded}
    return {word, plain, *encoded, *lower} - {""}
