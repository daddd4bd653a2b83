"""Memory and descriptors of the processes of a run, sampled during the soak."""

import statistics
from collections import defaultdict
from collections.abc import Sequence
from typing import Any, NamedTuple

import psutil

WARM_UP_S = 120.0
MINUTE_S = 60.0


class Process(NamedTuple):
    """A sample of one process."""

    pid: int
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
    """Compare the first minute after the warm-up with the last: each process, their total, and those that lived on.

    Samples in which there is a worker of the name ``extra``, that of a camera which is added and removed, are left out,
    since all processes have more descriptors meanwhile. In the total a worker that was replaced is compared with its
    predecessor. interval_s: between two samples.
    """
    warm_up_s, count = min(WARM_UP_S, samples[-1].at_s / 3), round(MINUTE_S / interval_s)
    alike = [sample for sample in samples if sample.at_s >= warm_up_s and extra not in sample.processes]
    first, last = _medians(alike[:count]), _medians(alike[-count:])
    both = sorted(first.keys() & last.keys())
    lived_on = [name for name in both if first[name].pid == last[name].pid]
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


def _medians(samples: Sequence[Sample]) -> dict[str, Process]:
    """Return the median of each process; of one that was replaced, of the last incarnation."""
    rows: defaultdict[str, list[Process]] = defaultdict(list)
    for _, processes in samples:
        for name, process in processes.items():
            rows[name].append(process)
    medians = {}
    for name, found in rows.items():
        own = [process for process in found if process.pid == found[-1].pid]
        medians[name] = Process(
            own[-1].pid,
            statistics.median(process.rss_mb for process in own),
            round(statistics.median(process.descriptors for process in own)),
        )
    return medians


def _totals(first: dict[str, Process], last: dict[str, Process], names: Sequence[str]) -> list[float]:
    return [round(sum(minute[name].rss_mb for name in names), 1) for minute in (first, last)]


def _drift(first: dict[str, Process], last: dict[str, Process], names: Sequence[str]) -> float:
    before_mb, after_mb = (sum(minute[name].rss_mb for name in names) for minute in (first, last))
    return round(100 * (after_mb / before_mb - 1), 2) if before_mb else 0.0
