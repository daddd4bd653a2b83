"""Commands that show events: live, or from a store."""

from pathlib import Path
from typing import Annotated

import typer

from stream_ocr.cli.options import Config, Key, ServerKey, Set, load, print_status

Streams = Annotated[
    list[str] | None, typer.Option("--stream", metavar="NAME", help="Only events of this stream; repeatable.")
]
Json = Annotated[bool, typer.Option("--json", help="Print one line of JSON per event.")]


def subscribe(
    endpoint: Annotated[str, typer.Argument(help="Endpoint of the publisher.")] = "tcp://127.0.0.1:5560",
    grep: Annotated[
        str | None, typer.Option(metavar="PATTERN", help="Only texts in which this regular expression matches.")
    ] = None,
    stream: Streams = None,
    kind: Annotated[
        list[str] | None, typer.Option(metavar="KIND", help="Only events of this kind; repeatable.")
    ] = None,
    since: Annotated[
        str,
        typer.Option(
            metavar="START", help="Where to start: now, start, snapshot, a sequence number, or a time (ISO 8601)."
        ),
    ] = "now",
    cursor: Annotated[
        Path | None, typer.Option(help="File that stores the position; a later run continues there.")
    ] = None,
    json_: Json = False,
    exec_: Annotated[
        str | None,
        typer.Option(
            "--exec",
            metavar="COMMAND",
            help="Run this command for every event, with the event as JSON on its standard input.",
        ),
    ] = None,
    count: Annotated[int | None, typer.Option(help="Stop after this many events.")] = None,
    key: Key = None,
    server_key: ServerKey = None,
) -> None:
    """Print events as they are published, optionally including earlier ones."""
    from stream_ocr.cli import event_output
    from stream_ocr.client import subscribe as connect

    with connect(
        endpoint,
        streams=stream,
        kinds=kind,
        text=grep,
        since=event_output.parse_since(since),
        cursor=cursor,
        key=key,
        server_key=server_key,
    ) as subscription:
        line = event_output.format_json if json_ else event_output.format_row
        event_output.write_events(subscription, line, command=exec_, count=count, endpoint=endpoint)


def search(
    text: Annotated[str, typer.Argument(help="Text to search for; case is ignored. Optional with --at.")] = "",
    store: Annotated[Path | None, typer.Option(help="The store; by default store.path of the settings.")] = None,
    stream: Streams = None,
    from_: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="TIME",
            help="Only texts that appeared from then on: 2026-11-21T14:00, or media time as 83.5 or 1:23.5.",
        ),
    ] = None,
    to: Annotated[
        str | None, typer.Option(metavar="TIME", help="Only texts that appeared until then, as for --from.")
    ] = None,
    at: Annotated[
        str | None,
        typer.Option(
            "--at", metavar="TIME", help="Texts that were on the screen then: 2026-11-21T14:00, or 14:00 for today."
        ),
    ] = None,
    fuzzy: Annotated[bool, typer.Option("--fuzzy", help="Tolerate one misread letter in four.")] = False,
    limit: Annotated[int, typer.Option(min=1, help="Maximum number of results; latest first.")] = 50,
    crops: Annotated[
        Path | None, typer.Option(help="Write the stored crops of the results to this folder; needs store.crops.")
    ] = None,
    json_: Json = False,
    config: Config = None,
    set_: Set = None,
) -> None:
    """Search a store for texts, also while it is being written.

    Times without a zone are in that of this machine; results are in UTC.
    """
    from stream_ocr.cli import event_output

    if not text and at is None:
        raise typer.BadParameter("give a text to search for, or a time with --at", param_hint="TEXT")
    if at is not None and (from_ or to or fuzzy or crops):
        raise typer.BadParameter("goes with TEXT, --stream, --limit and --json only", param_hint="--at")

    path = store or load(config, set_, ["store"]).store.path
    if path is None:
        raise typer.BadParameter("name the store, or set store.path", param_hint="--store")
    query = event_output.build_query(text, streams=stream or [], from_=from_, to=to, fuzzy=fuzzy, limit=limit)
    moment = event_output.parse_moment(at) if at else None
    if not event_output.write_results(path, query, json=json_, crops=crops, moment=moment):
        print_status("no texts found")
        raise typer.Exit(1)


def keys(
    name: Annotated[str, typer.Argument(help='"server" for the keys of the publisher, or the name of a client.')],
    folder: Annotated[Path, typer.Option(help="Folder of the keys; socket.keys of the settings.")] = Path("keys"),
) -> None:
    """Create CURVE keys for the publisher, or for a client that may connect."""
    from stream_ocr.bus.curve_keys import create_keys

    for file in create_keys(folder, name):
        typer.echo(file)
