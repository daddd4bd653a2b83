"""Commands that read video files and images."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import typer

from stream_ocr.cli import inputs, output_names, text_options
from stream_ocr.cli.inputs import Input
from stream_ocr.cli.options import (
    IMAGE_SETTINGS,
    ONLY_WITH_PROCESSES,
    Annotate,
    Config,
    Set,
    Srt,
    Subtitles,
    load_for_files,
    print_status,
)
from stream_ocr.config.settings import Settings
from stream_ocr.config.sinks import SubtitleSettings

Trace = Annotated[
    Path | None,
    typer.Option(help="Write a trace of all workers to this file (.json), to open at ui.perfetto.dev.", metavar="FILE"),
]
InProcess = Annotated[bool, typer.Option("--in-process", help="Read in this process instead of one process per stage.")]
Inputs = Annotated[
    list[str],
    typer.Argument(
        help="Videos or images: files, folders, quoted patterns such as '*.mp4', http(s) addresses, or - (standard "
        "input).",
        metavar="INPUT",
    ),
]
Outputs = Annotated[
    list[str] | None,
    typer.Option(
        "-o",
        "--output",
        metavar="PATH",
        help="Write to a .jsonl, .csv, .parquet, .srt, .vtt, .ass or .txt file, or - (standard output); repeatable. "
        "With {stem}, {name} or {folder} of the input in it, each input gets its own file.",
    ),
]
Regions = Annotated[
    list[str] | None,
    typer.Option(
        "--region", metavar="AREA", help="Read only here: left,top,right,bottom as shares of the picture; repeatable."
    ),
]
Masks = Annotated[list[str] | None, typer.Option("--mask", metavar="AREA", help="Do not read here; repeatable.")]
Pattern = Annotated[str | None, typer.Option(help="Regular expression that every text must match.")]
Language = Annotated[str | None, typer.Option(metavar="CODE", help="Language of the texts, such as de or ja.")]


def read(
    sources: Inputs,
    output: Outputs = None,
    srt: Srt = None,
    subtitles: Subtitles = False,
    annotate: Annotate = None,
    region: Regions = None,
    mask: Masks = None,
    pattern: Pattern = None,
    language: Language = None,
    config: Config = None,
    set_: Set = None,
    in_process: InProcess = False,
    trace: Trace = None,
) -> None:
    """Read text from videos and emit events, or from images and print their lines."""
    options = [*(set_ or ()), *text_options.overrides(region or (), mask or (), pattern, language)]
    if trace and in_process:
        raise typer.BadParameter("there are no workers to trace; leave --in-process out", param_hint="--trace")
    text_options.check_language(language, set_ or ())
    outputs = [*(output or ()), *([str(srt)] if srt else ())]
    if subtitles and not any(Path(name).suffix.lower() in output_names.SUBTITLE_SUFFIXES for name in outputs):
        raise typer.BadParameter("name a .srt, .vtt, .ass or .txt file with -o", param_hint="--subtitles")
    with inputs.opened(sources) as (files, missing):
        if any(file.is_image for file in files):
            video_only = {
                "--srt": srt,
                "--annotate": annotate,
                "--subtitles": subtitles,
                "--in-process": in_process,
                "--trace": trace,
            }
            settings = load_for_files(config, options, IMAGE_SETTINGS)
            code = _read_images(files, settings, outputs, video_only)
        else:
            if annotate and len(files) > 1:
                raise typer.BadParameter("only one video can be annotated at a time", param_hint="--annotate")
            options += [f"logs.trace={json.dumps(str(trace))}"] if trace else []
            settings = load_for_files(config, options, unused=ONLY_WITH_PROCESSES if in_process else ())
            code = _read(files, settings, outputs, annotate, in_process=in_process, subtitles_only=subtitles)
    raise typer.Exit(code or int(missing > 0))


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
    code = _read([Input(video, str(folder))], settings, outputs, folder / "annotated.mp4", in_process=in_process)
    print_status(f"see {folder}/: " + ", ".join(sorted(file.name for file in folder.iterdir())))
    raise typer.Exit(code)


def _read_images(
    files: Sequence[Input], settings: Settings, outputs: Sequence[str], video_only: Mapping[str, object]
) -> int:
    from stream_ocr.cli import read_images

    videos = [file for file in files if not file.is_image]
    if videos:
        raise typer.BadParameter(f"{videos[0].file} is no image; read images and videos with a command each")
    if given := [option for option, value in video_only.items() if value]:
        raise typer.BadParameter(f"{given[0]} needs a video; images have no times")
    read_images.check_outputs(outputs)
    return read_images.read_images([Path(file.file) for file in files], settings, outputs)


def _read(
    files: Sequence[Input],
    settings: Settings,
    outputs: Sequence[str],
    annotate: Path | None = None,
    *,
    in_process: bool,
    subtitles_only: bool = False,
) -> int:
    from stream_ocr.cli import read_files
    from stream_ocr.models import presets

    if annotate and files:
        _check_annotation(files[0], annotate)
    readable = [file for file in files if read_files.is_readable(file.file)]
    if not readable:
        return 1
    patterns = [output for output in outputs if output_names.is_pattern(output)]
    shared = [output for output in outputs if output not in patterns]
    output_names.check_shared(
        [*shared, *(sink.label for sink in settings.sinks if isinstance(sink, SubtitleSettings))], readable
    )
    settings = settings if in_process else presets.with_shared_threads(settings)
    videos = [file.file for file in readable]
    with read_files.Workers(videos) as workers:
        result = read_files.read_files(
            videos,
            settings,
            shared,
            read_files.read_in_process if in_process else workers.read,
            own_outputs=output_names.outputs_by_input(patterns, readable),
            select=("region" if settings.detection.regions else "captions") if subtitles_only else "all",
        )
    if annotate and result.code == 0:
        read_files.annotate_video(Path(files[0].file), result.events, annotate, settings)
    return result.code or int(len(readable) < len(files))


def _check_annotation(video: Input, target: Path) -> None:
    from stream_ocr.viz.annotate import check_target

    if not video.is_local:
        raise typer.BadParameter("only a video file can be annotated; save the video first", param_hint="--annotate")
    check_target(Path(video.file), target)
