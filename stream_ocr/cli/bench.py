"""Commands that measure speed, latency and accuracy."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from stream_ocr.cli.help import Command, new_app
from stream_ocr.cli.options import FILE_SETTINGS, Set, check_packages, load, print_status


class _DefaultToClips(TyperGroup):
    """Runs ``bench clips`` if no subcommand is given."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        return super().parse_args(ctx, args if args[:1] in (["live"], ["clips"], ["--help"]) else ["clips", *args])


benchmarks = new_app(
    "Measure speed and accuracy on clips, or the latency of cameras. Without a command: clips.",
    cls=_DefaultToClips,
)


@benchmarks.command("clips", cls=Command)
def bench(
    clips: Annotated[
        list[str] | None,
        typer.Argument(
            help="Video files, folders of them, or names of generated clips; by default all generated clips."
        ),
    ] = None,
    truth: Annotated[
        Path | None,
        typer.Option(help="Folder of the truth files, NAME.json for NAME.mp4: print a table of accuracy."),
    ] = None,
    against: Annotated[
        str | None,
        typer.Option(
            metavar="NAMES",
            help="Comma-separated: decoding, rapidocr, everything (this pipeline without gating), models (builtin, "
            "ppocr, multilingual), none. Default: decoding,rapidocr; with --truth none.",
        ),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Write the results as JSON to this file.")
    ] = None,
    json_: Annotated[bool, typer.Option("--json", help="Print the results as JSON instead of a table.")] = False,
    folder: Annotated[Path, typer.Option("--clips", help="Folder for clips and event logs.")] = Path("bench"),
    size: Annotated[str, typer.Option(metavar="WxH", help="Frame size of generated clips.")] = "1280x720",
    seconds: Annotated[float, typer.Option(help="Duration of generated clips in seconds.")] = 30.0,
    codec: Annotated[
        str,
        typer.Option(metavar="NAME", help="Codec of generated clips: libx264, libx265, libvpx-vp9, libvpx or mpeg4."),
    ] = "libx264",
    set_: Set = None,
) -> None:
    """Measure speed, memory and accuracy against baselines, on video files or generated clips.

    For the latency of cameras see `stream-ocr bench live`.
    """
    _check_packages()
    from stream_ocr.evaluation.bench.accuracy_table import show_accuracy
    from stream_ocr.evaluation.bench.clips import ClipOptions
    from stream_ocr.evaluation.bench.suite import contestants, run
    from stream_ocr.evaluation.bench.table import show

    load(None, set_, FILE_SETTINGS)
    make = ClipOptions.parse(folder, size, seconds, codec)
    chosen = contestants(against or ("none" if truth else "decoding,rapidocr"))
    results = run(clips or (), chosen, make, set_ or (), truth, progress=print_status)
    text = json.dumps(results, indent=1)
    if json_:
        typer.echo(text)
    else:
        (show_accuracy if truth else show)(results)
    if output is not None:
        output.write_text(text + "\n", encoding="utf-8")


@benchmarks.command("live", cls=Command)
def bench_live(
    config: Annotated[Path, typer.Argument(help="Settings file (YAML) with the cameras; see configs/live.yaml.")],
    seconds: Annotated[float, typer.Option(help="Duration of the measurement in seconds.")] = 60.0,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Write the results as JSON to this file.")
    ] = None,
    set_: Set = None,
) -> None:
    """Measure the latency from frame to event, by the clocks of the cameras (RTCP)."""
    _check_packages()
    from stream_ocr.evaluation.bench import live_latency

    load(config, set_)
    results = live_latency.measure(config, set_ or (), seconds)
    live_latency.show(results)
    if output is not None:
        output.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


def score(
    truth: Annotated[Path, typer.Argument(help="Ground truth file (.json).")],
    events: Annotated[Path, typer.Argument(help="A .jsonl file of events, or a store.")],
    json_: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    show_misses: Annotated[bool, typer.Option("--show-misses", help="Also list missed and extra words.")] = False,
) -> None:
    """Score an event log against the ground truth of its video."""
    from stream_ocr.evaluation.truth import read_truth
    from stream_ocr.evaluation.video_metrics import measure_events
    from stream_ocr.store.replay import read_events

    scored, figures = measure_events(read_truth(truth), list(read_events(events)))
    typer.echo(json.dumps(figures) if json_ else "\n".join(f"{name:18} {value}" for name, value in figures.items()))
    for name, found in (("missed", scored.missed), ("extra", scored.extra)) if show_misses else ():
        for word in found:
            typer.echo(f"{name}: {word.word} {word.text.start:.2f}–{word.text.end:.2f} s")


def _check_packages() -> None:
    check_packages("`bench`", ("psutil",), "bench")
