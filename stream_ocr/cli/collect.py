"""The command that collects the events of many hosts."""

from pathlib import Path
from typing import Annotated

import typer

from stream_ocr.cli.nats_options import CaFile, Credentials, JetStream, Subject, Token, nats_connection
from stream_ocr.cli.options import Config, Set, load, print_status
from stream_ocr.errors import SettingsError


def collect(
    servers: Annotated[list[str], typer.Argument(metavar="SERVER", help="Servers of one NATS cluster.")],
    store: Annotated[Path | None, typer.Option(help="The store; by default store.path of the settings.")] = None,
    jetstream: JetStream = "stream-ocr",
    subject: Subject = "ocr",
    token: Token = None,
    credentials: Credentials = None,
    ca_file: CaFile = None,
    config: Config = None,
    set_: Set = None,
) -> None:
    """Collect the events of many hosts from NATS in one store, and on a socket if socket.events is set."""
    import asyncio

    from stream_ocr.bus.journal import open_journal
    from stream_ocr.store.reader import StoreReader

    try:
        from stream_ocr.fleet import collect as work
    except ImportError as error:
        raise SettingsError(
            f"`collect` needs {error.name}, which is not installed; pip install 'stream-ocr[nats]'."
        ) from error
    settings = load(config, set_, ["store", "socket"])
    path = store or settings.store.path
    if path is None:
        raise typer.BadParameter("name the store, or set store.path", param_hint="--store")
    settings = settings.model_copy(update={"store": settings.store.model_copy(update={"path": path})})
    connection = nats_connection(
        servers, jetstream=jetstream, subject=subject, token=token, credentials=credentials, ca_file=ca_file
    )
    with open_journal(settings) as journal:
        with StoreReader(path) as reader:
            collector = work.Collector(journal, work.last_ids(reader))
        position = path.with_name(f"{path.name}.position")
        asyncio.run(work.run(connection, collector, position))
    print_status(
        f"{collector.collected} events collected, {collector.repeated} repeated ones and {collector.refused} messages"
        " that are no events left out"
    )
