"""Commands. No logic: each hands over to the module that does the work, imported when it is wanted."""

import typer

from stream_ocr.cli import bench, events, info, models, read, run

app = typer.Typer(
    help="Reads the text in video: what appeared, changed and ended, where and exactly when.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
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
app.command("doctor")(info.examine)
