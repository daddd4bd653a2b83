"""Commands about this installation: weights, settings, checks."""

from pathlib import Path
from typing import Annotated

import typer

from stream_ocr.cli.help import Command, new_app
from stream_ocr.cli.options import Config, Set, load

weights = new_app("List or export the model weights.")


@weights.command("export", cls=Command)
def export_weights(
    onnx: Annotated[Path, typer.Option("--onnx", help="Folder for the ONNX files, one per model.")],
) -> None:
    """Export the built-in models as ONNX."""
    from stream_ocr.models.export import export

    for path in export(onnx):
        typer.echo(path)


@weights.callback(invoke_without_command=True)
def list_weights(context: typer.Context) -> None:
    """List the model weights."""
    if context.invoked_subcommand is not None:
        return
    from stream_ocr.cli import doctor_checks
    from stream_ocr.models.weights import manifest, weights_folder

    typer.echo(weights_folder())
    for name, entry in sorted(manifest().items()):
        typer.echo(f"{doctor_checks.describe_weights(name, entry)}; {entry['licence']}")


def show_config(config: Config = None, set_: Set = None) -> None:
    """Print all settings with values and descriptions, as a file for --config."""
    typer.echo(load(config, set_).to_yaml(), nl=False)


def doctor(config: Config = None, set_: Set = None) -> None:
    """Check this installation and print the models and devices that are used, and why."""
    from stream_ocr.cli import doctor_checks

    findings = list(doctor_checks.run_checks(load(config, set_)))
    for finding in findings:
        mark = {True: "ok", False: "NO", None: "--"}[finding.ok]
        typer.echo(f"{mark:<3} {finding.topic:<13} {finding.text}")
    raise typer.Exit(int(any(finding.ok is False for finding in findings)))
