"""All settings: typed, frozen, documented.

Sources of values, the later ones win: defaults, the YAML file, environment variables such as
``STREAM_OCR_DETECTION__MAX_FPS=3``, overrides such as ``--set detection.max_fps=3``. Durations are in seconds, sizes in
pixels of the source frame. The descriptions below are printed as comments by ``stream-ocr config``.
"""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, Field, ValidationError, model_validator

from stream_ocr.config import loading, sinks
from stream_ocr.config.areas import Areas
from stream_ocr.config.base import ConfigModel
from stream_ocr.config.fleet import FleetSettings
from stream_ocr.config.reporting import EventSettings
from stream_ocr.config.sinks import Rules, Sinks
from stream_ocr.config.sources import LiveSettings, SourceName, SourceSettings
from stream_ocr.config.stages import (
    DecodeSettings,
    DetectionSettings,
    GatingSettings,
    RecognitionSettings,
    TrackingSettings,
)
from stream_ocr.config.storage import SocketSettings, StoreSettings
from stream_ocr.config.thresholds import THRESHOLDS
from stream_ocr.config.urls import REVEAL, Scrubber
from stream_ocr.config.web import DashboardSettings, ServeSettings
from stream_ocr.errors import SettingsError

SETTINGS_VERSION = 1  # version of the settings files


class ServiceSettings(ConfigModel):
    """Operation of ``stream-ocr run``."""

    listen: str | None = Field(
        "127.0.0.1:9560",
        pattern=r"^[\w.-]+:\d{1,5}$",
        description="HTTP address HOST:PORT of /healthz, /readyz and /metrics. null: no HTTP server.",
    )
    shutdown_timeout_s: float = Field(
        8.0,
        gt=0,
        description="Maximum time in seconds from the first SIGINT or SIGTERM to the exit. "
        "A second signal exits at once.",
    )
    heartbeat_timeout_s: float = Field(
        8.0, gt=0, description="A worker process that sends no heartbeat for this many seconds is replaced."
    )
    ticket_key: sinks.Secret | None = Field(
        None,
        description="Location of the key of tickets, env:NAME or file:PATH: with a ticket, other machines get pictures "
        "of cameras from `listen`. `stream-ocr fleet` sets it. null: only this machine does.",
    )
    permit: Path | None = Field(
        None,
        description="File with the time until which the run may read and publish. `stream-ocr fleet` sets and extends "
        "it. null: no limit.",
    )


class LogSettings(ConfigModel):
    """Log lines on standard error."""

    style: Literal["auto", "console", "json"] = Field(
        "auto",
        description="console: readable text. json: one JSON object per line. auto: console on a terminal, json "
        "otherwise.",
    )
    level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="Minimum level of the lines that are logged."
    )
    trace: Path | None = Field(
        None,
        description="File for a trace of all workers: what each worked on, and when. Perfetto (ui.perfetto.dev) and "
        "chrome://tracing show it.",
    )


class Settings(ConfigModel):
    """All settings with their defaults."""

    version: int = Field(
        SETTINGS_VERSION,
        ge=1,
        description="Version of this format. It is raised when settings are renamed or mean something else; "
        "a newer one is refused.",
    )
    models: Literal["auto", "builtin", "multilingual", "ppocr"] = Field(
        "auto",
        description="builtin: the detector and recogniser that are part of the package. multilingual: the built-in "
        "detector and the recogniser of PP-OCRv6, 50 languages (Chinese, Japanese, Latin script). ppocr: "
        "detector and recogniser of PP-OCRv6. auto: builtin, and PP-OCRv6 as second reader "
        "if the extra [ppocr] is installed.",
    )
    device: Literal["auto", "cpu", "cuda"] = Field(
        "auto", description="Device that runs the networks. auto: CUDA if a CUDA device is available, CPU otherwise."
    )
    dtype: Literal["auto", "fp32", "bf16"] = Field(
        "auto",
        description="Number format of the networks. auto: bf16 for networks in PyTorch on a device that supports it, "
        "fp32 otherwise.",
    )
    threads: int | None = Field(
        None,
        ge=1,
        description="Number of CPU threads of each network. null: chosen from the number of cores, half as many when "
        "each stage runs in its own process.",
    )
    decode: DecodeSettings = Field(DecodeSettings(), description="Video decoding.")
    gating: GatingSettings = Field(
        GatingSettings(), description="Change detection, which decides how much work a frame gets."
    )
    detection: DetectionSettings = Field(DetectionSettings(), description="Text detection: where there is text.")
    tracking: TrackingSettings = Field(TrackingSettings(), description="Tracking of text between frames.")
    recognition: RecognitionSettings = Field(RecognitionSettings(), description="Text recognition: what the text says.")
    events: EventSettings = Field(EventSettings(), description="What is reported, and corrections of it.")
    dashboard: DashboardSettings = Field(DashboardSettings(), description="The web page of `stream-ocr dashboard`.")
    serve: ServeSettings = Field(
        ServeSettings(), description="Reading of files that are sent over HTTP, `stream-ocr serve`; see docs/serve.md."
    )
    logs: LogSettings = Field(LogSettings(), description="Log lines on standard error.")
    store: StoreSettings = Field(
        StoreSettings(), description="SQLite store of all events, for replay and search; see docs/subscribe.md."
    )
    socket: SocketSettings = Field(
        SocketSettings(), description="ZeroMQ sockets for subscribers; see docs/subscribe.md."
    )
    live: LiveSettings = Field(
        LiveSettings(), description="Timeouts and reconnection of live sources; see docs/cameras.md."
    )
    service: ServiceSettings = Field(
        ServiceSettings(), description="Operation of `stream-ocr run`; see docs/cameras.md."
    )
    fleet: FleetSettings = Field(FleetSettings(), description="Hosts of `stream-ocr fleet`; see docs/fleet.md.")
    sources: dict[SourceName, SourceSettings] = Field(
        {}, max_length=THRESHOLDS.max_sources, description="Cameras by name; see docs/cameras.md."
    )
    sinks: Sinks = Field((), description="Outputs that receive events, such as files and webhooks; see docs/sinks.md.")
    rules: Rules = Field(
        (),
        description="Filters for sinks: a sink that is named in a rule receives only matching events, "
        "any other sink receives all.",
    )

    @model_validator(mode="before")
    @classmethod
    def _check_version(cls, values: Any) -> Any:
        """Refuse a newer version alone: its other settings would be reported as mistakes."""
        version = values.get("version") if isinstance(values, dict) else None
        if isinstance(version, int) and version > SETTINGS_VERSION:
            raise ValueError(
                f"these settings have version {version}, but this program reads version {SETTINGS_VERSION}; "
                "install the version of stream_ocr that they were written for"
            )
        return values

    @model_validator(mode="after")
    def _check_sinks(self) -> Self:
        sinks.check_sinks(self.sinks, self.rules)
        return self

    @model_validator(mode="after")
    def _check_socket(self) -> Self:
        if self.socket.events is not None and self.store.path is None:
            raise ValueError("socket.events needs a store to replay from; set store.path as well")
        return self

    @property
    def keeps_crops(self) -> bool:
        """Return whether the pictures of texts are stored or shown."""
        shown = (isinstance(sink, sinks.MqttSettings) and sink.home_assistant for sink in self.sinks)
        return self.store.crops or any(shown)

    @property
    def scrubber(self) -> Scrubber:
        """Return a scrubber that removes the passwords of all sources from a text."""
        return Scrubber.for_urls(source.address for source in self.sources.values() if source.address is not None)

    def for_workers(self) -> dict[str, Any]:
        """Return these settings as JSON types, with passwords in plain text. Pass the result through pipes only.

        Addresses from ``url_env`` and ``url_file`` are included, so that workers do not depend on those any more.
        """
        values = self.model_dump(mode="json", context=REVEAL)
        for name, source in self.sources.items():
            if source.address is not None:
                values["sources"][name] |= {"url": source.address.reveal(), "url_env": None, "url_file": None}
        return values

    @classmethod
    def load(cls, path: Path | None = None, overrides: Sequence[str] = ()) -> Self:
        """Load settings from a YAML file, the environment and ``a.b=c`` overrides, each optional.

        Raises SettingsError with a list of all mistakes.
        """
        tree: dict[str, Any] = {}
        origins: dict[str, str] = {}
        mistakes: list[str] = []
        known = list(setting_names())
        for origin, name, value in loading.read_values(path, overrides, known, mistakes):
            origins[name] = origin
            loading.set_nested(tree, name, value)
        try:
            settings = cls.model_validate(tree)
        except ValidationError as error:
            details = error.errors()
            count = len(mistakes) + len(details)
            for detail in details[: THRESHOLDS.max_shown_mistakes]:
                mistakes += loading.describe_error(detail, origins, known)
            raise SettingsError(loading.format_mistakes(mistakes, max(count, len(mistakes)))) from None
        if mistakes:
            raise SettingsError(loading.format_mistakes(mistakes, len(mistakes)))
        return settings

    @classmethod
    def require(cls, settings: object) -> Self:
        """Return the settings that a caller passed, or the defaults for None. Raises TypeError for anything else."""
        if settings is None:
            return cls.load()
        if isinstance(settings, cls):
            return settings
        raise TypeError(
            f"settings is a stream_ocr.Settings, not {type(settings).__name__};"
            " Settings.load(path) reads a file, Settings.model_validate(values) takes a dict."
        )

    def check_files(self) -> None:
        """Raise SettingsError if a lexicon cannot be read, or if a source's video or the language model is no file."""
        for name, source in self.sources.items():
            path = source.path
            if path is not None and not path.is_relative_to("/dev") and not os.path.lexists(path):
                raise SettingsError(f"sources.{name}.path: there is no file {str(path)!r}; check the path.")
        table = self.recognition.language_model
        if isinstance(table, Path) and not table.is_file():
            raise SettingsError(f"recognition.language_model: there is no file {str(table)!r}; check the path.")
        for constraints in (self.recognition, *self.sources.values()):
            if constraints.lexicon is not None:
                constraints.read_lexicon()

    def for_stream(self, stream: str) -> Self:
        """Return these settings with what the source of that name sets for itself in ``detection`` and ``events``."""
        source = self.sources.get(stream)
        if source is None:
            return self
        areas = {name: getattr(source, name) or getattr(self.detection, name) for name in Areas.model_fields}
        own = {name: getattr(source, name) for name in EventSettings.model_fields if getattr(source, name) is not None}
        return self.model_copy(
            update={
                "detection": self.detection.model_copy(update=areas),
                "events": self.events.model_copy(update=own),
            }
        )

    def without_sinks(self) -> Self:
        """Return these settings without sinks and rules, for a process that does not write to the sinks itself."""
        return self.model_copy(update={"sinks": (), "rules": ()})

    def to_yaml(self) -> str:
        """Return a YAML file that ``load`` reads, with the description above each setting."""
        from stream_ocr.config import documentation  # imports PyYAML

        return documentation.to_yaml(self)


def debug_enabled() -> bool:
    """Return True if errors are shown with their traceback (STREAM_OCR_DEBUG)."""
    return bool(os.environ.get("STREAM_OCR_DEBUG"))


def read_secret(location: str) -> bytes:
    """Return the secret at ``env:NAME`` or ``file:PATH``, without the line end.

    Raises SettingsError if it is missing.
    """
    kind, _, name = location.partition(":")
    if kind == "env":
        value = os.environ.get(name, "").encode()
    else:
        try:
            value = Path(name).read_bytes().rstrip(b"\r\n")
        except OSError as error:
            raise SettingsError(f"The secret at {location} cannot be read: {error.strerror}.") from error
    if not value:
        raise SettingsError(f"There is no secret at {location}; put it there.")
    return value


def setting_names(group: type[BaseModel] = Settings, prefix: str = "") -> Iterator[str]:
    """Yield the dotted name of every setting."""
    for name, field in group.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, ConfigModel):
            yield from setting_names(field.annotation, f"{prefix}{name}.")
        elif name == "sources":
            yield from setting_names(SourceSettings, f"{prefix}{name}.NAME.")
        else:
            yield prefix + name
