"""Settings of sinks, and of the rules that say which events go to which of them.

Secrets are never settings. A setting says where one is: ``env:NAME`` or ``file:PATH``.
"""

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from stream_ocr.config.base import ConfigModel, TimeOfDayRange
from stream_ocr.events import Kind, SourceKind
from stream_ocr.events.polygon import Point

_MIB = 1 << 20


def _place_of_secret(value: str) -> str:
    kind, _, place = value.partition(":")
    if kind not in ("env", "file") or not place:
        raise ValueError("a secret is not written here; say where it is, as env:NAME or file:PATH")  # and never echoed
    return value


def _web_address(value: str) -> str:
    if value.startswith(("env:", "file:")):  # some addresses are secrets
        return _place_of_secret(value)
    return web_address(value)


def web_address(value: str) -> str:
    """The address. Raises ValueError, without it, where nothing can be sent to it."""
    try:
        url = urlsplit(value)
        plain = value.isascii() and value.isprintable() and " " not in value
        known = plain and url.scheme in ("http", "https") and url.hostname and url.port != 0
    except ValueError:
        known = False
    if not known:
        raise ValueError("give a whole address, as in https://example.org/events")
    if url.username is not None or url.fragment:
        raise ValueError("an address here has neither user, password nor fragment")
    return value


def _topic(value: str) -> str:
    if not value.strip("/") or set(value) & set("+#\0"):
        raise ValueError("a topic to publish under is not empty and has none of + and #")
    return value.rstrip("/")


def _pattern(value: str | None) -> str | None:
    if value is None:
        return None
    try:
        import re2
    except ImportError:
        raise ValueError("regular expressions need the extra: pip install 'stream-ocr[rules]'") from None
    options = re2.Options()
    options.log_errors = False
    try:
        re2.compile(value, options=options)
    except re2.error as error:
        reason = error.args[0].decode() if isinstance(error.args[0], bytes) else error
        raise ValueError(f"{value!r} is no regular expression of RE2: {reason}") from None
    return value


def _zone(value: str | None) -> str | None:
    if value is not None:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError(f"{value!r} is no time zone that is known here; use one as Europe/Zurich") from None
    return value


Secret = Annotated[str, AfterValidator(_place_of_secret)]


class _BaseSink(ConfigModel):
    name: str | None = Field(None, min_length=1, description="What rules and logs call it; its path or type else.")


class _FileSink(_BaseSink):
    path: Path = Field(description="The file.")

    @property
    def label(self) -> str:
        """What rules and logs call it."""
        return self.name or str(self.path)


class JsonlSettings(_FileSink):
    """JSON lines that are added to, and put aside when they are many or of yesterday."""

    type: Literal["jsonl"] = Field(description="JSON lines.")
    max_bytes: int | None = Field(None, ge=1, description="A file is put aside before it grows beyond this.")
    daily: bool = Field(False, description="A file is put aside when a day (UTC) is over.")
    compress: Literal["none", "gzip"] = Field("none", description="What is done to a file that was put aside.")
    keep: int | None = Field(None, ge=1, description="Files put aside that are kept; null: all.")


class CsvSettings(_FileSink):
    """A table of texts."""

    type: Literal["csv"] = Field(description="One row per text.")


class SubtitleSettings(_FileSink):
    """Subtitles, written at the end."""

    type: Literal["srt", "vtt"] = Field(description="SubRip or WebVTT.")

    @model_validator(mode="after")
    def _suffix(self) -> "SubtitleSettings":
        if self.path.suffix.lower() != f".{self.type}":
            raise ValueError(f"the path of subtitles of type {self.type} ends with .{self.type}")
        return self


class _QueuedSink(_BaseSink):
    type: str
    spool: Path = Field(description="A folder of its own where events wait until they are delivered.")
    spool_bytes: int = Field(64 * _MIB, ge=1 << 16, description="What waits there at most; further events are lost.")
    close_s: float = Field(5.0, ge=0, description="How long the end of a run waits for what is still to be delivered.")

    @property
    def label(self) -> str:
        """What rules and logs call it."""
        return self.name or self.type


class WebhookSettings(_QueuedSink):
    """Events in batches to a web address."""

    type: Literal["webhook"] = Field(description="POST requests with a JSON array of events.")
    url: Annotated[str, AfterValidator(_web_address)] = Field(
        description="Where events are sent, http or https; or env:NAME or file:PATH."
    )
    secret: Secret | None = Field(None, description="Key of the signature: env:NAME or file:PATH.")
    ca_file: Path | None = Field(None, description="Certificates to trust; null: those of the system.")
    max_events: int = Field(100, ge=1, description="Events in a request at most.")
    request_s: float = Field(10.0, gt=0, description="A request that is not answered by then has failed.")
    pause_s: float = Field(0.5, gt=0, description="About the pause after a failure; it doubles with each further one.")
    max_pause_s: float = Field(60.0, gt=0, description="The longest pause.")


class MqttSettings(_QueuedSink):
    """Events to an MQTT broker."""

    type: Literal["mqtt"] = Field(description="A message for each event, by MQTT 3.1.1 with QoS 1.")
    host: str = Field(min_length=1, description="The broker.")
    port: int | None = Field(None, ge=1, le=65535, description="Its port; null: 1883, or 8883 with TLS.")
    tls: bool = Field(False, description="Encrypt.")
    ca_file: Path | None = Field(None, description="Certificates to trust; null: those of the system.")
    username: str | None = Field(None, description="Who we are.")
    password: Secret | None = Field(None, description="Of that user: env:NAME or file:PATH.")
    topic: Annotated[str, AfterValidator(_topic)] = Field("stream-ocr", description="Events go to TOPIC/STREAM/KIND.")
    retain: bool = Field(False, description="Keep the texts now in sight as a retained message at TOPIC/STREAM/now.")
    keepalive_s: int = Field(15, ge=1, le=3600, description="A broker silent for about this long is gone.")


SinkSettings = Annotated[
    JsonlSettings | CsvSettings | SubtitleSettings | WebhookSettings | MqttSettings, Field(discriminator="type")
]


class Match(ConfigModel):
    """What an event must be like; everything that is given must hold."""

    regex: Annotated[str | None, AfterValidator(_pattern)] = Field(
        None, description="Regular expression (RE2) that is found somewhere in the text."
    )
    watch: tuple[Annotated[str, Field(pattern=r"\w")], ...] = Field(
        (), description="Words or phrases; one of them is in the text, in capitals or not."
    )
    distance: int = Field(1, ge=0, le=8, description="Letters that may be wrong, missing or surplus in a watched word.")
    stream: str | None = Field(None, min_length=1, description="Name of the stream, where * stands for anything.")
    region: tuple[Point, ...] | None = Field(
        None, min_length=3, description="Polygon, in pixels of the source frame, that holds the middle of the text."
    )
    hours: TimeOfDayRange | None = Field(None, description="Span of the day, as in 06:00-22:30; it may pass midnight.")
    zone: Annotated[str | None, AfterValidator(_zone)] = Field(
        None, description="Time zone of the hours; null: the machine's."
    )

    @model_validator(mode="after")
    def _can_watch(self) -> "Match":
        if self.watch and find_spec("rapidfuzz") is None:
            raise ValueError("watched words need the extra: pip install 'stream-ocr[rules]'")
        for word in self.watch:
            if len(word) <= self.distance:
                raise ValueError(f"with {self.distance} wrong letters anything is {word!r}; lower `distance`")
        return self


class Rule(ConfigModel):
    """Which events go to the sinks that it names."""

    match: Match = Field(Match(), description="What an event must be like.")
    kinds: tuple[Kind | SourceKind, ...] = Field((), description="Kinds of event; none given: all.")
    sinks: tuple[str, ...] = Field(min_length=1, description="Names of the sinks that get it.")


def _none_is_empty(value: object) -> object:
    return () if value is None else value


Sinks = Annotated[tuple[SinkSettings, ...], BeforeValidator(_none_is_empty)]
Rules = Annotated[tuple[Rule, ...], BeforeValidator(_none_is_empty)]


def check_sinks(outputs: Sequence[SinkSettings], rules: Sequence[Rule]) -> None:
    """Raise ValueError where two sinks have one name or spool, or a rule names a sink that is not there."""
    labels = [output.label for output in outputs]
    for label in labels:
        if labels.count(label) > 1:
            raise ValueError(f"two sinks are called {label!r}; give each a name of its own")
    spools = [output.spool for output in outputs if isinstance(output, _QueuedSink)]
    for spool in spools:
        if spools.count(spool) > 1:
            raise ValueError(f"two sinks have the spool {spool}; give each a folder of its own")
    for rule in rules:
        for name in rule.sinks:
            if name not in labels:
                raise ValueError(f"a rule names the sink {name!r}; there are {', '.join(labels) or 'none'}")
