"""The command ``cameras discover``: find ONVIF cameras and list their streams."""

import getpass
import json
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from stream_ocr.cli.help import Command, new_app
from stream_ocr.cli.options import print_status
from stream_ocr.errors import SettingsError

if TYPE_CHECKING:
    from stream_ocr.sources.onvif import Device
    from stream_ocr.sources.onvif_soap import Login

cameras = new_app("Find cameras in the network.", no_args_is_help=True)


@cameras.callback()
def _group() -> None:
    pass  # keeps ``discover`` a command of its own, although it is the only one


@cameras.command("discover", cls=Command)
def discover(
    address: Annotated[
        list[str] | None,
        typer.Option("--address", metavar="HOST[:PORT]", help="Ask this device, without a search; repeatable."),
    ] = None,
    login: Annotated[
        str | None,
        typer.Option(
            "--login", metavar="PLACE", help="Where USER:PASSWORD is: env:NAME, file:PATH, or ask (on the terminal)."
        ),
    ] = None,
    timeout: Annotated[
        float, typer.Option("--timeout", min=0.1, max=120, help="Seconds to search, and then to ask each device.")
    ] = 5.0,
    interface: Annotated[
        str | None, typer.Option("--interface", metavar="NAME", help="Search from this network interface only.")
    ] = None,
    json_: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    yaml: Annotated[bool, typer.Option("--yaml", help="Print sources for a settings file.")] = False,
) -> None:
    """Find ONVIF cameras in the local network and list their streams.

    The exit code is 1 if there is no stream. Addresses are printed without user and password.
    """
    if json_ and yaml:
        raise typer.BadParameter("choose one of --json and --yaml")
    if address and interface:
        raise typer.BadParameter("--interface is for a search, without --address")
    onvif, ws_discovery = _modules()
    try:
        found = [ws_discovery.device_at(each) for each in address or ()]
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--address") from None
    known = _read_login(login) if login else None
    if not found:
        found = ws_discovery.search(timeout, interface)
        if not found:
            print_status(f"no ONVIF device answered within {timeout:g} s; see --address and --timeout")
    devices = sorted(onvif.ask_devices(found, known, timeout), key=lambda device: device.address)
    _show(devices, as_json=json_, as_yaml=yaml)
    for device in devices:
        if device.problem:
            print_status(device.problem)
    if not any(device.streams for device in devices):
        raise typer.Exit(1)


def _modules() -> tuple[Any, Any]:
    try:
        from stream_ocr.sources import onvif, ws_discovery
    except ImportError as error:
        raise SettingsError(
            f"`cameras discover` needs {error.name}, which is not installed; pip install 'stream-ocr[onvif]'."
        ) from error
    return onvif, ws_discovery


def _read_login(place: str) -> "Login":
    """Return the user and password at a place. Raise SettingsError."""
    from stream_ocr.config.settings import read_secret
    from stream_ocr.sources.onvif_soap import Login

    if place == "ask":
        if not sys.stdin.isatty():
            raise SettingsError("--login ask needs a terminal; use env:NAME or file:PATH.")
        return _ask_login()
    if not place.startswith(("env:", "file:")):  # the value is not repeated: it may be the password
        raise SettingsError("--login takes no password; give its place as env:NAME, file:PATH or ask.")
    user, colon, password = read_secret(place).decode("utf-8", "replace").strip().partition(":")
    if not user or not colon:
        raise SettingsError(f"The login at {place} is not USER:PASSWORD.")
    return Login(user, password)


def _ask_login() -> "Login":
    from stream_ocr.sources.onvif_soap import Login

    sys.stderr.write("User: ")  # typer.prompt would write to standard output, too
    sys.stderr.flush()
    return Login(sys.stdin.readline().strip(), getpass.getpass())


def _show(devices: "Sequence[Device]", *, as_json: bool, as_yaml: bool) -> None:
    from dataclasses import asdict

    from stream_ocr.cli import camera_list

    if as_json:
        typer.echo(json.dumps({"devices": [asdict(device) for device in devices]}, indent=2))
    elif as_yaml:
        typer.echo(camera_list.sources_yaml(devices), nl=False)
    elif any(device.streams for device in devices):
        camera_list.print_table(devices)
