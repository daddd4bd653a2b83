"""Commands that read video files, and that convert recorded events."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from stream_ocr.cli.options import Config, Set, load, load_for_files, print_status
from stream_ocr.config.settings import Settings

IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff"})
"""File name suffixes of still images."""

InProcess = Annotated[bool, typer.Option("--in-process", help="Read in this process instead of one process per stage.")]
Outputs = Annotated[
    list[str] | None,
    typer.Option(
        "-o",
        "--output",
        metavar="PATH",
        help="Write to a .jsonl, .csv, .parquet, .srt or .vtt file, or - (standard output); repeatable.",
    ),
]
Events = Annotated[Path, typer.Argument(help="A .jsonl file of events, or a store.")]
Srt = Annotated[Path | None, typer.Option(help="Write subtitles to this file.")]
Annotate = Annotated[
    Path | None, typer.Option("--annotate", help="Write a copy of the video with the texts drawn in (.mp4).")
]


def read(
    files: Annotated[list[Path], typer.Argument(help="Video files, or images.", metavar="FILE", readable=False)],
    output: Outputs = None,
    srt: Srt = None,
    annotate: Annotate = None,
    config: Config = None,
    set_: Set = None,
    in_process: InProcess = False,
) -> None:
    """Read text from video files and emit events, or from images and print their lines."""
    if any(_is_image(file) for file in files):
        raise typer.Exit(_read_images(files, load_for_files(config, set_), output or (), video_only=(srt, annotate)))
    if annotate and len(files) > 1:
        raise typer.BadParameter("only one video can be annotated at a time", param_hint="--annotate")
    settings = load_for_files(config, set_)
    outputs = [*(output or ()), *([str(srt)] if srt else ())]
    raise typer.Exit(_read(files, settings, outputs, annotate, in_process=in_process))


def demo(
    folder: Annotated[Path, typer.Argument(help="Output folder.")] = Path("demo"),
    config: Config = None,
    set_: Set = None,
    in_process: InProcess = False,
) -> None:
    """Render a demo clip, read it, and write events, subtitles and an annotated video."""
    from stream_ocr.synthetic.scene import demo_scene, render, truth

    settings = load_for_files(config, set_)
    folder.mkdir(parents=True, exist_ok=True)
    video, scene = folder / "demo.mp4", demo_scene()
    print_status(f"rendering {video} ({scene.duration_s:g} s)")
    render(scene, video)
    (folder / "truth.json").write_text(json.dumps(truth(scene, video.name), indent=1), encoding="utf-8")
    outputs = ["console", str(folder / "events.jsonl"), str(folder / "subtitles.srt")]
    code = _read([video], settings, outputs, folder / "annotated.mp4", in_process=in_process)
    print_status(f"see {folder}/: " + ", ".join(sorted(file.name for file in folder.iterdir())))
    raise typer.Exit(code)


def export(
    events: Events,
    srt: Srt = None,
    vtt: Annotated[Path | None, typer.Option(help="Write WebVTT to this file.")] = None,
    csv: Annotated[Path | None, typer.Option(help="Write a CSV table with one row per text to this file.")] = None,
    output: Annotated[
        list[str] | None,
        typer.Option(
            "-o", "--output", metavar="PATH", help="Write to a .jsonl, .csv, .parquet, .srt or .vtt file; repeatable."
        ),
    ] = None,
    stream: Annotated[
        list[str] | None, typer.Option("--stream", metavar="NAME", help="Only events of this stream; repeatable.")
    ] = None,
    annotate: Annotate = None,
    video: Annotated[Path | None, typer.Option(help="The video to annotate.")] = None,
    config: Config = None,
    set_: Set = None,
) -> None:
    """Export recorded events as subtitles, a table or an annotated video."""
    from stream_ocr.cli import read_files
    from stream_ocr.store.replay import read_events

    outputs = [*(str(path) for path in (srt, vtt, csv) if path), *(output or ())]
    if not outputs and not annotate:
        raise typer.BadParameter("name at least one of --srt, --vtt, --csv, --output and --annotate")
    if (annotate is None) != (video is None):
        raise typer.BadParameter("--annotate and --video must be given together")
    settings = load(config, set_, ["decode"])
    read_files.export_events(events, outputs, stream or ())
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


def _is_image(file: Path) -> bool:
    return file.suffix.lower() in IMAGE_SUFFIXES


def _read_images(
    files: list[Path], settings: Settings, outputs: Sequence[str], *, video_only: Sequence[Path | None]
) -> int:
    from stream_ocr.cli import read_images

    videos = [file for file in files if not _is_image(file)]
    if videos:
        raise typer.BadParameter(f"{videos[0]} is no image; read images and videos with a command each")
    if any(video_only):
        raise typer.BadParameter("--srt and --annotate need a video; images have no times")
    read_images.check_outputs(outputs)
    return read_images.read_images(files, settings, outputs)


def _read(files: list[Path], settings: Settings, outputs: list[str], annotate: Path | None, *, in_process: bool) -> int:
    from stream_ocr.cli import read_files
    from stream_ocr.models import presets

    if annotate:
        from stream_ocr.viz.annotate import check_target

        check_target(files[0], annotate)
    readable = [file for file in files if read_files.is_readable(file)]
    if not readable:
        return 1
    settings = settings if in_process else presets.with_shared_threads(settings)
    reader = read_files.read_in_process if in_process else read_files.read_in_workers
    result = read_files.read_files(readable, settings, outputs, reader)
    if annotate and result.code == 0:
        read_files.annotate_video(files[0], result.events, annotate, settings)
    return result.code or int(len(readable) < len(files))
