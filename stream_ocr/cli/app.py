"""The commands of ``stream-ocr``. Each one imports the module that does the work when it runs."""

from importlib import metadata
from typing import Annotated

import typer

from stream_ocr.cli import bench, events, info, models, read, run

app = typer.Typer(
    help="Read text in video: what appeared, changed and ended, where and exactly when.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"stream-ocr {metadata.version('stream-ocr')}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    pass


app.command()(read.read)
app.command()(read.demo)
app.command()(run.run)
app.command()(read.export)
app.command()(read.report)
app.command()(events.subscribe)
app.command()(events.search)
app.command()(events.dashboard)
app.command()(events.keys)
app.command()(models.train)
app.command("eval")(models.evaluate)
app.command()(models.detect)
app.add_typer(bench.benchmarks, name="bench")
app.command()(bench.score)
app.add_typer(info.weights, name="weights")
app.command("config")(info.show_config)
app.command()(info.doctor)
