"""Sinks: where a run writes its events."""

from collections.abc import Sequence
from pathlib import Path

from stream_ocr.config.settings import Settings
from stream_ocr.config.sinks import (
    CsvSettings,
    FieldsSettings,
    JsonlSettings,
    MqttSettings,
    NatsSettings,
    SinkSettings,
    SubtitleSettings,
    WebhookSettings,
)
from stream_ocr.errors import SinkError
from stream_ocr.sinks.base import Sink, Sinks
from stream_ocr.sinks.console import ConsoleSink
from stream_ocr.sinks.csv import CsvSink
from stream_ocr.sinks.delivery import Delivery, QueuedSink, RetryPolicy
from stream_ocr.sinks.disk_queue import DiskQueue
from stream_ocr.sinks.fields import FieldsSink
from stream_ocr.sinks.jsonl import JsonlSink
from stream_ocr.sinks.parquet import ParquetSink
from stream_ocr.sinks.rotating_jsonl import RotatingJsonlSink
from stream_ocr.sinks.rules import RuledSink
from stream_ocr.sinks.subtitles import Select, SubtitleSink

CONSOLE = "console"

__all__ = [
    "CONSOLE",
    "ConsoleSink",
    "CsvSink",
    "JsonlSink",
    "Sink",
    "Sinks",
    "SubtitleSink",
    "configured",
    "open_sinks",
]


def open_sinks(
    outputs: Sequence[Sink | str | Path], settings: Settings | None = None, *, select: Select = "all"
) -> Sinks:
    """Return the sinks of these outputs; ``with`` opens them.

    outputs: paths that end in .jsonl, .csv, .parquet, .srt, .vtt, .ass or .txt, ``-`` (JSON lines on standard output),
        ``console`` (readable lines), or sinks of the caller's own.
    settings: add the sinks of these settings, with their rules.
    select: texts that subtitle files among the outputs contain, see ``SubtitleSink``.
    Raises SinkError, here or on entering, when a sink cannot be opened, and TypeError for what is no sink.
    """
    sinks = [*(_sink(output, select) for output in outputs), *(sinks_from_settings(settings) if settings else ())]
    names = [sink.name for sink in sinks]
    duplicates = {name for name in names if names.count(name) > 1}
    if duplicates:
        raise SinkError(f"{', '.join(sorted(duplicates))} is given twice as an output; name each output once.")
    return Sinks(sinks)


def sinks_from_settings(settings: Settings) -> list[Sink]:
    """Return the sinks of the settings, each behind its rules. Raises SinkError when a package is missing."""
    sinks = []
    for output in settings.sinks:
        rules = [rule for rule in settings.rules if output.label in rule.sinks]
        sink = _from_settings(output, settings.service.permit)
        sinks.append(RuledSink(sink, rules) if rules else sink)
    return sinks


def _from_settings(output: SinkSettings, permit: Path | None) -> Sink:
    match output:
        case JsonlSettings():
            return RotatingJsonlSink(output)
        case CsvSettings():
            return CsvSink(output.path, name=output.label)
        case FieldsSettings():
            return FieldsSink(output)
        case SubtitleSettings():
            return SubtitleSink(output.path, select=output.select, name=output.label)
        case WebhookSettings() | MqttSettings() | NatsSettings():
            delivery, retry = _delivery(output)
            queue = DiskQueue(output.spool, output.max_spool_bytes)
            return QueuedSink(output.label, queue, delivery, retry, permit=permit)


def _delivery(output: WebhookSettings | MqttSettings | NatsSettings) -> tuple[Delivery, RetryPolicy]:
    try:
        if isinstance(output, MqttSettings):
            from stream_ocr.sinks.mqtt import MqttDelivery

            retry = RetryPolicy(flush_timeout_s=output.flush_timeout_s)
            return MqttDelivery(output, max_events=retry.max_events), retry
        if isinstance(output, NatsSettings):
            from stream_ocr.sinks.nats import NatsDelivery

            return NatsDelivery(output), RetryPolicy(flush_timeout_s=output.flush_timeout_s)
        from stream_ocr.sinks.webhook import WebhookDelivery

        retry = RetryPolicy(
            max_events=output.max_events,
            min_backoff_s=output.min_backoff_s,
            max_backoff_s=output.max_backoff_s,
            flush_timeout_s=output.flush_timeout_s,
        )
        return WebhookDelivery(output), retry
    except ImportError as error:
        extra = output.type
        raise SinkError(
            f"The sink {output.label} needs {error.name}, which is not installed; pip install 'stream-ocr[{extra}]'."
        ) from error


def _sink(output: Sink | str | Path, select: Select) -> Sink:
    if not isinstance(output, str | Path):
        if all(hasattr(output, member) for member in ("name", "open", "write", "close")):
            return output
        raise TypeError(f"A sink is a path or an object with name, open, write and close, not {type(output).__name__}.")
    if output == CONSOLE:
        return ConsoleSink()
    match Path(output).suffix.lower():
        case ".jsonl" | ".ndjson":
            return JsonlSink(output)
        case ".srt" | ".vtt" | ".ass" | ".txt":
            return SubtitleSink(output, select=select)
        case ".csv":
            return CsvSink(output)
        case ".parquet":
            return ParquetSink(output)
        case _ if str(output) == "-":
            return JsonlSink("-")
    raise SinkError(
        f"{output} has no suffix of a known format; use .jsonl, .csv, .parquet, .srt, .vtt, .ass or .txt, or -"
        " (JSON lines)."
    )
