"""``stream-ocr run`` with RTSP cameras under the faults of cameras, workers and machine listed in docs/cameras.md."""

import json
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml
from rapidfuzz import fuzz
from rtsp_camera.camera_run import LONG_S, Run

from stream_ocr.core.permit import PermitFile, boottime_s
from stream_ocr.service.live_pipeline import PERMIT_EXIT
from stream_ocr.synthetic.scene import Scene, Text, linear_path, render

PASSWORD, WRONG = "s3cr3t-p4ss", "wr0ng-p4ss"
CLOCK = Path(__file__).with_name("wall_clock.c")
SCENE = Scene(
    (
        Text("DEPARTURES", 0, 4, (40, 30), height=30),
        Text("GATE 12", 0.6, 3.2, (60, 250), height=32),
        Text("PLATFORM", 1, 3.6, linear_path(1, (40, 140), 3.6, (300, 130)), height=30),
    ),
    4.0,
    (640, 360),
)
FRAME_S = 0.04


RunCameras = Callable[..., Run]


@pytest.fixture
def run_cameras(start: Callable[..., "subprocess.Popen[str]"], tmp_path: Path) -> RunCameras:
    """Run cameras: ``run_cameras({NAME: ADDRESS})``."""

    def run_cameras(urls: Mapping[str, str], *, before: Sequence[str] = (), **settings: Any) -> Run:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        folder = tmp_path / "run"
        config = {
            "models": "builtin",
            "device": "cpu",
            "threads": 1,
            "sources": {name: {"url": url} for name, url in urls.items()},
            "live": {"max_backoff_s": 3.0},
            "service": {"listen": f"127.0.0.1:{port}"},
            "sinks": [{"type": "jsonl", "path": str(folder / "events.jsonl")}],
            "store": {"path": str(folder / "events.db")},
        } | settings
        (folder / "live.yaml").write_text(yaml.safe_dump(config))
        return Run(start("run", "live.yaml", before=before), folder, port)

    return run_cameras


@pytest.fixture(scope="module")
def signs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Render four seconds with a key frame every second."""
    path = tmp_path_factory.mktemp("cameras") / "signs.mp4"
    render(SCENE, path, gop=25)
    return path


def assert_consistent(events: Sequence[Mapping[str, Any]]) -> None:
    """Assert gapless seq, unique ids, an end for every text that appeared, and increasing times."""
    assert [(count, key) for key, count in Counter(event["id"] for event in events).items() if count > 1] == []
    for stream in {event["stream"] for event in events}:
        own = [event for event in events if event["stream"] == stream]
        assert [event["seq"] for event in own] == list(range(len(own)))
        appeared = [event["track"] for event in own if event["kind"] == "appeared"]
        ended = [event["track"] for event in own if event["kind"] == "ended"]
        assert len(set(appeared)) == len(appeared)
        assert sorted(appeared) == sorted(ended)
        times = [event["start"] for event in own if event["kind"] in ("source.up", "source.down")]
        assert times == sorted(times)


def places_of(run: Run, *words: str) -> list[str]:
    """Return the places that contain one of some words: logs, events, store, metrics, command lines."""
    places = {path.name: path.read_bytes().decode(errors="replace") for path in run.folder.glob("events*")}
    places |= {"standard error": run.stderr(), "metrics": run.get("/metrics")[1], "readiness": run.get("/readyz")[1]}
    for name, process in {**run.workers(), "program": psutil.Process(run.program.pid)}.items():
        places[f"ps {name}"] = " ".join(process.cmdline())
    assert len(places) > 10
    return [place for place, text in places.items() if any(word in text for word in words)]


@pytest.mark.slow
def test_failing_cameras_do_not_affect_others(camera, signs, run_cameras):
    gate, yard, absent = (
        camera(signs, user="operator", password=PASSWORD, digest=True),
        camera(signs, network="identity drop-probability=0.005"),
        camera(signs),
    )
    absent.kill()
    run = run_cameras({"gate": gate.url, "yard": yard.url, "absent": absent.url})
    run.wait_until(lambda: run.events("gate", "appeared") and run.events("yard", "appeared"))
    run.wait_until(lambda: run.events("absent", "source.down"))
    assert run.get("/readyz")[0] == run.get("/healthz")[0] == 200, "cameras do not affect health and readiness"
    second = subprocess.run(
        [sys.executable, "-m", "stream_ocr.cli", "run", str(run.config)], capture_output=True, text=True, check=False
    )
    assert second.returncode == 1
    assert "is in use by another run" in second.stderr

    yard.kill()
    run.wait_until(lambda: run.events("yard", "source.down"))
    run.wait_for_text("gate")
    yard.restart()
    run.wait_until(lambda: len(run.events("yard", "source.up")) == 2)
    run.wait_for_text("yard")
    before = run.workers()
    run.config.write_text(run.config.read_text().replace(PASSWORD, WRONG))
    run.wait_until(lambda: run.events("gate", "source.down"))
    assert "rejects the user name or password" in run.events("gate", "source.down")[-1]["reason"]
    run.wait_for_text("yard")
    changed = [name for name, process in run.workers().items() if process != before.get(name)]
    assert changed == ["decode/gate"], "the other workers are unaffected"
    assert places_of(run, PASSWORD, WRONG) == []

    assert run.end(signal.SIGTERM, within_s=20) == 0
    assert_consistent(run.events())
    texts = {event["text"] for event in run.events(None, "appeared", "changed", "updated")}
    shown = {"DEPARTURES", "GATE 12", "PLATFORM"}
    assert shown <= texts
    false = [text for text in texts if max(fuzz.ratio(text, true) for true in shown) < 80]
    assert false == [], "also from the camera with packet loss"
    assert len(run.events("gate", "source.up")) == 1


def with_small_shared_memory() -> Sequence[str]:
    """Return a command prefix for a /dev/shm of 64 KiB; empty if mounting is not permitted."""
    before = ("unshare", "-m", "sh", "-c", 'mount -t tmpfs -o size=64k none /dev/shm && exec "$0" "$@"')
    return before if subprocess.run([*before, "true"], capture_output=True, check=False).returncode == 0 else ()


@pytest.mark.slow
def test_suspended_and_killed_workers_are_replaced(camera, signs, run_cameras):
    run = run_cameras(
        {"gate": camera(signs).url, "yard": camera(signs).url},
        before=with_small_shared_memory(),
        service={"listen": None, "heartbeat_timeout_s": 4.0},
    )
    run.wait_until(lambda: run.events("gate", "appeared") and run.events("yard", "appeared"))

    reader = run.workers()["decode/gate"]
    reader.suspend()
    time.sleep(2.5)
    reader.resume()
    run.wait_until(lambda: sum(gap["frames"] for gap in run.events("gate", "source.gap")) > 20)
    assert run.workers()["decode/gate"] == reader
    assert all("too old" in gap["reason"] for gap in run.events("gate", "source.gap"))

    for name, how in (
        ("decode/gate", signal.SIGKILL),
        ("detect", signal.SIGKILL),
        ("track", signal.SIGKILL),
        ("recognize", signal.SIGKILL),
        ("detect", signal.SIGSTOP),
    ):
        victim, before = run.workers()[name], run.replaced("yard", name)
        victim.send_signal(how)
        run.wait_until(lambda victim=victim, name=name: run.workers().get(name, victim) != victim)
        if name != "decode/gate":
            run.wait_until(lambda name=name, before=before: run.replaced("yard", name) == before + 1)
        run.wait_for_text("gate")
        run.wait_for_text("yard")
    assert len(run.events("yard", "source.up")) == 1, "the camera itself never went down"
    reasons = {event["reason"] for event in run.events("yard", "source.gap")}
    assert {f"The {name} worker was replaced." for name in ("detect", "track", "recognize")} <= reasons
    assert run.events("gate", "source.down")[0]["reason"] == "The decode/gate worker was killed by signal 9."
    assert run.end(signal.SIGTERM, within_s=20) == 0
    assert_consistent(run.events())


def test_second_signal_exits_at_once(camera, signs, run_cameras):
    run = run_cameras(
        {"gate": camera(signs).url}, service={"listen": None, "heartbeat_timeout_s": 60.0, "shutdown_timeout_s": 60.0}
    )
    run.wait_until(lambda: run.events("gate", "source.up"))
    run.workers()["track"].suspend()  # so that nothing can be drained
    assert run.end(signal.SIGTERM, signal.SIGTERM, within_s=15) == 128 + signal.SIGTERM


@pytest.fixture
def wall_clock(tmp_path: Path) -> tuple[Sequence[str], Path]:
    """Return a command prefix for a program with an adjustable wall clock, and the file with its offset in seconds."""
    library, off = tmp_path / "clock.so", tmp_path / "off"
    try:
        subprocess.run(["cc", "-shared", "-fPIC", "-o", library, CLOCK, "-ldl"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("needs a C compiler for the adjustable wall clock; on Debian: apt-get install gcc libc6-dev")
    off.write_text("0")
    return ("env", f"LD_PRELOAD={library}", f"CLOCK_OFF={off}"), off


@pytest.mark.slow
def test_setting_the_wall_clock_changes_only_emitted_utc(camera, signs, run_cameras, wall_clock):
    before, off = wall_clock
    run = run_cameras({"gate": camera(signs).url}, before=before, live={"max_latency_s": 60.0})
    run.wait_until(lambda: any(event["utc_source"] == "rtcp" for event in run.events("gate", "appeared")))
    for seconds in (-7200, 86400):
        off.write_text(str(seconds))
        run.wait_for_text("gate")
        run.wait_for_text("gate")
        event = run.events("gate", "appeared")[-1]
        assert abs(time.time() - unix(event["start_utc"])) < LONG_S, "the clock of the camera is unchanged"
        assert abs(time.time() + seconds - unix(event["emitted_utc"])) < LONG_S, "the clock of the machine was set"
    assert set(run.restarts().values()) == {0}
    assert run.get("/healthz")[0] == 200
    assert run.end(signal.SIGTERM, within_s=20) == 0
    assert [event["kind"] for event in run.events("gate") if event["kind"].startswith("source")] == ["source.up"]
    assert_consistent(run.events())


def unix(written: str) -> float:
    return datetime.fromisoformat(written).timestamp()


def test_limited_memory_is_reported_or_sufficient(camera, signs, run_cameras):
    run = run_cameras({"gate": camera(signs).url}, before=("prlimit", "--as=1200000000"))
    deadline = time.monotonic() + LONG_S
    while run.program.poll() is None and not run.events("gate", "appeared"):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    if run.program.poll() is not None:
        assert run.program.returncode == 1
        assert "Cannot allocate memory" in run.stderr()


@pytest.mark.slow
def test_file_and_camera_give_the_same_texts_even_beside_dead_cameras(camera, signs, run_cameras, read, tmp_path):
    def texts(events: Sequence[Mapping[str, Any]], from_s: float) -> list[tuple[str, float]]:
        shown = [event for event in events if event["kind"] in ("appeared", "changed")]
        return sorted(
            ((event["text"], event["start"] - from_s) for event in shown), key=lambda text: (text[1], text[0])
        )

    def on_camera(*others: str) -> list[tuple[str, float]]:
        gate = camera(signs, ends=True)
        run = run_cameras(
            {"gate": gate.url, **{f"dead{n}": url for n, url in enumerate(others)}}, live={"max_latency_s": 20.0}
        )
        run.wait_until(lambda: run.events("gate", "source.down"))
        gate.kill()
        assert run.end(signal.SIGTERM, within_s=20) == 0
        events = run.events("gate")
        kinds = [event["kind"] for event in events]
        events = events[: kinds.index("source.down")]
        shown = [event for event in events if event["kind"] in ("appeared", "changed")]
        late_s = [unix(event["emitted_utc"]) - unix(event["start_utc"]) for event in shown]
        late = f"{sum(late_s) / len(late_s):.2f} s from frame to event"
        sys.stdout.write(f"with {len(others)} dead cameras: {late}\n")
        return texts(events, events[0]["start"])

    status, _, stderr = read(signs, "-o", log := tmp_path / "file.jsonl")
    assert status == 0, stderr
    wanted = texts([json.loads(row) for row in log.read_text().splitlines()], 0.0)
    assert [text for text, _ in wanted] == ["DEPARTURES", "GATE 12", "PLATFORM"]
    alone = on_camera()
    for folder in ("events.jsonl", "events.db", "events.db-wal", "events.db-shm"):
        (tmp_path / "run" / folder).unlink(missing_ok=True)
    gone, frozen = camera(signs), camera(signs)
    gone.kill()
    frozen.freeze()
    beside = on_camera(gone.url, frozen.url)
    for found in (alone, beside):
        assert [text for text, _ in found] == [text for text, _ in wanted]
        assert [start_s for _, start_s in found] == pytest.approx([start_s for _, start_s in wanted], abs=1.1 * FRAME_S)


def test_bench_live_counts_events_without_a_camera_clock(signs, start, tmp_path):
    config = {"models": "builtin", "device": "cpu", "threads": 1, "sources": {"rehearsal": {"path": str(signs)}}}
    config |= {"service": {"listen": None}, "live": {"max_latency_s": 60.0}}  # a busy machine drops few frames
    (tmp_path / "run" / "live.yaml").write_text(yaml.safe_dump(config))
    program = start("bench", "live", "live.yaml", "-o", "latency.json")
    shown, _ = program.communicate(timeout=100)
    assert program.returncode == 0, (tmp_path / "stderr").read_text()
    assert "rehearsal" in shown
    found = json.loads((tmp_path / "run" / "latency.json").read_text())["cameras"]["rehearsal"]
    assert found["size"] == [640, 360]
    assert found["frames"] + found["dropped"] == 100, "a machine that hangs for a moment may drop frames"
    assert (found["events"], found["without_clock"]) == (0, 3), "a file has no camera clock"
    assert 0 < found["detector_frames"] < 50


@pytest.mark.slow
def test_run_ends_at_once_when_its_permit_expires(signs, start, tmp_path):
    folder = tmp_path / "run"
    permit = PermitFile(folder / "permit")
    permit.extend(boottime_s() + LONG_S)
    sinks = [{"type": "jsonl", "path": str(folder / "events.jsonl")}]
    config = {"models": "builtin", "device": "cpu", "threads": 1, "sinks": sinks}
    config |= {"sources": {"gate": {"path": str(signs)}}, "service": {"listen": None, "permit": "permit"}}
    (folder / "live.yaml").write_text(yaml.safe_dump(config))
    program = start("run", "live.yaml")
    run = Run(program, folder, 0)
    run.wait_until(lambda: run.events("gate", "appeared"))
    workers = run.workers().values()
    permit.extend(boottime_s())
    assert program.wait(2) == PERMIT_EXIT
    assert psutil.wait_procs(workers, 2)[1] == []
    assert "the permit of this host has expired" in run.stderr()
    assert not run.events("gate", "ended"), "nothing is published any more"
