"""Commands that read videos, and that make something of what was read."""

import json
from pathlib import Path
from typing import Annotated

import typer

from stream_ocr.cli.options import Config, Set, load
from stream_ocr.config.settings import Settings

InProcess = Annotated[bool, typer.Option("--in-process", help="Read in this process instead of one per stage.")]
Outputs = Annotated[
    list[str] | None,
    typer.Option("-o", "--output", help="To a .jsonl, .csv, .parquet, .srt or .vtt file, or - ; may be repeated."),
]
Events = Annotated[Path, typer.Argument(help="A .jsonl file of events, or a store.")]
Srt = Annotated[Path | None, typer.Option(help="Subtitles to this file.")]
Drawing = Annotated[Path | None, typer.Option("--annotate", help="A copy of the video with the texts drawn in, .mp4.")]


def read(
    files: Annotated[list[Path], typer.Argument(help="Video files.", metavar="FILE…", readable=False)],
    output: Outputs = None,
    srt: Srt = None,
    annotate: Drawing = None,
    config: Config = None,
    set_: Set = None,
    in_process: InProcess = False,
) -> None:
    """Read video files."""
    if annotate and len(files) > 1:
        raise typer.BadParameter("one video at a time can be annotated", param_hint="--annotate")
    settings = load(config, set_)
    outputs = [*(output or ()), *([str(srt)] if srt else ())]
    raise typer.Exit(_read(files, settings, outputs, annotate, in_process=in_process))


def demo(
    folder: Annotated[Path, typer.Argument(help="Where everything is put.")] = Path("demo"),
    config: Config = None,
    set_: Set = None,
    in_process: InProcess = False,
) -> None:
    """Render a clip, read it, and show what comes of it."""
    from stream_ocr.cli import read_files
    from stream_ocr.synthetic.scene import demo_scene, render, truth

    settings = load(config, set_)
    folder.mkdir(parents=True, exist_ok=True)
    video, scene = folder / "demo.mp4", demo_scene()
    read_files.say(f"rendering {video} ({scene.duration_s:g} s)")
    render(scene, video)
    (folder / "truth.json").write_text(json.dumps(truth(scene, video.name), indent=1), encoding="utf-8")
    outputs = ["console", str(folder / "events.jsonl"), str(folder / "subtitles.srt")]
    code = _read([video], settings, outputs, folder / "annotated.mp4", in_process=in_process)
    read_files.say(f"see {folder}/: " + ", ".join(sorted(file.name for file in folder.iterdir())))
    raise typer.Exit(code)


def export(
    events: Events,
    srt: Srt = None,
    vtt: Annotated[Path | None, typer.Option(help="WebVTT to this file.")] = None,
    csv: Annotated[Path | None, typer.Option(help="One row per text to this file.")] = None,
    output: Annotated[
        list[str] | None, typer.Option("-o", "--output", help="To a file of any sort, .jsonl and .parquet included.")
    ] = None,
    stream: Annotated[list[str] | None, typer.Option("--stream", help="Only of this stream; may be repeated.")] = None,
    annotate: Drawing = None,
    video: Annotated[Path | None, typer.Option(help="The video to annotate.")] = None,
    config: Config = None,
    set_: Set = None,
) -> None:
    """Make subtitles, a table or an annotated video of events that were read before."""
    from stream_ocr.cli import read_files
    from stream_ocr.store.replay import read_events

    outputs = [*(str(path) for path in (srt, vtt, csv) if path), *(output or ())]
    if not outputs and not annotate:
        raise typer.BadParameter("name at least one of --srt, --vtt, --csv, --output and --annotate")
    if (annotate is None) != (video is None):
        raise typer.BadParameter("--annotate and --video go together")
    settings = load(config, set_)
    read_files.replay(events, outputs, stream or ())
    if annotate and video:
        read_files.draw(video, list(read_events(events, stream or ())), annotate, settings)


def report(
    events: Events,
    output: Annotated[Path, typer.Option("-o", "--output", help="The report, .html.")] = Path("report.html"),
    video: Annotated[Path | None, typer.Option(help="The video, for pictures of the texts.")] = None,
    config: Config = None,
    set_: Set = None,
) -> None:
    """Make one HTML file to look at: a timeline, the texts, statistics."""
    from stream_ocr.sinks.base import refuse_directory
    from stream_ocr.store.replay import read_events
    from stream_ocr.viz.report.page import Report

    settings = load(config, set_)
    refuse_directory(output)
    Report.of(read_events(events), video=video, settings=settings).write(output)


def _read(files: list[Path], settings: Settings, outputs: list[str], annotate: Path | None, *, in_process: bool) -> int:
    from stream_ocr.cli import read_files
    from stream_ocr.models import presets

    if annotate:
        from stream_ocr.viz.annotate import check_target

        check_target(files[0], annotate)
    settings = settings if in_process else presets.side_by_side(settings)
    way = read_files.in_this_process if in_process else read_files.by_processes
    outcome = read_files.read_files(files, settings, outputs, way)
    if annotate and outcome.code == 0:
        read_files.draw(files[0], outcome.events, annotate, settings)
    return outcome.code
