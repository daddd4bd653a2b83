"""The command ``archive``."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from stream_ocr.cli.options import MODEL_SETTINGS, Config, Set, load, print_status


class Format(StrEnum):
    """A file that is written beside events.jsonl."""

    SRT = "srt"
    VTT = "vtt"
    CSV = "csv"
    PARQUET = "parquet"

    @property
    def file_name(self) -> str:
        """Return the name of the file in the folder of a unit."""
        return f"{'subtitles' if self in (Format.SRT, Format.VTT) else 'events'}.{self}"


_USES = (*MODEL_SETTINGS, "decode", "gating", "tracking", "events")


def archive(
    sources: Annotated[
        list[str],
        typer.Argument(
            metavar="SOURCE",
            help="Video files, folders, patterns, addresses such as s3://bucket/films, or manifests (.txt, .jsonl).",
        ),
    ],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Output folder.")],
    formats: Annotated[
        list[Format] | None, typer.Option("--format", help="Write this format beside events.jsonl; repeatable.")
    ] = None,
    jobs: Annotated[
        int | None, typer.Option("--jobs", min=1, help="Files read at a time; by default one for each processor core.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Read also what is done or quarantined.")] = False,
    config: Config = None,
    set_: Set = None,
) -> None:
    """Read thousands of video files, and go on where an earlier run has stopped."""
    # Imported here: NumPy and OpenCV are not needed for the help page.
    from stream_ocr.archive.local_workers import LocalWorkers
    from stream_ocr.archive.output import EVENTS, Output
    from stream_ocr.archive.sources import Sources
    from stream_ocr.archive.unit import Planner
    from stream_ocr.cli.read_archive import read_archive
    from stream_ocr.models import presets
    from stream_ocr.models.devices import usable_cores

    settings = load(config, set_, _USES)
    settings = settings.model_copy(update={"threads": settings.threads or 1})  # there are as many processes as cores
    for part, text in presets.describe(settings):
        print_status(f"{part}: {text}")
    output = Output(out, (EVENTS, *dict.fromkeys(each.file_name for each in formats or ())))
    workers = LocalWorkers(jobs or usable_cores(), output, force=force)
    raise typer.Exit(read_archive(Sources(sources), Planner(settings), output, workers, force=force))
