"""The command that collects the events of many hosts."""

from pathlib import Path
from typing import Annotated

import typer

from stream_ocr.cli.options import Config, Set, load, print_status
from stream_ocr.errors import SettingsError


def collect(
    servers: Annotated[list[str], typer.Argument(metavar="SERVER", help="Servers of one NATS cluster.")],
    store: Annotated[Path | None, typer.Option(help="The store; by default store.path of the settings.")] = None,
    jetstream: Annotated[str, typer.Option(metavar="NAME", help="JetStream that the hosts send to.")] = "stream-ocr",
    subject: Annotated[str, typer.Option(metavar="NAME", help="First token of the subjects.")] = "ocr",
    token: Annotated[str | None, typer.Option(help="Location of the token: env:NAME or file:PATH.")] = None,
    credentials: Annotated[Path | None, typer.Option(help="File with credentials (.creds).")] = None,
    ca_file: Annotated[Path | None, typer.Option("--ca-file", help="File with trusted CA certificates.")] = None,
    config: Config = None,
    set_: Set = None,
) -> None:
    """Collect the events of many hosts from NATS in one store, and on a socket if socket.events is set."""
    import asyncio

    from pydantic import ValidationError

    from stream_ocr.bus.journal import open_journal
    from stream_ocr.config.loading import describe_error
    from stream_ocr.config.sinks import NatsConnection
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
    try:
        connection = NatsConnection(
            servers=tuple(servers),
            jetstream=jetstream,
            subject=subject,
            token=token,
            credentials=credentials,
            ca_file=ca_file,
        )
    except ValidationError as error:
        sentences = [sentence for detail in error.errors() for sentence in describe_error(detail, {}, ())]
        raise SettingsError(f"The connection is not valid: {'; '.join(sentences)}.") from error
    with open_journal(settings) as journal:
        with StoreReader(path) as reader:
            collector = work.Collector(journal, work.last_ids(reader))
        position = path.with_name(f"{path.name}.position")
        asyncio.run(work.run(connection, collector, position))
    print_status(
        f"{collector.collected} events collected, {collector.repeated} repeated ones and {collector.refused} messages"
        " that are no events left out"
    )
