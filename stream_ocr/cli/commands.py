"""Commands. No logic: each hands over to the module that does the work, imported when it is wanted."""

import typer

from stream_ocr.cli import events, installation, measure, networks, read, watch

app = typer.Typer(
    help="Reads the text in video: what appeared, changed and ended, where and exactly when.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command()(read.read)
app.command()(read.demo)
app.command()(watch.run)
app.command()(read.export)
app.command()(read.report)
app.command()(events.subscribe)
app.command()(events.search)
app.command()(events.dashboard)
app.command()(events.keys)
app.command()(networks.train)
app.command("eval")(networks.evaluate)
app.command()(networks.detect)
app.add_typer(measure.benchmarks, name="bench")
app.command()(measure.score)
app.add_typer(installation.weights, name="weights")
app.command("config")(installation.show_config)
app.command("doctor")(installation.examine)
