"""Runs whose workers get too little of the machine: processor time, file descriptors."""

import os
import resource
import time
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest
from pipelines.conftest import BUILTIN

from stream_ocr.config.settings import Settings
from stream_ocr.service.live_pipeline import LivePipeline

CPU = Path("/sys/fs/cgroup/cpu")
FEW_DESCRIPTORS = 16  # poll() needs some


@pytest.fixture
def few_cycles() -> Iterator[Callable[[int], None]]:
    """Let processes have a fifth of a core from now on, together: ``few_cycles(pid)``."""
    group = CPU / f"stream-ocr-test-{os.getpid()}"
    try:
        group.mkdir()
        (group / "cpu.cfs_period_us").write_text("100000")
        (group / "cpu.cfs_quota_us").write_text("20000")
    except OSError:
        pytest.skip("needs the right to limit processor time with cgroup v1: run as root")
    yield lambda pid: (group / "cgroup.procs").write_text(str(pid))
    for pid in (group / "cgroup.procs").read_text().split():
        (CPU / "cgroup.procs").write_text(pid)
    group.rmdir()


@pytest.fixture
def run(long_clip: Path, tmp_path: Path) -> Iterator[LivePipeline]:
    """A run over a file at its own speed, with a store."""
    values = {
        "sources": {"gate": {"path": str(long_clip)}},
        "store": {"path": str(tmp_path / "events.db")},
        "service": {"listen": None},
    }
    with LivePipeline(Settings.model_validate({**Settings.load(overrides=BUILTIN).model_dump(), **values})) as pipeline:
        yield pipeline


def events_until(pipeline: LivePipeline, enough: Callable[[list[str]], bool], limit_s: float = 60.0) -> list[str]:
    """Return the kinds of the events until there are enough, then stop the run and drain it."""
    kinds: list[str] = []
    deadline = time.monotonic() + limit_s
    for event in pipeline.events():
        kinds.append(event.kind)
        if enough(kinds):
            pipeline.stop()
        assert time.monotonic() < deadline, kinds
    return kinds


def test_run_goes_on_with_a_fifth_of_a_core(run: LivePipeline, few_cycles: Callable[[int], None]) -> None:
    starved = []

    def enough(kinds: list[str]) -> bool:
        if "appeared" in kinds and not starved:
            for pid in run.pids.values():
                few_cycles(pid)
            starved.append(len(kinds))
        return bool(starved) and sum(kind in ("changed", "source.gap") for kind in kinds[starved[0] :]) >= 3

    kinds = events_until(run, enough)
    assert set(run.restarts.values()) == {0}
    assert run.degraded == []
    assert kinds.count("source.down") <= 1


def test_run_goes_on_without_free_descriptors(run: LivePipeline) -> None:
    limited = []

    def enough(kinds: list[str]) -> bool:
        if "appeared" in kinds and not limited:
            for pid in run.pids.values():
                taken = {int(fd.name) for fd in Path(f"/proc/{pid}/fd").iterdir()}
                free = next(number for number in count(FEW_DESCRIPTORS) if number not in taken)
                resource.prlimit(pid, resource.RLIMIT_NOFILE, (free, free))
            limited.append(len(kinds))
        return bool(limited) and kinds[limited[0] :].count("changed") >= 4

    events_until(run, enough)
    assert set(run.restarts.values()) == {0}
