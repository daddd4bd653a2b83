"""Options of the commands that read events from NATS."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from stream_ocr.errors import SettingsError

if TYPE_CHECKING:
    from stream_ocr.config.sinks import NatsConnection

JetStream = Annotated[str, typer.Option(metavar="NAME", help="JetStream that the hosts send to.")]
Subject = Annotated[str, typer.Option(metavar="NAME", help="First token of the subjects.")]
Token = Annotated[str | None, typer.Option(help="Location of the token for NATS: env:NAME or file:PATH.")]
Credentials = Annotated[Path | None, typer.Option(help="File with credentials for NATS (.creds).")]
CaFile = Annotated[Path | None, typer.Option("--ca-file", help="File with trusted CA certificates of NATS.")]


def nats_connection(servers: Sequence[str], **options: Any) -> "NatsConnection":
    """Return the connection of a command. Raise SettingsError."""
    from pydantic import ValidationError

    from stream_ocr.config.loading import describe_error
    from stream_ocr.config.sinks import NatsConnection

    try:
        return NatsConnection(servers=tuple(servers), **options)
    except ValidationError as error:
        sentences = [sentence for detail in error.errors() for sentence in describe_error(detail, {}, ())]
        raise SettingsError(f"The connection is not valid: {'; '.join(sentences)}.") from error
