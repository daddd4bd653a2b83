"""The command that watches cameras."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from stream_ocr.cli.events import serving
from stream_ocr.cli.options import Set, load, tell
from stream_ocr.cli.read import Outputs


def run(
    config: Annotated[Path, typer.Argument(help="Settings as YAML that name cameras; see configs/live.yaml.")],
    output: Outputs = None,
    set_: Set = None,
    dashboard: Annotated[
        bool, typer.Option("--dashboard", help="Serve the page, too; where: the settings' group dashboard.")
    ] = False,
    plain: Annotated[bool, typer.Option("--plain", help="Events as lines, also on a terminal.")] = False,
) -> None:
    """Watch cameras until Ctrl-C or SIGTERM. SIGHUP, or a change of the file, takes over other cameras."""
    from stream_ocr.cli import camera_table
    from stream_ocr.service.live_pipeline import LivePipeline

    settings = load(config, set_)
    pipeline = LivePipeline(settings, output or (), config=config, overrides=set_ or ())
    view = camera_table.Lines() if plain or not sys.stderr.isatty() else camera_table.Board(pipeline.cameras)
    page = serving().Served(config.stem, settings, pipeline.preview.handle, tell) if dashboard else None
    raise typer.Exit(camera_table.run(pipeline, view, page))
