"""Workers are killed and stopped while others work: they are restarted, and nothing is lost for good or duplicated."""

import os
import resource
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psutil
import pytest
from runtime.live_run import CAMERA, Run, assert_in_order, five, seqs, signal_worker

from stream_ocr.runtime.live_supervisor import LiveSupervisor
from stream_ocr.runtime.topology import RingSize
from stream_ocr.stages.base import EPOCHS_PER_INCARNATION

pytestmark = pytest.mark.usefixtures("toys", "no_leftovers")


def test_live_supervisor_restarts_killed_workers_and_leaves_others_alone(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with LiveSupervisor(five({"a": CAMERA, "b": CAMERA}, log), {}) as supervisor:
        run = Run(supervisor)
        run.publish_more("a")
        for name in ("decode/a", "detect", "track", "recognize", "publish"):
            signal_worker(run, name, signal.SIGKILL)
        run.stop()
    assert sorted(run.closings()) == [("a", "interrupted"), ("b", "interrupted")]
    assert_in_order(log)
    assert "a down The decode/a worker was killed by signal 9." in log.read_text().splitlines()
    assert "b gap The detect worker was replaced." in log.read_text().splitlines()
    assert {epoch for epoch, _ in seqs(log, "a")} == {0, EPOCHS_PER_INCARNATION}


def test_live_supervisor_restarts_all_workers_after_the_fork_server_died(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with LiveSupervisor(five({"a": CAMERA, "b": CAMERA}, log), {}) as supervisor:
        run = Run(supervisor)
        run.publish_more("a")
        before = supervisor.pids
        os.kill(psutil.Process(before["detect"]).ppid(), signal.SIGKILL)
        run.run_until(lambda: set(supervisor.restarts.values()) == {1})
        run.run_until(lambda: supervisor.pids.keys() == before.keys())
        run.publish_more("a")
        run.publish_more("b")
        assert not set(before.values()) & set(supervisor.pids.values())
        run.stop()
    assert sorted(run.closings()) == [("a", "interrupted"), ("b", "interrupted")]
    assert_in_order(log)


def test_live_supervisor_restarts_hung_workers(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with LiveSupervisor(five({"a": CAMERA, "b": CAMERA}, log), {}, hang_s=1.5) as supervisor:
        run = Run(supervisor)
        run.publish_more("a")
        for name in ("decode/a", "track"):
            signal_worker(run, name, signal.SIGSTOP)
        run.stop()
    assert_in_order(log)
    assert "a down The decode/a worker gave no sign of life for 1.5 s and was killed." in log.read_text().splitlines()


FEW_DESCRIPTORS = 16  # poll() needs some


@contextmanager
def no_more_descriptors() -> Iterator[None]:
    """Let this process open nothing more."""
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    with ExitStack() as opened:
        while opened.enter_context(Path(os.devnull).open()).fileno() < FEW_DESCRIPTORS:
            pass
        resource.setrlimit(resource.RLIMIT_NOFILE, (FEW_DESCRIPTORS, limits[1]))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, limits)


def test_live_supervisor_restarts_workers_once_there_are_descriptors_again(tmp_path: Path) -> None:
    log = tmp_path / "log"
    topology = five({"a": CAMERA, "b": CAMERA}, log)
    scarce = ExitStack()
    missing: list[list[str]] = []

    def on_check() -> None:
        """End the shortage once two attempts have failed. (Without a stage no message comes.)"""
        if supervisor.restarts["track"] > 2 and not missing:
            missing.append(supervisor.not_ready)
            scarce.close()

    with scarce, LiveSupervisor(topology, {}, on_check=on_check) as supervisor:
        run = Run(supervisor)
        run.publish_more("a")
        scarce.enter_context(no_more_descriptors())
        os.kill(supervisor.pids["decode/a"], signal.SIGKILL)
        run.run_until(lambda: supervisor.restarts["decode/a"] > 2)
        os.kill(supervisor.pids["track"], signal.SIGKILL)
        run.publish_more("a")
        run.publish_more("b")
        with no_more_descriptors():
            supervisor.set_source(topology.processes[0], SLOTS, {})
            run.run_until(lambda: supervisor.restarts["decode/a"] > 4)
            run.stop()
    assert "track" in missing[0]
    assert sorted(run.closings()) == [("a", "interrupted")] * 2 + [("b", "interrupted")]
    assert_in_order(log)


def test_live_supervisor_reclaims_lost_slots(tmp_path: Path) -> None:
    """Kill workers repeatedly while all slots are in use: without reclaiming the ring would soon be full."""
    log = tmp_path / "log"
    topology = five({"a": {"frames": 10**9}}, log, track={"pause_s": 0.01})
    with LiveSupervisor(topology, {}) as supervisor:
        run = Run(supervisor)
        run.publish_more("a")
        for name in ("detect", "track", "detect"):
            os.kill(supervisor.pids[name], signal.SIGKILL)
            count = sum(supervisor.restarts.values())
            run.run_until(lambda count=count: sum(supervisor.restarts.values()) > count)
            run.publish_more("a")
        run.publish_more("a", 100)
        run.stop()
    assert supervisor.counters.slots_reclaimed["frames/a"] > 0
    published = seqs(log, "a")
    assert published == sorted(set(published))


def test_live_supervisor_quarantines_a_frame_that_kills_its_worker_twice(tmp_path: Path) -> None:
    log = tmp_path / "log"
    faults = {"kill": [30], "stream": "b"}
    topology = five({"a": CAMERA, "b": {**CAMERA, "frames": 100}}, log, detect={"faults": faults})
    with LiveSupervisor(topology, {}) as supervisor:
        run = Run(supervisor)
        run.run_until(lambda: ("b", "end") in run.closings())
        run.publish_more("a", 100)
        assert supervisor.restarts["detect"] <= 2
        assert supervisor.counters.quarantined == {"detect": 1}
        run.stop()
    published = {seq for _, seq in seqs(log, "b")}
    assert set(range(31)) <= published, "a quarantined frame goes on without its detections"
    assert len(published) > 80, "only messages that the dead worker had received beyond its batch are lost"


def test_live_supervisor_counts_until_a_source_has_ended(tmp_path: Path) -> None:
    with LiveSupervisor(five({"a": {"frames": 50, "end_s": 0.5}}, tmp_path / "log"), {}) as supervisor:
        run = Run(supervisor)
        run.messages += supervisor.messages()
    assert run.closings() == [("a", "end")]
    assert supervisor.counters.of_stream("a")["frames"] == 50


def test_live_supervisor_retries_an_innocent_batch(tmp_path: Path) -> None:
    log = tmp_path / "log"
    topology = five({"a": CAMERA}, log, detect={"faults": {"kill": [30], "incarnations": 1}})
    with LiveSupervisor(topology, {}) as supervisor:
        run = Run(supervisor)
        run.run_until(lambda: run.frames("a") >= 60)
        assert (supervisor.restarts["detect"], supervisor.counters.quarantined) == (1, {})
        run.stop()
    assert (0, 30) in seqs(log, "a")


def test_worker_halves_its_batch_when_memory_is_scarce(tmp_path: Path) -> None:
    log = tmp_path / "log"
    topology = five({"a": {"frames": 300}, "b": {"frames": 300}}, log, detect={"faults": {"max_batch": 1}})
    with LiveSupervisor(topology, {}) as supervisor:
        run = Run(supervisor)
        run.run_until(lambda: len(run.closings()) == 2)
        assert supervisor.restarts["detect"] == 0
    for stream in "ab":
        assert seqs(log, stream) == [(0, seq) for seq in range(300)]


def test_live_supervisor_restarts_a_worker_after_a_device_error(tmp_path: Path) -> None:
    log = tmp_path / "log"
    topology = five({"a": CAMERA}, log, detect={"faults": {"fail": [10], "incarnations": 1}})
    with LiveSupervisor(topology, {}) as supervisor:
        run = Run(supervisor)
        run.run_until(lambda: run.frames("a") >= 40)
        assert supervisor.restarts["detect"] == 1
        run.stop()
    assert (0, 10) in seqs(log, "a")


def test_stop_works_while_a_source_is_dead(tmp_path: Path) -> None:
    with LiveSupervisor(five({"a": CAMERA, "b": CAMERA}, tmp_path / "log"), {}) as supervisor:
        run = Run(supervisor)
        run.publish_more("a")
        os.kill(supervisor.pids["decode/a"], signal.SIGKILL)
        run.run_until(lambda: supervisor.restarts["decode/a"] == 1)
        start = time.monotonic()
        run.stop()
        assert time.monotonic() - start < 10
    assert sorted(run.closings()) == [("a", "interrupted"), ("b", "interrupted")]
    assert (tmp_path / "log").read_text().endswith("closed\n")


def test_stop_while_sources_start_is_no_failure(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    topology = five({"a": CAMERA, "b": CAMERA}, tmp_path / "log")
    with LiveSupervisor(topology, {}) as supervisor:
        Run(supervisor).stop()  # they have been started, but are not ready yet
        assert supervisor.restarts["decode/a"] == supervisor.restarts["decode/b"] == 0
    assert "killed by signal" not in "".join(capfd.readouterr())
    assert " down " not in (tmp_path / "log").read_text()


def test_busy_camera_does_not_starve_another(tmp_path: Path) -> None:
    """One camera sends whenever a slot is free, the other at 20 fps; later stages are too slow for the first."""
    topology = five(
        {"a": {"frames": 10**9}, "b": {"frames": 10**9, "pause_s": 0.05}}, tmp_path / "log", track={"pause_s": 0.01}
    )
    with LiveSupervisor(topology, {}) as supervisor:
        run = Run(supervisor)
        run.publish_more("a")
        before = run.frames("a"), run.frames("b")
        run.publish_more("b", 40)
        of_a, of_b = run.frames("a") - before[0], run.frames("b") - before[1]
        assert of_b < of_a < 20 * of_b, "without contention it is five times as many"
        run.stop()


SLOTS = RingSize(6, 50_000_000)


def test_set_source_replaces_the_only_source(tmp_path: Path) -> None:
    topology = five({"a": CAMERA}, tmp_path / "log")
    with LiveSupervisor(topology, {}) as supervisor:
        run = Run(supervisor)
        run.publish_more("a")
        supervisor.set_source(topology.processes[0], SLOTS, {})
        run.run_until(lambda: run.closings())
        run.publish_more("a")
        run.stop()
    assert run.closings() == [("a", "interrupted")] * 2
    assert {epoch for epoch, _ in seqs(tmp_path / "log", "a")} == {0, EPOCHS_PER_INCARNATION}


@contextmanager
def two_cameras(log: Path) -> Iterator[tuple[Run, Callable[[], None]]]:
    """Yield a run in which stream a is being read, and a function that replaces its source."""
    topology = five({"a": CAMERA, "b": CAMERA}, log)
    with LiveSupervisor(topology, {}) as supervisor:
        run = Run(supervisor)
        run.publish_more("a")
        yield run, lambda: supervisor.set_source(topology.processes[0], SLOTS, {})


def test_stop_while_a_source_is_replaced(tmp_path: Path) -> None:
    with two_cameras(tmp_path / "log") as (run, replace):
        replace()
        run.stop()
    assert sorted(run.closings()) == [("a", "interrupted"), ("b", "interrupted")]


def test_drop_source_right_after_set_source(tmp_path: Path) -> None:
    with two_cameras(tmp_path / "log") as (run, replace):
        replace()
        run.supervisor.drop_source("decode/a", {})
        run.run_until(lambda: "frames/a" not in run.supervisor.rings)
        run.publish_more("b")
        run.stop()
    assert sorted(run.closings()) == [("a", "interrupted"), ("b", "interrupted")]


def test_live_supervisor_closes_the_stream_of_a_source_that_dies_while_it_is_replaced(tmp_path: Path) -> None:
    with two_cameras(tmp_path / "log") as (run, replace):
        pid = run.supervisor.pids["decode/a"]
        os.kill(pid, signal.SIGSTOP)
        replace()
        os.kill(pid, signal.SIGKILL)
        run.run_until(lambda: ("a", "interrupted") in run.closings())
        run.publish_more("a")
        run.stop()
    assert sorted(run.closings()) == [("a", "interrupted")] * 2 + [("b", "interrupted")]


@pytest.mark.parametrize("stage", ["detect", "track", "recognize", "publish"])
def test_live_supervisor_closes_a_stream_whose_end_was_lost_with_a_worker(tmp_path: Path, stage: str) -> None:
    topology = five({"a": CAMERA, "b": CAMERA}, tmp_path / "log")
    with LiveSupervisor(topology, {}) as supervisor:
        run = Run(supervisor)
        run.publish_more("a")
        pid = supervisor.pids[stage]
        os.kill(pid, signal.SIGSTOP)
        supervisor.drop_source("decode/a", {})
        time.sleep(1.0)  # the end of the stream reaches the inbox of the worker
        os.kill(pid, signal.SIGKILL)
        run.run_until(lambda: ("a", "interrupted") in run.closings())
        run.publish_more("b")
        assert supervisor.open_streams == ["b"]
        run.stop()
    assert sorted(run.closings()) == [("a", "interrupted"), ("b", "interrupted")]
