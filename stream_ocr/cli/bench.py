"""Commands that measure the whole."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from stream_ocr.cli.options import Set, load, tell


class _ClipsFirst(TyperGroup):
    """``bench`` alone is ``bench clips``."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        return super().parse_args(ctx, args if args[:1] in (["live"], ["clips"]) else ["clips", *args])


benchmarks = typer.Typer(cls=_ClipsFirst, help="Measure speed and accuracy on clips, or the latency of cameras.")


@benchmarks.command("clips")
def bench(
    clips: Annotated[
        list[str] | None, typer.Argument(help="Video files, or names of clips that are made; all of them by default.")
    ] = None,
    against: Annotated[
        str, typer.Option(help="Who else runs, by commas: decoding, rapidocr, everything (ours without its gates).")
    ] = "decoding,rapidocr",
    output: Annotated[Path | None, typer.Option("-o", "--output", help="The results as JSON to this file.")] = None,
    folder: Annotated[Path, typer.Option("--clips", help="Where clips and logs of events are kept.")] = Path("bench"),
    size: Annotated[str, typer.Option(help="Of the clips that are made.")] = "1280x720",
    seconds: Annotated[float, typer.Option(help="Length of the clips that are made.")] = 30.0,
    codec: Annotated[str, typer.Option(help="libx264, libx265, libvpx-vp9, libvpx or mpeg4.")] = "libx264",
    set_: Set = None,
) -> None:
    """Measure speed, memory and accuracy next to others, on any videos or on clips made here.

    The latency of cameras is measured by `stream-ocr bench live`.
    """
    from stream_ocr.evaluation import bench as benchmark

    load(None, set_)
    make = benchmark.Make.parse(folder, size, seconds, codec)
    results = benchmark.run(clips or (), benchmark.contestants(against), make, set_ or (), tell=tell)
    benchmark.show(results)
    if output is not None:
        output.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


@benchmarks.command("live")
def bench_live(
    config: Annotated[Path, typer.Argument(help="Settings as YAML that name cameras; see configs/live.yaml.")],
    seconds: Annotated[float, typer.Option(help="How long to watch them.")] = 60.0,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="The results as JSON to this file.")] = None,
    set_: Set = None,
) -> None:
    """Measure the time from what cameras see to its event, by the cameras' own clocks (RTCP)."""
    from stream_ocr.evaluation.bench import live_latency

    load(config, set_)
    results = live_latency.measure(config, set_ or (), seconds)
    live_latency.show(results)
    if output is not None:
        output.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


def score(
    truth: Annotated[Path, typer.Argument(help="A truth file, .json.")],
    events: Annotated[Path, typer.Argument(help="A .jsonl file of events, or a store.")],
    json_: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
    show_misses: Annotated[bool, typer.Option("--show-misses", help="Name the words missed or extra.")] = False,
) -> None:
    """Score a log of events against the truth about its video, word by word."""
    from stream_ocr.evaluation import event_score
    from stream_ocr.store.replay import read_events

    scored = event_score.score(event_score.read_truth(truth), read_events(events))
    figures = scored.figures()
    typer.echo(json.dumps(figures) if json_ else "\n".join(f"{name:16} {value}" for name, value in figures.items()))
    for name, found in (("missed", scored.missed), ("extra", scored.extra)) if show_misses else ():
        for word in found:
            typer.echo(f"{name}: {word.word} {word.text.start:.2f}–{word.text.end:.2f} s")
