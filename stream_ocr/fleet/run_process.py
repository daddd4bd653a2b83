"""The process that reads the cameras of a host: ``python -m stream_ocr.fleet.run_process FOLDER PID``.

It is the same run as that of ``stream-ocr run``. It ends with its host, and as soon as its permit has expired.
"""

import signal
import sys
from collections.abc import Mapping
from pathlib import Path

import msgspec

from stream_ocr import logging_config
from stream_ocr.config.settings import Settings
from stream_ocr.core.permit import boottime_s
from stream_ocr.errors import StreamOcrError
from stream_ocr.fleet.messages import CameraReport
from stream_ocr.runtime.parent_death import die_with_parent
from stream_ocr.service.live_pipeline import LivePipeline
from stream_ocr.service.run_status import RunSnapshot

SETTINGS, STATUS, PERMIT, TICKET_KEY = "settings.yaml", "status.json", "permit", "ticket-key"
"""Files in the folder of a host."""


class RunStatus(msgspec.Struct, frozen=True):
    """Status of the process, written about once a second.

    boottime_s: of writing. assignments: of the cameras in the settings that it uses. is_reloading: it is about to use
    others. open_streams: cameras of which events may still come. mistake: why it cannot run. port: of its HTTP server.
    """

    boottime_s: float
    assignments: Mapping[str, int | None] = {}
    is_reloading: bool = False
    open_streams: list[str] = []
    cameras: Mapping[str, CameraReport] = {}
    mistake: str | None = None
    port: int | None = None


def main(folder: Path, parent: int) -> int:
    """Read cameras until SIGTERM; SIGHUP reloads the settings."""
    die_with_parent(parent)
    path = folder / SETTINGS
    try:
        settings = Settings.load(path)
        logging_config.configure(settings)
        pipeline = LivePipeline(settings, config=path, on_status=lambda snapshot: _write(folder, pipeline, snapshot))
        signal.signal(signal.SIGTERM, lambda *_: pipeline.stop())
        signal.signal(signal.SIGHUP, lambda *_: pipeline.reload())
        with pipeline:
            for _ in pipeline.events():
                pass
    except StreamOcrError as error:
        _replace(folder, RunStatus(boottime_s(), mistake=str(error)))
        return 1
    return 0


def _write(folder: Path, pipeline: LivePipeline, snapshot: RunSnapshot) -> None:
    cameras = {name: CameraReport(each.state, each.fps, each.reason) for name, each in snapshot.cameras.items()}
    status = RunStatus(
        boottime_s(),
        pipeline.assignments,
        pipeline.is_reloading,
        snapshot.open_streams,
        cameras,
        port=pipeline.port,
    )
    _replace(folder, status)


def _replace(folder: Path, status: RunStatus) -> None:
    new = folder / f".{STATUS}.new"
    new.write_bytes(msgspec.json.encode(status))
    new.replace(folder / STATUS)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), int(sys.argv[2])))
