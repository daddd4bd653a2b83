"""The command ``archive``."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stream_ocr.cli.options import MODEL_SETTINGS, Config, Set, load, print_status
from stream_ocr.config.settings import Settings
from stream_ocr.errors import WorkerError

if TYPE_CHECKING:
    from stream_ocr.archive.output import Output
    from stream_ocr.archive.workers import Workers


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
        list[Format] | None,
        typer.Option(
            "--format", metavar="FORMAT", help="Also write srt, vtt, csv or parquet beside events.jsonl; repeatable."
        ),
    ] = None,
    jobs: Annotated[
        int | None, typer.Option("--jobs", min=1, help="Files read at a time; by default one for each processor core.")
    ] = None,
    ray: Annotated[
        str | None,
        typer.Option("--ray", metavar="ADDRESS", help="Read on this Ray cluster, or on the running one (auto)."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Also read files that are done or quarantined.")] = False,
    config: Config = None,
    set_: Set = None,
) -> None:
    """Read thousands of video files, and continue where an earlier run stopped."""
    # Imported here: NumPy and OpenCV are not needed for the help page.
    from stream_ocr.archive.output import EVENTS, Output
    from stream_ocr.archive.sources import Sources
    from stream_ocr.archive.unit import Planner
    from stream_ocr.cli.read_archive import read_archive
    from stream_ocr.models import presets

    settings = load(config, set_, _USES)
    settings = settings.model_copy(update={"threads": settings.threads or 1})  # there are as many processes as cores
    for part, text in presets.describe(settings):
        print_status(f"{part}: {text}")
    output = Output(out, (EVENTS, *dict.fromkeys(each.file_name for each in formats or ())))
    workers = _workers(jobs, output, force=force) if ray is None else _actors(ray, jobs, output, settings, force=force)
    raise typer.Exit(read_archive(Sources(sources), Planner(settings), output, workers, force=force))


def _workers(jobs: int | None, output: "Output", *, force: bool) -> "Workers":
    from stream_ocr.archive.local_workers import LocalWorkers
    from stream_ocr.models.devices import usable_cores

    return LocalWorkers(jobs or usable_cores(), output, force=force)


def _actors(address: str, jobs: int | None, output: "Output", settings: Settings, *, force: bool) -> "Workers":
    try:
        from stream_ocr.archive.ray_workers import RayWorkers
    except ModuleNotFoundError as error:
        raise WorkerError(
            f"--ray needs {error.name}, which is not installed; pip install 'stream-ocr[cluster]'."
        ) from None
    gpus = int(settings.device == "cuda")
    return RayWorkers(address, output, max_count=jobs, gpus=gpus, force=force)
