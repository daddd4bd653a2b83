"""Commands for those who want the events: as they come, and as they were kept."""

from pathlib import Path
from types import ModuleType
from typing import Annotated

import typer

from stream_ocr.cli.options import Config, Set, load, tell
from stream_ocr.errors import SettingsError

Streams = Annotated[list[str] | None, typer.Option("--stream", help="Only of this stream; may be repeated.")]
Json = Annotated[bool, typer.Option("--json", help="One line of JSON an event.")]


def subscribe(
    endpoint: Annotated[str, typer.Argument(help="Where events are published.")] = "tcp://127.0.0.1:5560",
    grep: Annotated[str | None, typer.Option(help="Only texts in which this regular expression is found.")] = None,
    stream: Streams = None,
    kind: Annotated[list[str] | None, typer.Option(help="Only of this kind; may be repeated.")] = None,
    since: Annotated[str, typer.Option(help="now, start, snapshot, a seq, or a time of ISO 8601.")] = "now",
    cursor: Annotated[Path | None, typer.Option(help="A file that keeps the place, to go on from.")] = None,
    json_: Json = False,
    exec_: Annotated[
        str | None, typer.Option("--exec", help="Start this for every event, which it gets as JSON on standard input.")
    ] = None,
    count: Annotated[int | None, typer.Option(help="End after so many events.")] = None,
    key: Annotated[Path | None, typer.Option(help="Our key, NAME.key_secret.")] = None,
    server_key: Annotated[Path | None, typer.Option(help="The server's public key, server.key.")] = None,
) -> None:
    """Show events as they are published, and those from before."""
    from stream_ocr.cli import event_output
    from stream_ocr.client import subscribe as connect

    with connect(
        endpoint,
        streams=stream,
        kinds=kind,
        text=grep,
        since=event_output.since(since),
        cursor=cursor,
        key=key,
        server_key=server_key,
    ) as subscription:
        line = event_output.as_json if json_ else event_output.as_row
        event_output.follow(subscription, line, command=exec_, count=count, endpoint=endpoint)


def search(
    text: Annotated[str, typer.Argument(help="What to look for, whatever its case.")],
    store: Annotated[Path | None, typer.Option(help="The store; that of the settings by default.")] = None,
    stream: Streams = None,
    from_: Annotated[str | None, typer.Option("--from", help="2026-11-21T14:00, or media time: 83.5, 1:23.5.")] = None,
    to: Annotated[str | None, typer.Option(help="As --from; up to there.")] = None,
    fuzzy: Annotated[bool, typer.Option("--fuzzy", help="Forgive a misread letter in every four.")] = False,
    limit: Annotated[int, typer.Option(min=1, help="So many at most, the latest first.")] = 50,
    crops: Annotated[
        Path | None, typer.Option(help="A folder for the pictures of what is found, where store.crops keeps them.")
    ] = None,
    json_: Json = False,
    config: Config = None,
    set_: Set = None,
) -> None:
    """Find texts that were read, also while more are being read."""
    from stream_ocr.cli import event_output

    path = store or load(config, set_).store.path
    if path is None:
        raise typer.BadParameter("name the store, or set store.path", param_hint="--store")
    sought = event_output.query(text, streams=stream or [], from_=from_, to=to, fuzzy=fuzzy, limit=limit)
    if not event_output.search(path, sought, json=json_, crops=crops):
        tell("nothing was found")
        raise typer.Exit(1)


def dashboard(
    source: Annotated[
        str, typer.Argument(help="A .jsonl file of events, which may still be growing, or where events are published.")
    ] = "tcp://127.0.0.1:5560",
    video: Annotated[Path | None, typer.Option(help="The video that the events are of.")] = None,
    key: Annotated[Path | None, typer.Option(help="Our key, NAME.key_secret.")] = None,
    server_key: Annotated[Path | None, typer.Option(help="The server's public key, server.key.")] = None,
    config: Config = None,
    set_: Set = None,
) -> None:
    """Show events in a browser: on the video, on a timeline, as a list, with search."""
    server, settings = serving(), load(config, set_)
    server.serve(server.feed_of(source, key, server_key), video, settings, tell)


def serving() -> ModuleType:
    """What serves the page. Raises SettingsError where it is not installed."""
    try:
        from stream_ocr.viz.dashboard import server
    except ModuleNotFoundError as error:
        raise SettingsError(
            f"The page needs {error.name}, which is not installed; pip install 'stream-ocr[dashboard]'."
        ) from error
    return server


def keys(
    name: Annotated[str, typer.Argument(help='"server" for the keys of the publisher, or a name for a client.')],
    folder: Annotated[Path, typer.Option(help="Where keys are; socket.keys of the settings.")] = Path("keys"),
) -> None:
    """Make CURVE keys: for the publisher, or for a client, which is let in from then on."""
    from stream_ocr.bus.curve_keys import make

    for file in make(folder, name):
        typer.echo(file)
