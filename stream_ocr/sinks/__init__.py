"""Where events go."""

from collections.abc import Sequence
from pathlib import Path

from stream_ocr.config.settings import Settings
from stream_ocr.config.sinks import (
    CsvSettings,
    JsonlSettings,
    MqttSettings,
    SinkSettings,
    SubtitleSettings,
    WebhookSettings,
)
from stream_ocr.errors import SinkError
from stream_ocr.sinks.base import Sink, Sinks
from stream_ocr.sinks.console import ConsoleSink
from stream_ocr.sinks.csv import CsvSink
from stream_ocr.sinks.delivery import Delivery, Pace, QueuedSink
from stream_ocr.sinks.disk_queue import DiskQueue
from stream_ocr.sinks.jsonl import JsonlSink
from stream_ocr.sinks.parquet import ParquetSink
from stream_ocr.sinks.rotating_jsonl import RotatingJsonlSink
from stream_ocr.sinks.rules import RuledSink
from stream_ocr.sinks.subtitles import SubtitleSink

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


def open_sinks(outputs: Sequence[str | Path], settings: Settings | None = None) -> Sinks:
    """The sinks of outputs: .jsonl, .csv, .parquet, .srt or .vtt files, ``-`` (JSON lines), ``console`` (readable).

    settings: those whose sinks, with their rules, are wanted as well.
    They are opened by ``with``. Raises SinkError, here or there, when one cannot be.
    """
    sinks = [*map(_sink, outputs), *(configured(settings) if settings else ())]
    names = [sink.name for sink in sinks]
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise SinkError(f"{', '.join(sorted(twice))} is given twice as an output; name each once.")
    return Sinks(sinks)


def configured(settings: Settings) -> list[Sink]:
    """The sinks of the settings, each behind the rules that name it. Raises SinkError when a package is missing."""
    sinks = []
    for output in settings.sinks:
        rules = [rule for rule in settings.rules if output.label in rule.sinks]
        sinks.append(RuledSink(_configured(output), rules) if rules else _configured(output))
    return sinks


def _configured(output: SinkSettings) -> Sink:
    match output:
        case JsonlSettings():
            return RotatingJsonlSink(output)
        case CsvSettings():
            return CsvSink(output.path, name=output.label)
        case SubtitleSettings():
            return SubtitleSink(output.path, name=output.label)
        case WebhookSettings() | MqttSettings():
            delivery, pace = _delivery(output)
            return QueuedSink(output.label, DiskQueue(output.spool, output.spool_bytes), delivery, pace)


def _delivery(output: WebhookSettings | MqttSettings) -> tuple[Delivery, Pace]:
    try:
        if isinstance(output, MqttSettings):
            from stream_ocr.sinks.mqtt import MqttDelivery

            pace = Pace(close_s=output.close_s)
            return MqttDelivery(output, max_events=pace.max_events), pace
        from stream_ocr.sinks.webhook import WebhookDelivery

        pace = Pace(
            max_events=output.max_events,
            pause_s=output.pause_s,
            max_pause_s=output.max_pause_s,
            close_s=output.close_s,
        )
        return WebhookDelivery(output), pace
    except ImportError as error:
        extra = output.type
        raise SinkError(
            f"The sink {output.label} needs {error.name}, which is not installed; pip install 'stream-ocr[{extra}]'."
        ) from error


def _sink(output: str | Path) -> Sink:
    if output == CONSOLE:
        return ConsoleSink()
    match Path(output).suffix.lower():
        case ".jsonl" | ".ndjson":
            return JsonlSink(output)
        case ".srt" | ".vtt":
            return SubtitleSink(output)
        case ".csv":
            return CsvSink(output)
        case ".parquet":
            return ParquetSink(output)
        case _ if str(output) == "-":
            return JsonlSink("-")
    raise SinkError(
        f"{output} has no suffix that says what to write; use .jsonl, .csv, .parquet, .srt or .vtt, or - (JSON lines)."
    )
