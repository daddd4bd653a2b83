"""Settings: typed, frozen, documented.

Later ones win: defaults, the YAML file, ``STREAM_OCR_DETECTION__MAX_FPS=3`` in the environment,
``--set detection.max_fps=3``. Durations are seconds, sizes are pixels of the source frame.
"""

import os
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import BaseModel, Field, ValidationError, model_validator

from stream_ocr.config import loading, sinks
from stream_ocr.config.base import OFF, ConfigModel, TextConstraints
from stream_ocr.config.sinks import Rules, Sinks
from stream_ocr.config.sources import LiveSettings, SourceName, SourceSettings
from stream_ocr.config.storage import SocketSettings, StoreSettings
from stream_ocr.config.urls import REVEAL, Scrubber
from stream_ocr.errors import SettingsError


class DecodeSettings(ConfigModel):
    threads: int = Field(1, ge=1, description="Threads of the video decoder.")
    max_pixels: int = Field(33_177_600, ge=1, description="Larger pictures are refused; the default is 7680×4320.")


class GatingSettings(ConfigModel):
    change_threshold: float = Field(
        7.0,
        gt=0,
        description="Root mean square difference of luma (0–255) from which a cell of the picture has changed.",
    )


class BatchSettings(ConfigModel):
    max_items: int = Field(4, ge=1, description="Frames in a batch at most.")
    max_wait_ms: float = Field(10.0, ge=0, description="How long a batch waits to fill, in milliseconds.")


class DetectionSettings(ConfigModel):
    idle_fps: float = Field(
        2.0,
        gt=0,
        description="Looks of the detector per second of video while things move and nothing appears;"
        " three of four begin with a glance at half the size.",
    )
    max_fps: float = Field(5.0, gt=0, description="Looks of the detector per second of video at most.")
    long_side: int | None = Field(
        None, ge=32, description="The longer side of the picture is scaled to this; null: the model's own."
    )
    fine_pass: Annotated[Literal["auto", "off"], OFF] = Field(
        "auto",
        description="Pictures at least twice as large as long_side are looked at once more at twice the size, for small"
        " text, where they have come to rest.",
    )
    bin_thresh: float | None = Field(
        None, gt=0, lt=1, description="Probability from which a pixel is text; null: the model's own."
    )
    box_thresh: float | None = Field(
        None, ge=0, le=1, description="Mean probability that a region needs; null: the model's own."
    )
    unclip_ratio: float | None = Field(
        None,
        ge=0,
        description="How far regions are grown; 1 undoes the shrinking of the training; null: the model's own.",
    )
    max_boxes: int = Field(300, ge=1, description="Regions kept per frame at most.")
    min_height_px: float = Field(6.0, ge=0, description="Lower text is left alone, in pixels of the source frame.")
    onnx: Path | None = Field(None, description="A DB-style detector in ONNX to use instead of the chosen models.")
    batch: BatchSettings = Field(BatchSettings(), description="Frames of several streams that are looked at together.")


class TrackingSettings(ConfigModel):
    birth_score: float | None = Field(
        None,
        ge=0,
        le=1,
        description="Regions below this score may continue a text, though not start one; null: the model's own.",
    )
    min_age_s: float = Field(0.2, ge=0, description="A text in sight for so long needs no second detection.")
    max_lost_s: float = Field(1.0, ge=0, description="A text out of sight for so long has ended.")


class RecognitionSettings(TextConstraints):
    max_batch: int = Field(16, ge=1, description="Lines in a batch at most.")
    max_readings: int = Field(5, ge=1, description="Readings that are fused for one view of a text at most.")
    reread_interval_s: float = Field(
        0.5, ge=0, description="Between the first two looks; it doubles with each further one."
    )
    reread: Literal["when_unsure", "always"] = Field(
        "when_unsure",
        description="Which of these readings are made: those that may change something, or all.",
    )
    max_readings_per_s: float = Field(
        2.0, gt=0, description="Readings per second, in the long run, of a text that never stops changing."
    )
    margin: float | None = Field(
        None, ge=0, description="Crops are cut this much larger on every side, in heights; null: the model's own."
    )
    onnx: Path | None = Field(None, description="A CTC recogniser in ONNX to use instead of the chosen models.")
    characters: Path | None = Field(
        None, description="The characters of that recogniser, one per line; null: those it carries itself."
    )
    temperature: float | None = Field(
        None,
        gt=0,
        description="The odds of each character are taken to the power 1 / temperature, so that confidences are "
        "honest; null: the model's own.",
    )
    beam: int = Field(1, ge=1, le=100, description="Texts that are kept in mind while reading; 1: the best path.")


class EventSettings(ConfigModel):
    min_confidence: float = Field(
        0.75,
        ge=0,
        le=1,
        description="Texts whose characters are read with less confidence, in the geometric mean, are not reported.",
    )
    min_characters: int = Field(1, ge=1, description="Shorter texts are not reported.")


class DashboardSettings(ConfigModel):
    host: str = Field(
        "127.0.0.1", description="Address that the page is served at; any but a loopback one asks for a token."
    )
    port: int = Field(8650, ge=0, le=65535, description="Its port; 0 takes any that is free.")
    token_file: Path | None = Field(
        None, description="A file with the token; null: one is made at each start and printed."
    )


class ServiceSettings(ConfigModel):
    listen: str | None = Field(
        "127.0.0.1:9560",
        pattern=r"^[\w.-]+:\d{1,5}$",
        description="Where `run` answers /healthz, /readyz and /metrics; null: nowhere.",
    )
    shutdown_timeout_s: float = Field(
        8.0, gt=0, description="From the first signal to the end at most; a second one ends at once."
    )
    heartbeat_timeout_s: float = Field(
        8.0, gt=0, description="A worker without a sign of life for so long is replaced."
    )


class LogSettings(ConfigModel):
    style: Literal["auto", "console", "json"] = Field(
        "auto", description="auto: for people on a terminal, JSON lines otherwise."
    )
    level: Literal["debug", "info", "warning", "error"] = Field("info", description="The least level that is shown.")


class Settings(ConfigModel):
    """Everything that can be set, with its default."""

    models: Literal["auto", "builtin", "ppocr"] = Field(
        "auto", description="own: the weights that come along; ppocr: PP-OCRv6, 50 languages; auto: own."
    )
    device: Literal["auto", "cpu", "cuda"] = Field(
        "auto", description="auto: CUDA where there is a device, or else CPU."
    )
    dtype: Literal["auto", "fp32", "bf16"] = Field(
        "auto", description="auto: for torch bf16 where the device computes in it, or else fp32."
    )
    threads: int | None = Field(
        None,
        ge=1,
        description="Threads of each network on the CPU; null: as many as help, for files half of the cores.",
    )
    decode: DecodeSettings = Field(DecodeSettings(), description="From file to frames.")
    gating: GatingSettings = Field(GatingSettings(), description="What counts as a change of the picture.")
    detection: DetectionSettings = Field(DetectionSettings(), description="Where text is.")
    tracking: TrackingSettings = Field(TrackingSettings(), description="Which text is the same as before.")
    recognition: RecognitionSettings = Field(RecognitionSettings(), description="What the text says.")
    events: EventSettings = Field(EventSettings(), description="What is reported.")
    dashboard: DashboardSettings = Field(DashboardSettings(), description="The page of `stream-ocr dashboard`.")
    logs: LogSettings = Field(LogSettings(), description="Log lines on standard error.")
    store: StoreSettings = Field(StoreSettings(), description="Where events are kept; see docs/subscribe.md.")
    socket: SocketSettings = Field(
        SocketSettings(), description="Where other programs get events; see docs/subscribe.md."
    )
    live: LiveSettings = Field(LiveSettings(), description="How sources that never end are kept.")
    service: ServiceSettings = Field(
        ServiceSettings(), description="How a run of cameras is operated; see docs/cameras.md."
    )
    sources: dict[SourceName, SourceSettings] = Field({}, description="Cameras by name; see docs/cameras.md.")
    sinks: Sinks = Field((), description="Where events go besides; see docs/sinks.md.")
    rules: Rules = Field((), description="Which events go to sinks that are named in a rule; all others get all.")

    @model_validator(mode="after")
    def _rules_name_sinks(self) -> Self:
        sinks.check_sinks(self.sinks, self.rules)
        return self

    @model_validator(mode="after")
    def _socket_has_store(self) -> Self:
        if self.socket.events is not None and self.store.path is None:
            raise ValueError("socket.events needs a store to replay from; set store.path, too")
        return self

    @property
    def scrubber(self) -> Scrubber:
        """Knows the passwords of all sources."""
        return Scrubber.of(source.address for source in self.sources.values() if source.address is not None)

    def for_workers(self) -> dict[str, Any]:
        """These settings as JSON can say them, addresses with their passwords: only for pipes."""
        return self.model_dump(mode="json", context=REVEAL)

    @classmethod
    def load(cls, path: Path | None = None, overrides: Sequence[str] = ()) -> Self:
        """Settings of a YAML file, the environment and ``a.b=c`` overrides, each optional.

        Raises SettingsError that names every mistake at once.
        """
        tree: dict[str, Any] = {}
        origins: dict[str, str] = {}
        mistakes: list[str] = []
        known = list(setting_names())
        for origin, name, value in loading.values(path, overrides, known, mistakes):
            origins[name] = origin
            loading.put(tree, name, value)
        try:
            settings = cls.model_validate(tree)
        except ValidationError as error:
            for problem in error.errors():
                mistakes += loading.sentences(problem, origins, known)
        if mistakes:
            raise SettingsError(loading.report(mistakes))
        return settings

    def without_sinks(self) -> Self:
        """These settings for a part of the program whose events are given to the sinks by another part."""
        return self.model_copy(update={"sinks": (), "rules": ()})

    def yaml(self) -> str:
        """These settings as a file that ``load`` takes, each under its description."""
        return "\n".join(_document(self)) + "\n"


def debug_enabled() -> bool:
    """Whether errors shall be shown with their traceback (STREAM_OCR_DEBUG)."""
    return bool(os.environ.get("STREAM_OCR_DEBUG"))


def read_secret(place: str) -> bytes:
    """What lies at ``env:NAME`` or ``file:PATH``, without the line end. Raises SettingsError when there is nothing."""
    kind, _, name = place.partition(":")
    if kind == "env":
        value = os.environ.get(name, "").encode()
    else:
        try:
            value = Path(name).read_bytes().rstrip(b"\r\n")
        except OSError as error:
            raise SettingsError(f"The secret at {place} cannot be read: {error.strerror}.") from error
    if not value:
        raise SettingsError(f"There is no secret at {place}; put it there.")
    return value


def setting_names(section: type[BaseModel] = Settings, prefix: str = "") -> Iterator[str]:
    """The dotted name of every setting."""
    for name, field in section.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, ConfigModel):
            yield from setting_names(field.annotation, f"{prefix}{name}.")
        elif name == "sources":
            yield from setting_names(SourceSettings, f"{prefix}{name}.NAME.")
        else:
            yield prefix + name


def _document(section: BaseModel, indent: str = "") -> Iterator[str]:
    for name, field in type(section).model_fields.items():
        value = getattr(section, name)
        yield f"{indent}# {field.description}"
        if isinstance(value, ConfigModel):
            yield f"{indent}{name}:"
            yield from _document(value, indent + "  ")
        else:
            short = name in ("sources", "sinks", "rules")  # of what stands in lists, only what is not as always
            plain = section.model_dump(mode="json", include={name}, exclude_defaults=short).get(name, value)
            text = yaml.safe_dump({name: plain}, allow_unicode=True, width=1000, sort_keys=not short)
            yield textwrap.indent(text.strip(), indent)
