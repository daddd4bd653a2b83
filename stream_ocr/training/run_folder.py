"""Files of a training run, for both trainings: lock, checkpoint and curve; and the folder of an annealing."""

import fcntl
import json
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from stream_ocr.errors import SettingsError

CHECKPOINT, CURVE = "checkpoint.pt", "curve.jsonl"
ORIGIN = "origin.pt"
"""Copy of the checkpoint that an annealing starts from."""


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Create the folder and keep other trainings out of it. Raise SettingsError while one uses it."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise SettingsError(
                f"another process trains into {folder}; stop it first, or choose another folder"
            ) from None
        yield


@contextmanager
def stop_on_sigterm() -> Iterator[threading.Event]:
    """Yield an event that SIGTERM sets, so that a run can write a checkpoint before it ends."""
    stop = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    before = signal.signal(signal.SIGTERM, lambda *_: stop.set())
    try:
        yield stop
    finally:
        signal.signal(signal.SIGTERM, before)


def save_checkpoint(folder: Path, state: dict[str, Any]) -> None:
    """Write the checkpoint atomically: a kill at any time leaves the one before or this one."""
    partial = folder / "checkpoint.tmp"
    torch.save(state, partial)
    partial.replace(folder / CHECKPOINT)


def load_checkpoint(path: Path, device: torch.device | None = None) -> dict[str, Any]:
    """Return a checkpoint. Raise SettingsError where there is none."""
    if not path.is_file():
        raise SettingsError(f"there is no checkpoint {path}; start the training first")
    saved: dict[str, Any] = torch.load(path, map_location=device, weights_only=True)
    return saved


def copy_origin(folder: Path, into: Path) -> Path:
    """Copy the checkpoint of a run for its annealing, unless that has been done, and return the path of the copy."""
    origin = into / ORIGIN
    if not origin.is_file():
        load_checkpoint(folder / CHECKPOINT)
        into.mkdir(parents=True, exist_ok=True)
        partial = into / "origin.tmp"
        partial.write_bytes((folder / CHECKPOINT).read_bytes())
        partial.replace(origin)
    return origin


class Curve:
    """Figures of a run as JSON lines.

    Opening it drops the rows after the checkpoint, which the run will write again, and a row that a kill cut off.
    counter: name of the column that orders the rows; count: its value at the checkpoint. continues: curve of the
    exported weights that a new run begins with.
    """

    def __init__(self, path: Path, counter: str, count: int, continues: Path | None = None) -> None:
        self._path = path
        rows = _rows(path) if path.is_file() or continues is None else _rows(continues)
        _write_rows(path, [row for row in rows if row.get(counter, 0) <= count])

    def add(self, row: dict[str, Any]) -> None:
        """Append a row, with the present time."""
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(_timed(row)) + "\n")


def exported_curve(name: str, folder: Path) -> Path:
    """Return the path of the curve beside exported weights."""
    return folder / f"{name}.curve.jsonl"


def export_curve(curve: Path, name: str, folder: Path, last: dict[str, Any], every: int = 1) -> None:
    """Copy a curve beside the exported weights, and append the row of the export.

    every: of the rows without validation figures, one in so many is kept.
    """
    kept = [row for i, row in enumerate(_rows(curve)) if "validation" in row or i % every == 0]
    _write_rows(exported_curve(name, folder), [*kept, _timed(last)])


def _timed(row: dict[str, Any]) -> dict[str, Any]:
    return row | {"time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}


def _rows(path: Path) -> list[dict[str, Any]]:
    content = path.read_text(encoding="utf-8") if path.is_file() else ""
    return [json.loads(line) for line in content[: content.rfind("\n") + 1].splitlines()]


def _write_rows(path: Path, rows: list[dict[str, Any]]) -> None:
    partial = path.with_suffix(".tmp")
    partial.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    partial.replace(path)
