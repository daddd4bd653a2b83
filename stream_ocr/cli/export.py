"""Commands that convert recorded events: ``export`` and ``report``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stream_ocr.cli.options import Annotate, Config, Set, Srt, Subtitles, load
from stream_ocr.cli.output_names import SUBTITLE_SUFFIXES
from stream_ocr.cli.thresholds import THRESHOLDS

if TYPE_CHECKING:
    from stream_ocr.config.settings import Settings
    from stream_ocr.sinks.edit_list import SceneSink

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
    edl: Annotated[Path | None, typer.Option(help="Write an edit list (CMX 3600) with an edit for each text.")] = None,
    scenes: Annotated[
        Path | None,
        typer.Option(help="Write a CSV list of scenes, from each change of the texts, or cut of --video, to the next."),
    ] = None,
    fps: Annotated[
        float | None, typer.Option(min=1, max=240, help="Frames per second of --edl and --scenes.", show_default="25")
    ] = None,
    annotate: Annotate = None,
    video: Annotated[
        Path | None, typer.Option(help="The video to annotate, or from whose start times count, and its frame rate.")
    ] = None,
    config: Config = None,
    set_: Set = None,
) -> None:
    """Export recorded events as subtitles, a table or an annotated video."""
    from stream_ocr.cli import read_files
    from stream_ocr.sinks.edit_list import EdlSink
    from stream_ocr.sinks.subtitles import Select
    from stream_ocr.sources.files import read_origin_s, read_rate
    from stream_ocr.store.replay import read_events

    outputs = [*(str(path) for path in (srt, vtt, csv) if path), *(output or ())]
    if not (outputs or annotate or edl or scenes):
        raise typer.BadParameter("name at least one of --srt, --vtt, --csv, --output, --edl, --scenes and --annotate")
    if fps and not (edl or scenes):
        raise typer.BadParameter("--fps is for --edl and --scenes")
    timed = bool(edl or scenes) or any(Path(output).suffix.lower() in SUBTITLE_SUFFIXES for output in outputs)
    if annotate and not video:
        raise typer.BadParameter("--annotate needs --video")
    if video and not (annotate or timed):
        raise typer.BadParameter("--video is for --annotate, for subtitles and for edit lists")
    if subtitles and not any(Path(output).suffix.lower() in SUBTITLE_SUFFIXES for output in outputs):
        raise typer.BadParameter("name a .srt, .vtt, .ass or .txt file to write", param_hint="--subtitles")
    settings = load(config, set_, ["decode"])
    origin_s = read_origin_s(video, settings.decode.max_pixels) if video else 0.0
    select: Select = "captions" if subtitles else "all"
    rate = fps or (read_rate(video, settings.decode.max_pixels) if video else None) or THRESHOLDS.default_fps
    lists = [*([EdlSink(edl, rate)] if edl else ()), *([_scene_sink(scenes, video, rate, settings)] if scenes else ())]
    read_files.export_events(events, outputs, stream or (), select=select, origin_s=origin_s, lists=lists)
    if annotate and video:
        read_files.annotate_video(video, list(read_events(events, stream or ())), annotate, settings)


def _scene_sink(path: Path, video: Path | None, rate: float, settings: "Settings") -> "SceneSink":
    """Return the sink of a list of scenes, with the cuts of the video if there is one. Raise SettingsError."""
    from stream_ocr.cli import read_files
    from stream_ocr.sinks.base import check_output_path
    from stream_ocr.sinks.edit_list import SceneSink

    check_output_path(path)  # before the film is read
    if video is None:
        return SceneSink(path, rate)
    cuts = read_files.find_cuts(video, rate, settings.decode.max_pixels)
    return SceneSink(path, rate, cuts_s=cuts.times_s, end_s=cuts.end_s)


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
