"""Services are killed and fail: they are restarted, and the stages do not notice."""

import signal
from pathlib import Path

import pytest
from runtime.live_run import CAMERA, Run, assert_in_order, five, signal_worker

from stream_ocr.runtime.live_supervisor import LiveSupervisor
from stream_ocr.runtime.topology import service

pytestmark = pytest.mark.usefixtures("toys", "no_leftovers")


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP])
def test_live_supervisor_restarts_services_and_tells_nobody(tmp_path: Path, how: signal.Signals) -> None:
    log, served = tmp_path / "log", tmp_path / "served"
    with (
        served.open("ab") as file,
        LiveSupervisor(five({"a": CAMERA, "b": CAMERA}, log), {}, hang_s=1.5) as supervisor,
    ):
        supervisor.start_service(service("web", "toy_stages:serving", fds={"log": file.fileno()}))
        run = Run(supervisor)
        run.run_until(lambda: served.read_text() == "entered\n")
        assert "web" not in supervisor.stages
        signal_worker(run, "web", how)
        run.run_until(lambda: served.read_text() == "entered\n" * 2)
        run.stop()
    assert served.read_text() == "entered\nentered\nclosed\n"
    assert sorted(run.closings()) == [("a", "interrupted"), ("b", "interrupted")]
    assert_in_order(log)
    assert not [line for line in log.read_text().splitlines() if " gap " in line or " down " in line]


@pytest.mark.parametrize("at", ["start", "check"])
def test_live_supervisor_goes_on_while_a_service_keeps_failing(tmp_path: Path, at: str) -> None:
    log = tmp_path / "log"
    with (
        (tmp_path / "served").open("ab") as file,
        LiveSupervisor(five({"a": CAMERA, "b": CAMERA}, log), {}) as supervisor,
    ):
        supervisor.start_service(service("web", "toy_stages:serving", fds={"log": file.fileno()}, at=at))
        run = Run(supervisor)
        run.run_until(lambda: supervisor.degraded == ["web"])
        assert supervisor.not_ready == []
        run.publish_more("a")
        run.publish_more("b")
        run.stop()
    assert sorted(run.closings()) == [("a", "interrupted"), ("b", "interrupted")]
    assert_in_order(log)
