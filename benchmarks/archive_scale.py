"""Scale of an archive: the real run over a manifest with a million lines, with workers that read nothing.

    python benchmarks/archive_scale.py [--files 1000000] [-o results.json]

All lines name one small file, each as a stream of its own, so that no disk with a million files is needed.
"""

import argparse
import json
import resource
import tempfile
import time
from collections import deque
from collections.abc import Sequence
from pathlib import Path

from stream_ocr.archive.output import Output
from stream_ocr.archive.run import ArchiveRun
from stream_ocr.archive.sources import Sources
from stream_ocr.archive.unit import Planner, Unit
from stream_ocr.archive.unit_reader import UnitResult
from stream_ocr.archive.workers import Finished, Workers
from stream_ocr.config.settings import Settings
from stream_ocr.evaluation.bench.machine import machine_info

WORKERS = 64


class InstantWorkers(Workers):
    """Finish every unit at once."""

    def __init__(self) -> None:
        self._started: deque[Unit] = deque()

    @property
    def has_room(self) -> bool:
        return len(self._started) < WORKERS

    @property
    def is_busy(self) -> bool:
        return bool(self._started)

    def start(self, unit: Unit) -> None:
        self._started.append(unit)

    def wait(self) -> Sequence[Finished]:
        return [Finished(self._started.popleft(), UnitResult(1.0, 25)) for _ in range(len(self._started))]


def peak_mb() -> int:
    """Return the most memory that this process has had."""
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--files", type=int, default=1_000_000)
    parser.add_argument("-o", "--output", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "film.mp4").write_bytes(b"not read")
        with (folder / "films.jsonl").open("w") as manifest:
            for number in range(arguments.files):
                manifest.write(f'{{"path": "film.mp4", "stream": "shelf-{number % 1000}/film-{number}.mp4"}}\n')
        sources = Sources([str(folder / "films.jsonl")])
        at_start_mb, started_s = peak_mb(), time.monotonic()
        count = sources.count()
        counted_mb, counted_s = peak_mb(), time.monotonic()
        output = Output(folder / "out")
        output.prepare()
        run = ArchiveRun(sources, Planner(Settings.load()), output, InstantWorkers())
        read = sum(outcome.status == "read" for outcome in run.outcomes())
        ended_s = time.monotonic()
    results = {
        "machine": machine_info(),
        "files": count,
        "read": read,
        "at_start_mb": at_start_mb,
        "after_count_mb": counted_mb,
        "peak_mb": peak_mb(),
        "count_s": round(counted_s - started_s, 1),
        "files_per_s": round(read / (ended_s - counted_s)),
    }
    print(json.dumps(results, indent=1))
    if arguments.output:
        arguments.output.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
