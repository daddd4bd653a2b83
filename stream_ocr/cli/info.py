"""Commands that say what is here."""

from pathlib import Path
from typing import Annotated

import typer

from stream_ocr.cli.options import Config, Set, load

weights = typer.Typer(help="The weights that come along.", add_completion=False)


@weights.command("export")
def export_weights(
    onnx: Annotated[Path, typer.Option("--onnx", help="Write each network as ONNX into this folder.")],
) -> None:
    """Write our own networks for other programs."""
    from stream_ocr.models.export import export

    for path in export(onnx):
        typer.echo(path)


@weights.callback(invoke_without_command=True)
def list_weights(context: typer.Context) -> None:
    """List the weights that come along."""
    if context.invoked_subcommand is not None:
        return
    from stream_ocr.cli import doctor_checks
    from stream_ocr.models.weights import manifest, weights_folder

    typer.echo(weights_folder())
    for name, entry in sorted(manifest().items()):
        typer.echo(
            f"{name}: {entry['kind']}, {entry['architecture']}, {entry['licence']}; {doctor_checks.figures(entry)}"
        )


def show_config(config: Config = None, set_: Set = None) -> None:
    """Print all settings with their values and meaning, as a file for --config."""
    typer.echo(load(config, set_).to_yaml(), nl=False)


def examine(config: Config = None, set_: Set = None) -> None:
    """Say what is installed here, which models and devices are used, and why."""
    from stream_ocr.cli import doctor_checks

    findings = list(doctor_checks.examine(load(config, set_)))
    for finding in findings:
        typer.echo(f"{'ok' if finding.fine else 'NO':<3} {finding.topic:<11} {finding.text}")
    raise typer.Exit(int(not all(finding.fine for finding in findings)))
