"""Where events go."""

from collections.abc import Sequence
from pathlib import Path

from stream_ocr.errors import SinkError
from stream_ocr.sinks.base import Sink, Sinks
from stream_ocr.sinks.console import ConsoleSink
from stream_ocr.sinks.jsonl import JsonlSink
from stream_ocr.sinks.subtitles import SubtitleSink
from stream_ocr.sinks.table import CsvSink

CONSOLE = "console"

__all__ = ["CONSOLE", "ConsoleSink", "CsvSink", "JsonlSink", "Sink", "Sinks", "SubtitleSink", "open_sinks"]


def open_sinks(outputs: Sequence[str | Path]) -> Sinks:
    """The sinks of these outputs: .jsonl, .csv, .srt or .vtt files, ``-`` (JSON lines), ``console`` (readable).

    They are opened by ``with``. Raises SinkError, here or there, when one cannot be.
    """
    names = [str(output) for output in outputs]
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise SinkError(f"{', '.join(sorted(twice))} is given twice as an output; name each once.")
    return Sinks([_sink(output) for output in outputs])


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
        case _ if str(output) == "-":
            return JsonlSink("-")
    raise SinkError(
        f"{output} has no suffix that says what to write; use .jsonl, .csv, .srt or .vtt, or - for standard output."
    )
