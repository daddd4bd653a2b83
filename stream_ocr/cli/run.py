"""The command that reads cameras."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from stream_ocr.cli.dashboard import check_dashboard_packages
from stream_ocr.cli.options import Set, load
from stream_ocr.cli.read import Outputs


def run(
    config: Annotated[Path, typer.Argument(help="Settings file (YAML) with the cameras; see configs/live.yaml.")],
    output: Outputs = None,
    set_: Set = None,
    dashboard: Annotated[
        bool, typer.Option("--dashboard", help="Also serve the dashboard, at `dashboard.host` and `dashboard.port`.")
    ] = False,
    plain: Annotated[bool, typer.Option("--plain", help="Print events as lines, even on a terminal.")] = False,
) -> None:
    """Read text from cameras until Ctrl-C or SIGTERM.

    SIGHUP or a change of the settings file reloads the settings of the cameras.
    """
    from stream_ocr.cli import camera_table
    from stream_ocr.service.live_pipeline import LivePipeline

    if dashboard:
        check_dashboard_packages()
    title = config.stem if dashboard else None
    settings = load(config, set_, unused=["fleet"])
    pipeline = LivePipeline(settings, output or (), config=config, overrides=set_ or (), dashboard=title)
    view = camera_table.LineView() if plain or not sys.stderr.isatty() else camera_table.TableView(pipeline.cameras)
    raise typer.Exit(camera_table.watch_cameras(pipeline, view))
