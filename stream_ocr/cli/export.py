"""Commands that convert recorded events: ``export`` and ``report``."""

from pathlib import Path
from typing import Annotated

import typer

from stream_ocr.cli.options import Annotate, Config, Set, Srt, Subtitles, load
from stream_ocr.cli.output_names import SUBTITLE_SUFFIXES

Events = Annotated[Path, typer.Argument(help="A .jsonl file of events, or a store.")]


def export(
    events: Events,
    srt: Srt = None,
    vtt: Annotated[Path | None, typer.Option(help="Write WebVTT to this file.")] = None,
    csv: Annotated[Path | None, typer.Option(help="Write a CSV table with one row per text to this file.")] = None,
    output: Annotated[
        list[str] | None,
        typer.Option(
            "-o",
            "--output",
            metavar="PATH",
            help="Write to a .jsonl, .csv, .parquet, .srt, .vtt, .ass or .txt file; repeatable.",
        ),
    ] = None,
    subtitles: Subtitles = False,
    stream: Annotated[
        list[str] | None, typer.Option("--stream", metavar="NAME", help="Only events of this stream; repeatable.")
    ] = None,
    annotate: Annotate = None,
    video: Annotated[
        Path | None, typer.Option(help="The video to annotate, or from whose start the times of subtitles count.")
    ] = None,
    config: Config = None,
    set_: Set = None,
) -> None:
    """Export recorded events as subtitles, a table or an annotated video."""
    from stream_ocr.cli import read_files
    from stream_ocr.sinks.subtitles import Select
    from stream_ocr.sources.files import read_origin_s
    from stream_ocr.store.replay import read_events

    outputs = [*(str(path) for path in (srt, vtt, csv) if path), *(output or ())]
    if not outputs and not annotate:
        raise typer.BadParameter("name at least one of --srt, --vtt, --csv, --output and --annotate")
    timed = any(Path(output).suffix.lower() in SUBTITLE_SUFFIXES for output in outputs)
    if annotate and not video:
        raise typer.BadParameter("--annotate needs --video")
    if video and not (annotate or timed):
        raise typer.BadParameter("--video is for --annotate and for subtitles")
    if subtitles and not timed:
        raise typer.BadParameter("name a .srt, .vtt, .ass or .txt file to write", param_hint="--subtitles")
    settings = load(config, set_, ["decode"])
    origin_s = read_origin_s(video, settings.decode.max_pixels) if video else 0.0
    select: Select = "captions" if subtitles else "all"
    read_files.export_events(events, outputs, stream or (), select=select, origin_s=origin_s)
    if annotate and video:
        read_files.annotate_video(video, list(read_events(events, stream or ())), annotate, settings)


def report(
    events: Events,
    output: Annotated[Path, typer.Option("-o", "--output", help="The report file (.html).")] = Path("report.html"),
    video: Annotated[Path | None, typer.Option(help="The video, for thumbnails of the texts.")] = None,
    config: Config = None,
    set_: Set = None,
) -> None:
    """Write an HTML report with a timeline, the texts and statistics."""
    from stream_ocr.sinks.base import check_output_path
    from stream_ocr.store.replay import read_events
    from stream_ocr.viz.report.page import Report

    settings = load(config, set_, ["decode"])
    check_output_path(output)
    Report.of(read_events(events), video=video, settings=settings).write(output)
