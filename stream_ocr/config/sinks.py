"""Settings of sinks and of the rules that filter their events.

Secrets are never written into settings. A setting contains the location of the secret: ``env:NAME`` or ``file:PATH``.
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

_MIB = 1 << 20  # bytes


def _check_secret_location(value: str) -> str:
    kind, _, location = value.partition(":")
    if kind not in ("env", "file") or not location:
        # The value is not repeated: it may be the secret.
        raise ValueError("do not write a secret here; give its location as env:NAME or file:PATH")
    return value


def _check_web_address_or_location(value: str) -> str:
    if value.startswith(("env:", "file:")):  # the address may be a secret
        return _check_secret_location(value)
    return check_web_address(value)


def check_web_address(value: str) -> str:
    """Return an http or https address unchanged.

    Raises ValueError if it is not valid. The message does not contain the address, which may be a secret.
    """
    try:
        url = urlsplit(value)
        plain = value.isascii() and value.isprintable() and " " not in value
        valid = plain and url.scheme in ("http", "https") and url.hostname and url.port != 0
    except ValueError:
        valid = False
    if not valid:
        raise ValueError("give a complete address, such as https://example.org/events")
    if url.username is not None or url.fragment:
        raise ValueError("remove the user, password and fragment from the address")
    return value


def _check_topic(value: str) -> str:
    if not value.strip("/") or set(value) & set("+#\0"):
        raise ValueError("a topic must not be empty and must not contain + or #")
    return value.rstrip("/")


def _check_token(value: str) -> str:
    if not value or not value.isprintable() or set(value) & set(" .*>/\\%"):
        raise ValueError("a name must not be empty and must not contain spaces or any of . * > / \\ %")
    return value


def _check_nats_server(value: str) -> str:
    url = urlsplit(value)
    if url.scheme not in ("nats", "tls") or not url.hostname:
        raise ValueError("give an address such as nats://127.0.0.1:4222")
    if url.username is not None:
        raise ValueError("remove the user and password from the address; use token or credentials")
    return value


def _check_regex(value: str | None) -> str | None:
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
        raise ValueError(f"{value!r} is not a valid RE2 regular expression: {reason}") from None
    return value


def _check_time_zone(value: str | None) -> str | None:
    if value is not None:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ValueError(f"{value!r} is not a known time zone; use a name such as Europe/Zurich") from None
    return value


Secret = Annotated[str, AfterValidator(_check_secret_location)]


class _BaseSink(ConfigModel):
    name: str | None = Field(
        None, min_length=1, description="Name of the sink in rules and logs. null: its path or its type."
    )


class _FileSink(_BaseSink):
    path: Path = Field(description="Path of the file.")

    @property
    def label(self) -> str:
        """Return the name of the sink in rules and logs."""
        return self.name or str(self.path)


class JsonlSettings(_FileSink):
    """JSON Lines file that is appended to and rotated by size or day."""

    type: Literal["jsonl"] = Field(description="JSON Lines: one event per line.")
    max_bytes: int | None = Field(
        None, ge=1, description="The file is rotated before it exceeds this size in bytes. null: no limit."
    )
    daily: bool = Field(False, description="The file is rotated at midnight UTC.")
    compress: Literal["none", "gzip"] = Field("none", description="Compression of rotated files.")
    keep: int | None = Field(None, ge=1, description="Number of rotated files to keep. null: all.")


class CsvSettings(_FileSink):
    """CSV file with one row per text."""

    type: Literal["csv"] = Field(description="CSV: one row per text.")


class FieldsSettings(_FileSink):
    """Text files of named fields, for OBS."""

    path: Path = Field(description="Folder; it is made if there is none.")
    type: Literal["fields"] = Field(
        description="A text file for each named field, PATH/STREAM/FIELD.txt, and all in PATH/fields.json."
    )
    clear: bool = Field(False, description="A field is empty while its text is not on the screen.")


class SubtitleSettings(_FileSink):
    """Subtitle file, written at the end of the run."""

    type: Literal["srt", "vtt", "ass", "txt"] = Field(
        description="SubRip, WebVTT, Advanced SubStation Alpha with positions, or plain text."
    )
    select: Literal["all", "captions", "region"] = Field(
        "all",
        description="all: every text. captions: the subtitles of a film, found among the other texts. region: every "
        "text but overlays, for streams of which only the region of the subtitles is read.",
    )

    @model_validator(mode="after")
    def _check_suffix(self) -> "SubtitleSettings":
        if self.path.suffix.lower() != f".{self.type}":
            raise ValueError(f"the path of a sink of type {self.type} must end with .{self.type}")
        return self


class _QueuedSink(_BaseSink):
    type: str
    spool: Path = Field(description="Folder for events that wait for delivery. Each sink needs its own folder.")
    max_spool_bytes: int = Field(
        64 * _MIB,
        ge=1 << 16,
        description="Maximum size of the spool in bytes; when it is full, further events are lost and counted.",
    )
    flush_timeout_s: float = Field(
        5.0, ge=0, description="Maximum time in seconds that the end of a run waits for the delivery of queued events."
    )

    @property
    def label(self) -> str:
        """Return the name of the sink in rules and logs."""
        return self.name or self.type


class WebhookSettings(_QueuedSink):
    """HTTP requests with batches of events."""

    type: Literal["webhook"] = Field(description="POST requests with a JSON array of events.")
    url: Annotated[str, AfterValidator(_check_web_address_or_location)] = Field(
        description="Address that receives the events, http or https; or its location as env:NAME or file:PATH."
    )
    secret: Secret | None = Field(
        None, description="Location of the signing key: env:NAME or file:PATH. null: requests are not signed."
    )
    ca_file: Path | None = Field(None, description="File with trusted CA certificates. null: those of the system.")
    max_events: int = Field(100, ge=1, description="Maximum number of events in a request.")
    request_timeout_s: float = Field(
        10.0, gt=0, description="Maximum time in seconds of a request, including the response."
    )
    min_backoff_s: float = Field(
        0.5,
        gt=0,
        description="Approximate delay in seconds after a failed request; it doubles with each further failure.",
    )
    max_backoff_s: float = Field(60.0, gt=0, description="Maximum delay in seconds between requests after failures.")


class MqttSettings(_QueuedSink):
    """MQTT messages to a broker."""

    type: Literal["mqtt"] = Field(description="One MQTT 3.1.1 message per event, with QoS 1.")
    host: str = Field(min_length=1, description="Host name or address of the broker.")
    port: int | None = Field(None, ge=1, le=65535, description="TCP port of the broker. null: 1883, or 8883 with TLS.")
    tls: bool = Field(False, description="Encrypt the connection with TLS.")
    ca_file: Path | None = Field(None, description="File with trusted CA certificates. null: those of the system.")
    username: str | None = Field(None, description="User name for the broker. null: no login.")
    password: Secret | None = Field(None, description="Location of the password: env:NAME or file:PATH.")
    topic: Annotated[str, AfterValidator(_check_topic)] = Field(
        "stream-ocr", description="Root topic; events are published to TOPIC/STREAM/KIND."
    )
    retain: bool = Field(
        False, description="Also publish the currently visible texts as a retained message at TOPIC/STREAM/now."
    )
    home_assistant: Annotated[str, AfterValidator(_check_topic)] | None = Field(
        None,
        description="Prefix of MQTT discovery in Home Assistant, homeassistant by default there: a sensor for the last "
        "text of each camera and for each named field, and the picture of the last text. null: no discovery.",
    )
    keepalive_s: int = Field(
        15,
        ge=1,
        le=3600,
        description="MQTT keep-alive interval in seconds; a broker that is silent for longer is disconnected.",
    )


class NatsConnection(ConfigModel):
    """A connection to NATS servers."""

    servers: tuple[Annotated[str, AfterValidator(_check_nats_server)], ...] = Field(
        min_length=1, description="Addresses of the servers of one cluster: nats://HOST:PORT, or tls://HOST:PORT."
    )
    token: Secret | None = Field(None, description="Location of the token: env:NAME or file:PATH. null: none.")
    credentials: Path | None = Field(None, description="File with credentials (.creds). null: none.")
    ca_file: Path | None = Field(None, description="File with trusted CA certificates. null: those of the system.")
    jetstream: Annotated[str, AfterValidator(_check_token)] = Field(
        "stream-ocr", description="Name of the JetStream; it is created if there is none."
    )
    subject: Annotated[str, AfterValidator(_check_token)] = Field(
        "ocr", description="First token of all subjects: SUBJECT.SITE.STREAM.KIND."
    )


class NatsSettings(NatsConnection, _QueuedSink):
    """Messages in a NATS JetStream."""

    type: Literal["nats"] = Field(description="One message per event in a NATS JetStream.")
    site: Annotated[str, AfterValidator(_check_token)] = Field(
        "local", description="Name of this host or place in the subjects. Names of cameras are unique within a site."
    )
    keep_days: float = Field(30.0, gt=0, description="Days for which a JetStream that is created keeps events.")


SinkSettings = Annotated[
    JsonlSettings | CsvSettings | FieldsSettings | SubtitleSettings | WebhookSettings | MqttSettings | NatsSettings,
    Field(discriminator="type"),
]


class Match(ConfigModel):
    """Conditions on an event. All conditions that are set must hold."""

    regex: Annotated[str | None, AfterValidator(_check_regex)] = Field(
        None, description="RE2 regular expression that must match somewhere in the text."
    )
    watch: tuple[Annotated[str, Field(pattern=r"\w")], ...] = Field(
        (), description="Words or phrases, at least one of which must occur in the text; case is ignored."
    )
    distance: int = Field(
        1, ge=0, le=8, description="Maximum edit distance (in letters) between a word of watch and the text."
    )
    stream: str | None = Field(None, min_length=1, description="Name of the stream; * matches any characters.")
    region: tuple[Point, ...] | None = Field(
        None,
        min_length=3,
        description="Polygon in pixels of the source frame that must contain the centre of the text.",
    )
    hours: TimeOfDayRange | None = Field(
        None, description="Range of times of day, such as 06:00-22:30; it may pass midnight."
    )
    zone: Annotated[str | None, AfterValidator(_check_time_zone)] = Field(
        None, description="Time zone of hours, such as Europe/Zurich. null: the local time zone."
    )

    @model_validator(mode="after")
    def _check_watch(self) -> "Match":
        if self.watch and find_spec("rapidfuzz") is None:
            raise ValueError("watched words need the extra: pip install 'stream-ocr[rules]'")
        for word in self.watch:
            if len(word) <= self.distance:
                raise ValueError(f"with a distance of {self.distance} every text matches {word!r}; lower `distance`")
        return self


class Rule(ConfigModel):
    """Filter of the events for the sinks that it names."""

    match: Match = Field(Match(), description="Conditions on the event.")
    kinds: tuple[Kind | SourceKind, ...] = Field((), description="Kinds of event. Empty: all.")
    sinks: tuple[str, ...] = Field(min_length=1, description="Names of the sinks that receive matching events.")


def _none_to_empty(value: object) -> object:
    return () if value is None else value


Sinks = Annotated[tuple[SinkSettings, ...], BeforeValidator(_none_to_empty)]
Rules = Annotated[tuple[Rule, ...], BeforeValidator(_none_to_empty)]


def check_sinks(sink_settings: Sequence[SinkSettings], rules: Sequence[Rule]) -> None:
    """Raise ValueError if two sinks share a name or spool, or if a rule names a sink that does not exist."""
    labels = [sink.label for sink in sink_settings]
    for label in labels:
        if labels.count(label) > 1:
            raise ValueError(f"two sinks have the name {label!r}; give each its own name")
    spools = [sink.spool for sink in sink_settings if isinstance(sink, _QueuedSink)]
    for spool in spools:
        if spools.count(spool) > 1:
            raise ValueError(f"two sinks have the spool {spool}; give each its own folder")
    for rule in rules:
        for name in rule.sinks:
            if name not in labels:
                raise ValueError(
                    f"a rule names the unknown sink {name!r}; the sinks are: {', '.join(labels) or 'none'}"
                )
