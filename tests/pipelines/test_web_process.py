"""The web process of ``stream-ocr run --dashboard`` is killed, attacked, or cannot start: reading goes on."""

import json
import resource
import shutil
import signal
import socket
import subprocess
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml
from rtsp_camera.camera_run import LONG_S, Run

from stream_ocr.synthetic.scene import Scene, Text, render
from stream_ocr.viz.thresholds import DASHBOARD

pytestmark = pytest.mark.slow
CONNECTIONS = 1100
DURATION_S = 180
SCENE = Scene(
    tuple(
        Text(f"GATE {n}", 2 * n + 0.5, 2 * n + 1.8, (60, 60 + n % 2 * 160), height=44) for n in range(DURATION_S // 2)
    ),
    float(DURATION_S),
    (640, 360),
    fps=4,
    background="static",
)


@pytest.fixture(scope="module")
def gates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Render a text every two seconds."""
    path = tmp_path_factory.mktemp("gates") / "gates.mp4"
    render(SCENE, path)
    return path


@pytest.fixture
def dashboard_run(
    start: Callable[..., "subprocess.Popen[str]"], gates: Path, endpoint: str, tmp_path: Path
) -> Iterator[Callable[..., tuple[Run, str]]]:
    """Run with a dashboard: ``dashboard_run(PREFIX_OF_THE_COMMAND)`` returns the run and the URL of its page."""

    def dashboard_run(*before: str) -> tuple[Run, str]:
        port = int(endpoint.rpartition(":")[2])
        folder = tmp_path / "run"
        config = {
            "models": "builtin",
            "device": "cpu",
            "threads": 1,
            "sources": {"gate": {"path": str(gates)}},
            "dashboard": {"port": port + 1},
            "service": {"listen": f"127.0.0.1:{port}"},
            "sinks": [{"type": "jsonl", "path": str(folder / "events.jsonl")}],
        }
        (folder / "live.yaml").write_text(yaml.safe_dump(config))
        run = Run(start("run", "live.yaml", "--dashboard", before=before), folder, port)
        run.wait_until(lambda: run.events("gate", "appeared"))
        return run, f"http://127.0.0.1:{port + 1}"

    return dashboard_run


@pytest.fixture
def many_descriptors() -> Iterator[None]:
    """Let this process open more connections than the run may."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    if before[1] < CONNECTIONS + 200:
        pytest.skip(f"needs {CONNECTIONS + 200} descriptors: ulimit -Hn")
    resource.setrlimit(resource.RLIMIT_NOFILE, (before[1], before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def shown(address: str) -> list[dict[str, Any]]:
    """Return the events that the page gets at its start."""
    with urllib.request.urlopen(f"{address}/api/events", timeout=LONG_S) as stream:
        for line in stream:
            if line.startswith(b"data: ["):
                return json.loads(line.removeprefix(b"data: "))
    return []


def others(run: Run) -> dict[str, psutil.Process]:
    return {name: worker for name, worker in run.workers().items() if name != "web"}


def assert_unharmed(run: Run) -> None:
    """Assert that the run ends in order, and that no event and no frame was lost."""
    assert run.end(signal.SIGTERM, within_s=LONG_S) == 0
    events = run.events()
    assert [event["seq"] for event in events] == list(range(len(events)))
    assert run.events(None, "source.gap") == []


def test_killed_web_process_comes_back_with_all_events(dashboard_run):
    run, address = dashboard_run()
    run.wait_until(lambda: "web" in run.workers() and shown(address))
    before = others(run)
    for _ in range(2):
        victim = run.workers()["web"]
        victim.send_signal(signal.SIGKILL)
        run.wait_until(lambda victim=victim: run.workers().get("web", victim) != victim)
        run.wait_for_text("gate")
    written = [event["id"] for event in run.events()]
    run.wait_until(lambda: [event["id"] for event in shown(address)][: len(written)] == written)
    assert run.get("/readyz")[0] == run.get("/healthz")[0] == 200
    assert run.restarts()["web"] == 2
    assert others(run) == before
    assert "the web worker was killed by signal 9" in run.stderr()
    assert_unharmed(run)


@pytest.mark.usefixtures("many_descriptors")
def test_half_open_connections_do_not_keep_a_worker_from_being_replaced(dashboard_run):
    run, address = dashboard_run("prlimit", "--nofile=1024:1024")
    run.wait_until(lambda: shown(address))
    peer = ("127.0.0.1", run.port + 1)
    with ExitStack() as opened:
        for _ in range(CONNECTIONS):
            connection = opened.enter_context(socket.create_connection(peer, timeout=LONG_S))
            connection.sendall(b"GET / HTTP/1.1\r\nX-Slow: ")
        victim = run.workers()["detect"]
        victim.kill()
        run.wait_until(lambda: run.workers().get("detect", victim) != victim)
        run.wait_for_text("gate")
        assert shown(address), "a viewer still gets in"
        assert run.get("/healthz")[0] == 200
        assert run.workers()["web"].num_fds() < DASHBOARD.max_connections + 100
    assert run.restarts()["web"] == 0
    assert run.end(signal.SIGTERM, within_s=LONG_S) == 0
    assert run.replaced("gate", "detect") == 1


def test_web_process_that_dies_at_every_start_does_not_end_the_run(dashboard_run, tmp_path):
    broken = tmp_path / "broken" / "uvicorn"
    broken.mkdir(parents=True)
    (broken / "__init__.py").write_text("import os\nos._exit(3)\n")
    run, _ = dashboard_run("env", f"PYTHONPATH={broken.parent}")
    before = others(run)
    keeps_failing = "the web worker keeps failing; the run goes on without it"
    run.wait_until(lambda: keeps_failing in run.stderr())
    run.wait_for_text("gate")
    assert others(run) == before
    assert_unharmed(run)
    assert run.stderr().count(keeps_failing) == 1
    shutil.rmtree(broken)
