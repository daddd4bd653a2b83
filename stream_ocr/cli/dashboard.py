"""The command that serves the dashboard."""

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from stream_ocr.cli.nats_options import CaFile, Credentials, JetStream, Subject, Token, nats_connection
from stream_ocr.cli.options import Config, Key, ServerKey, Set, check_packages, load, print_status
from stream_ocr.errors import SettingsError

_SQLITE = b"SQLite format 3\0"


def dashboard(
    source: Annotated[
        str,
        typer.Argument(
            help="A .jsonl file of events, which may still be growing, the endpoint of a publisher, or NATS servers "
            "(nats://HOST:4222, several separated by commas) with the events of many hosts."
        ),
    ] = "tcp://127.0.0.1:5560",
    video: Annotated[Path | None, typer.Option(help="The video of the events.")] = None,
    store: Annotated[Path | None, typer.Option(help="Store to search; by default store.path of the settings.")] = None,
    ray: Annotated[
        str | None,
        typer.Option(
            "--ray",
            metavar="ADDRESS",
            help="Ray cluster of a fleet, for pictures and state: auto (that of this machine), or HOST:PORT.",
        ),
    ] = None,
    jetstream: JetStream = "stream-ocr",
    subject: Subject = "ocr",
    token: Token = None,
    credentials: Credentials = None,
    ca_file: CaFile = None,
    key: Key = None,
    server_key: ServerKey = None,
    config: Config = None,
    set_: Set = None,
) -> None:
    """Serve a dashboard for browsers: events on the video and on a timeline, with search."""
    check_dashboard_packages()
    if _is_store(source):
        raise typer.BadParameter(f"{source} is a store; search it with --store {source}", param_hint="SOURCE")
    settings = load(config, set_, ["dashboard", "store", "service", "decode"])
    if store is not None:
        settings = settings.model_copy(update={"store": settings.store.model_copy(update={"path": store})})
    if not source.startswith(("nats://", "tls://")):
        _refuse(
            "is for NATS servers only",
            {"--ray": ray, "--token": token, "--credentials": credentials, "--ca-file": ca_file},
        )
        from stream_ocr.viz.dashboard import server

        server.serve(server.open_feed(source, key, server_key), video, settings, print_status)
        return
    _refuse("is not used with NATS servers", {"--video": video, "--key": key, "--server-key": server_key})
    if ray is not None and find_spec("ray") is None:
        raise SettingsError("--ray needs ray, which is not installed; pip install 'stream-ocr[cluster,nats]'.")
    try:
        from stream_ocr.fleet import dashboard as fleet
    except ImportError as error:
        raise SettingsError(
            f"The dashboard of NATS needs {error.name}, which is not installed; pip install 'stream-ocr[nats]'."
        ) from error
    connection = nats_connection(
        source.split(","), jetstream=jetstream, subject=subject, token=token, credentials=credentials, ca_file=ca_file
    )
    fleet.serve(connection, ray, settings, print_status)


def _is_store(source: str) -> bool:
    path = Path(source)
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(len(_SQLITE)) == _SQLITE


def _refuse(reason: str, options: Mapping[str, object]) -> None:
    for name, value in options.items():
        if value is not None:
            raise typer.BadParameter(f"it {reason}", param_hint=name)


def check_dashboard_packages() -> None:
    """Raise SettingsError if the packages of the dashboard are not installed."""
    check_packages("The dashboard", ("starlette", "uvicorn"), "dashboard")
