"""Memory and descriptors of the processes of a run, sampled during the soak."""

import statistics
from collections import defaultdict
from collections.abc import Sequence
from typing import Any, NamedTuple

import psutil

WARM_UP_S = 120.0
PART_S = 60.0  # at least


class Process(NamedTuple):
    """A sample of one process."""

    pid: int
    rss_mb: float
    descriptors: int


class Medians(NamedTuple):
    """Medians of the samples of one process."""

    rss_mb: float
    descriptors: int


class Sample(NamedTuple):
    """A sample of all processes by their title. at_s: since the start."""

    at_s: float
    processes: dict[str, Process]


def sample(program: psutil.Process, at_s: float) -> Sample:
    """Sample the program and all processes that it started."""
    found = {}
    for process in (program, *program.children(recursive=True)):
        try:
            title = "program" if process == program else " ".join(process.cmdline()).removeprefix("stream-ocr: ")
            found[title.strip()] = Process(process.pid, process.memory_info().rss / 1e6, process.num_fds())
        except psutil.Error:
            continue
    return Sample(at_s, found)


def compare(samples: Sequence[Sample], extra: str, interval_s: float) -> dict[str, Any]:
    """Compare the first part of the run after the warm-up with the last: each process, all, and those that lived on.

    A part is a tenth of the run and at least a minute, so that in a long run both hold many faults: a worker that was
    just replaced is smaller than an old one. Samples in which there is a worker of the name ``extra``, that of a camera
    which is added and removed, are left out, since all processes have more descriptors meanwhile. In the total a worker
    that was replaced is compared with its predecessors. interval_s: between two samples.
    """
    warm_up_s, part_s = min(WARM_UP_S, samples[-1].at_s / 3), max(PART_S, samples[-1].at_s / 10)
    alike = [sample for sample in samples if sample.at_s >= warm_up_s and extra not in sample.processes]
    count = round(part_s / interval_s)
    first, last = _medians(alike[:count]), _medians(alike[-count:])
    both = sorted(first.keys() & last.keys())
    pids = {name: {sample.processes[name].pid for sample in alike if name in sample.processes} for name in both}
    lived_on = [name for name in both if len(pids[name]) == 1]
    return {
        "rss_mb": {name: [round(first[name].rss_mb, 1), round(last[name].rss_mb, 1)] for name in both},
        "descriptors": {name: [first[name].descriptors, last[name].descriptors] for name in both},
        "lived_on": lived_on,
        "total_mb": _totals(first, last, both),
        "drift_percent": _drift(first, last, both),
        "lived_on_mb": _totals(first, last, lived_on),
        "lived_on_drift_percent": _drift(first, last, lived_on),
        "descriptors_changed_by": max((abs(last[n].descriptors - first[n].descriptors) for n in both), default=0),
    }


def _medians(samples: Sequence[Sample]) -> dict[str, Medians]:
    """Return the medians of each process and its successors."""
    rows: defaultdict[str, list[Process]] = defaultdict(list)
    for _, processes in samples:
        for name, process in processes.items():
            rows[name].append(process)
    return {
        name: Medians(
            statistics.median(process.rss_mb for process in found),
            round(statistics.median(process.descriptors for process in found)),
        )
        for name, found in rows.items()
    }


def _totals(first: dict[str, Medians], last: dict[str, Medians], names: Sequence[str]) -> list[float]:
    return [round(sum(part[name].rss_mb for name in names), 1) for part in (first, last)]


def _drift(first: dict[str, Medians], last: dict[str, Medians], names: Sequence[str]) -> float:
    before_mb, after_mb = (sum(part[name].rss_mb for name in names) for part in (first, last))
    return round(100 * (after_mb / before_mb - 1), 2) if before_mb else 0.0
