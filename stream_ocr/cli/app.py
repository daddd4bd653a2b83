"""The commands of ``stream-ocr``. Each one imports the module that does the work when it runs."""

from importlib import metadata
from typing import Annotated

import typer

from stream_ocr.cli import (
    archive,
    bench,
    cameras,
    collect,
    dashboard,
    events,
    export,
    fleet,
    info,
    models,
    read,
    run,
    serve,
)
from stream_ocr.cli.help import Command, new_app

app = new_app(
    "Read text in video: what appeared, changed and ended, where and exactly when.",
    no_args_is_help=True,
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


for _name, _function in (
    ("read", read.read),
    ("run", run.run),
    ("serve", serve.serve),
    ("archive", archive.archive),
    ("collect", collect.collect),
    ("subscribe", events.subscribe),
    ("search", events.search),
    ("dashboard", dashboard.dashboard),
    ("export", export.export),
    ("report", export.report),
    ("demo", read.demo),
    ("detect", models.detect),
    ("config", info.show_config),
    ("doctor", info.doctor),
    ("keys", events.keys),
    ("score", bench.score),
    ("eval", models.evaluate),
    ("train", models.train),
):
    app.command(_name, cls=Command)(_function)
app.add_typer(cameras.cameras, name="cameras")
app.add_typer(fleet.fleet, name="fleet")
app.add_typer(bench.benchmarks, name="bench")
app.add_typer(info.weights, name="weights")
