"""The commands of a fleet: many hosts that read the cameras of one settings file."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from stream_ocr.cli.help import Command, new_app
from stream_ocr.cli.options import load, print_status
from stream_ocr.errors import SettingsError

if TYPE_CHECKING:
    from stream_ocr.fleet.messages import FleetStatus

fleet = new_app("Read the cameras of one settings file on all nodes of a Ray cluster.", no_args_is_help=True)

Ray = Annotated[
    str, typer.Option("--ray", metavar="ADDRESS", help="Ray cluster: auto (that of this machine), or HOST:PORT.")
]


@fleet.command("start", cls=Command)
def start(
    config: Annotated[Path, typer.Argument(help="Settings file (YAML) with the cameras; see docs/fleet.md.")],
    ray: Ray = "auto",
) -> None:
    """Start to read the cameras of a settings file, and return.

    A change of the file applies within seconds. The controller runs on this machine.
    """
    settings = load(config, None)
    nodes = _client().start(ray, config)
    print_status(f"the fleet is started; cameras: {len(settings.sources)}, nodes: {nodes}")


@fleet.command("status", cls=Command)
def status(
    ray: Ray = "auto",
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show the hosts and the cameras. The exit code is 1 if no host has room for a camera."""
    found = _client().status(ray)
    _print_json(found) if json else _print_tables(found)
    if _count_unassigned(found):
        raise typer.Exit(1)


@fleet.command("stop", cls=Command)
def stop(ray: Ray = "auto") -> None:
    """Stop all hosts once they have delivered their events."""
    _client().stop(ray)


def _client() -> Any:
    try:
        from stream_ocr.fleet import client
    except ImportError as error:
        raise SettingsError(
            f"`fleet` needs {error.name}, which is not installed; pip install 'stream-ocr[cluster,nats]'."
        ) from error
    return client


def _count_unassigned(found: "FleetStatus") -> int:
    return sum(camera.state == "unassigned" for camera in found.cameras.values())


def _print_json(found: "FleetStatus") -> None:
    import msgspec

    typer.echo(msgspec.json.encode(found).decode())


def _print_tables(found: "FleetStatus") -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False)
    hosts = Table("host", "cameras", "fps used", "of", "tags", "last report", box=None)
    for host in found.hosts:
        cells = (str(host.cameras), f"{host.used_fps:.0f}", f"{host.fps:.0f}", " ".join(sorted(host.tags)))
        hosts.add_row(host.name, *cells, f"{host.age_s:.1f} s ago")
    cameras = Table("camera", "host", "state", "fps", "reason", box=None)
    for name, camera in found.cameras.items():
        cameras.add_row(name, camera.host or "-", camera.state, f"{camera.fps:.1f}", camera.reason or "")
    console.print(hosts)
    console.print(cameras)
    print_status(f"{len(found.cameras)} cameras, {_count_unassigned(found)} of them unassigned; {found.moves} moves")
    if found.waiting:
        print_status("the controller has just started and learns what its hosts read")
    if found.mistake is not None:
        print_status(f"the changed settings are not used: {found.mistake}")
