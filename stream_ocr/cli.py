"""Commands. No logic: each hands over to the module that does the work, imported when it is wanted."""

import json
import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Protocol

import typer

from stream_ocr import telemetry
from stream_ocr.errors import StreamOcrError
from stream_ocr.settings import Settings, debugging

if TYPE_CHECKING:
    import numpy as np

app = typer.Typer(
    help="Reads the text in video: what appeared, changed and ended, where and exactly when.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

Config = Annotated[Path | None, typer.Option("--config", help="Settings as YAML; see `stream-ocr config`.")]
Set = Annotated[list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="One setting; may be repeated.")]
InProcess = Annotated[bool, typer.Option("--in-process", help="Read in this process instead of one per stage.")]
Outputs = Annotated[
    list[str] | None,
    typer.Option("-o", "--output", help="Events to a .jsonl, .csv, .srt or .vtt file, or - ; may be repeated."),
]
Srt = Annotated[Path | None, typer.Option(help="Subtitles to this file.")]
Drawing = Annotated[Path | None, typer.Option("--annotate", help="A copy of the video with the texts drawn in, .mp4.")]


class Net(StrEnum):
    """What can be trained."""

    recognizer = "recognizer"
    detector = "detector"


class Measured(Protocol):
    """What was measured of a network."""

    def lines(self) -> str: ...
    def values(self) -> dict[str, Any]: ...
    def sheet(self) -> "np.ndarray": ...


@app.command()
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
    settings = _load(config, set_)
    outputs = [*(output or ()), *([str(srt)] if srt else ())]
    raise typer.Exit(_read(files, settings, outputs, annotate, in_process=in_process))


@app.command()
def demo(
    folder: Annotated[Path, typer.Argument(help="Where everything is put.")] = Path("demo"),
    config: Config = None,
    set_: Set = None,
    in_process: InProcess = False,
) -> None:
    """Render a clip, read it, and show what comes of it."""
    from stream_ocr import terminal
    from stream_ocr.sources import synthetic

    settings = _load(config, set_)
    folder.mkdir(parents=True, exist_ok=True)
    video, scene = folder / "demo.mp4", synthetic.demo_scene()
    terminal.say(f"rendering {video} ({scene.duration_s:g} s)")
    synthetic.render(scene, video)
    (folder / "truth.json").write_text(json.dumps(synthetic.truth(scene, video.name), indent=1), encoding="utf-8")
    outputs = ["console", str(folder / "events.jsonl"), str(folder / "subtitles.srt")]
    code = _read([video], settings, outputs, folder / "annotated.mp4", in_process=in_process)
    terminal.say(f"see {folder}/: " + ", ".join(sorted(file.name for file in folder.iterdir())))
    raise typer.Exit(code)


@app.command()
def export(
    events: Annotated[Path, typer.Argument(help="A .jsonl file of events.")],
    srt: Srt = None,
    vtt: Annotated[Path | None, typer.Option(help="WebVTT to this file.")] = None,
    csv: Annotated[Path | None, typer.Option(help="One row per text to this file.")] = None,
    annotate: Drawing = None,
    video: Annotated[Path | None, typer.Option(help="The video to annotate.")] = None,
    config: Config = None,
    set_: Set = None,
) -> None:
    """Make subtitles, a table or an annotated video of events that were read before."""
    from stream_ocr import terminal

    outputs = [str(path) for path in (srt, vtt, csv) if path]
    if not outputs and not annotate:
        raise typer.BadParameter("name at least one of --srt, --vtt, --csv and --annotate")
    if (annotate is None) != (video is None):
        raise typer.BadParameter("--annotate and --video go together")
    settings = _load(config, set_)
    found = terminal.replay(events, outputs)
    if annotate and video:
        terminal.draw(video, found, annotate, settings)


@app.command()
def report(
    events: Annotated[Path, typer.Argument(help="A .jsonl file of events.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="The report, .html.")] = Path("report.html"),
    video: Annotated[Path | None, typer.Option(help="The video, for pictures of the texts.")] = None,
    config: Config = None,
    set_: Set = None,
) -> None:
    """Make one HTML file to look at: a timeline, the texts, statistics."""
    from stream_ocr.events import read_log
    from stream_ocr.report.page import Report
    from stream_ocr.sinks.base import refuse_directory

    settings = _load(config, set_)
    refuse_directory(output)
    Report.of(read_log(events), video=video, settings=settings).write(output)


@app.command()
def train(
    net: Net,
    config: Annotated[Path, typer.Argument(help="The run, as YAML; see configs/train.")],
) -> None:
    """Train a network of our own."""
    if net is Net.detector:
        from stream_ocr.training import train_detector

        train_detector.main(train_detector.load_config(config), typer.echo)
    else:
        from stream_ocr.training import train_recognizer

        typer.echo(train_recognizer.main(config))


@app.command("eval")
def evaluate(
    net: Net,
    data: Annotated[
        Path,
        typer.Argument(help="Crops with labels.tsv (path TAB text), or pictures with gt_*.txt or a JSON list."),
    ],
    worst: Annotated[Path | None, typer.Option(help="A picture of the worst cases to this file.")] = None,
    json_: Annotated[Path | None, typer.Option("--json", help="The figures to this file.")] = None,
    config: Config = None,
    set_: Set = None,
) -> None:
    """Measure a network on labelled pictures."""
    from stream_ocr import still

    settings = _load(config, set_)
    report: Measured
    if net is Net.detector:
        from stream_ocr.training import evaluate_detector

        report = evaluate_detector.detector(data, settings)
    else:
        from stream_ocr.training import evaluate_recognizer

        report = evaluate_recognizer.recognizer(data, settings)
    typer.echo(report.lines())
    if json_ is not None:
        json_.write_text(json.dumps(report.values(), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    if worst is not None:
        still.write(worst, report.sheet())


@app.command()
def detect(
    images: Annotated[list[Path], typer.Argument(help="Pictures.", metavar="IMAGE…", readable=False)],
    json_: Annotated[Path | None, typer.Option("--json", help="One JSON object an image to this file.")] = None,
    draw: Annotated[Path | None, typer.Option(help="Pictures with the lines drawn in, into this folder.")] = None,
    config: Config = None,
    set_: Set = None,
) -> None:
    """Find the lines of text in still pictures."""
    import msgspec

    from stream_ocr import still

    lines = []
    for found in still.detect(images, _load(config, set_)):
        lines.append(msgspec.json.encode(found) + b"\n")
        if draw is not None:
            draw.mkdir(parents=True, exist_ok=True)
            still.draw(found, draw)
        if json_ is None:
            typer.echo(lines[-1], nl=False)
    if json_ is not None:
        json_.write_bytes(b"".join(lines))


@app.command()
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
    """Measure speed, memory and accuracy next to others, on any videos or on clips made here."""
    from stream_ocr import bench as benchmark

    telemetry.configure(Settings.load(overrides=set_ or ()))
    make = benchmark.Make.parse(folder, size, seconds, codec)
    results = benchmark.run(clips or (), benchmark.contestants(against), make, set_ or (), tell=_tell)
    benchmark.show(results)
    if output is not None:
        output.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


@app.command()
def score(
    truth: Annotated[Path, typer.Argument(help="A truth file, .json.")],
    events: Annotated[Path, typer.Argument(help="A .jsonl file of events.")],
    json_: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
    show_misses: Annotated[bool, typer.Option("--show-misses", help="Name the words missed or extra.")] = False,
) -> None:
    """Score a log of events against the truth about its video, word by word."""
    from stream_ocr import scoring
    from stream_ocr.events import read_log

    scored = scoring.score(scoring.read_truth(truth), read_log(events))
    figures = scored.figures()
    typer.echo(json.dumps(figures) if json_ else "\n".join(f"{name:16} {value}" for name, value in figures.items()))
    for name, found in (("missed", scored.missed), ("extra", scored.extra)) if show_misses else ():
        for word in found:
            typer.echo(f"{name}: {word.word} {word.text.start:.2f}–{word.text.end:.2f} s")


@app.command()
def weights() -> None:
    """List the weights that come along."""
    from stream_ocr import doctor
    from stream_ocr.weights import folder, manifest

    typer.echo(folder())
    for name, entry in sorted(manifest().items()):
        typer.echo(f"{name}: {entry['kind']}, {entry['architecture']}, {entry['licence']}; {doctor.figures(entry)}")


@app.command("config")
def show_config(config: Config = None, set_: Set = None) -> None:
    """Print all settings with their values and meaning, as a file for --config."""
    typer.echo(_load(config, set_).yaml(), nl=False)


@app.command("doctor")
def examine(config: Config = None, set_: Set = None) -> None:
    """Say what is installed here, which models and devices are used, and why."""
    from stream_ocr import doctor

    findings = list(doctor.examine(_load(config, set_)))
    for finding in findings:
        typer.echo(f"{'ok' if finding.fine else 'NO':<3} {finding.topic:<11} {finding.text}")
    raise typer.Exit(int(not all(finding.fine for finding in findings)))


def main() -> None:
    """The program ``stream-ocr``. What goes wrong is one sentence; STREAM_OCR_DEBUG=1 shows where."""
    try:
        app()
    except Exception as error:
        if debugging():
            raise
        surprise = "" if isinstance(error, StreamOcrError) else f"{type(error).__name__} (set STREAM_OCR_DEBUG=1): "
        sys.stderr.write(f"{surprise}{error}\n")
        sys.exit(1)


def _load(config: Path | None, overrides: list[str] | None) -> Settings:
    settings = Settings.load(config, overrides or ())
    telemetry.configure(settings)
    return settings


def _tell(sentence: str) -> None:
    typer.echo(sentence, err=True)


def _read(files: list[Path], settings: Settings, outputs: list[str], annotate: Path | None, *, in_process: bool) -> int:
    from stream_ocr import terminal
    from stream_ocr.annotate import check_target

    if annotate:
        check_target(files[0], annotate)
    way = terminal.in_this_process if in_process else terminal.by_processes
    outcome = terminal.read_files(files, settings, outputs, way)
    if annotate and outcome.code == 0:
        terminal.draw(files[0], outcome.events, annotate, settings)
    return outcome.code


if __name__ == "__main__":
    main()
