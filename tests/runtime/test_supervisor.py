"""Whole runs through real processes."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from itertools import islice
from pathlib import Path

import psutil
import pytest

from stream_ocr.core.messages import Message, Published, StreamClosed, Watermark
from stream_ocr.errors import WorkerError
from stream_ocr.runtime.supervisor import Supervisor
from stream_ocr.runtime.topology import Process, Topology

pytestmark = pytest.mark.usefixtures("toys", "no_leftovers")
HERE = Path(__file__).parent
ENDLESS = {"frames": 10**9, "pause_s": 0.001}


def table(sources: Mapping[str, Mapping[str, object]], slots: int = 12, **stages: Mapping[str, object]) -> Topology:
    import toy_stages  # found once the fixture has set the path

    topology: Topology = toy_stages.table(sources, slots=slots, **stages)
    return topology


def failing(kind: str) -> Topology:
    return table(
        {"a": {**ENDLESS, "slot_each": 10**9}}, detect={"toy": "failing", "kind": kind}, publish={"toy": "publish"}
    )


def five(sources: Mapping[str, Mapping[str, object]], log: Path | None = None) -> Topology:
    return table(
        sources,
        detect={"toy": "detect"},
        track={"toy": "track"},
        recognize={"toy": "recognize"},
        publish={"toy": "publish", "log": log and str(log)},
    )


def all_messages(supervisor: Supervisor) -> list[Message | Watermark]:
    return list(supervisor.messages())


def published(messages: list[Message | Watermark], stream: str = "a") -> list[int]:
    return [message.frames for message in messages if isinstance(message, Published) and message.stream == stream]


def closings(messages: list[Message | Watermark]) -> dict[str, StreamClosed]:
    return {message.stream: message for message in messages if isinstance(message, StreamClosed)}


def have_ended(pids: Mapping[str, int], within_s: float) -> bool:
    deadline = time.monotonic() + within_s
    while any(psutil.pid_exists(pid) and psutil.Process(pid).status() != "zombie" for pid in pids.values()):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def open_files(pid: int) -> list[str]:
    """Return what a process has open beside its standard streams."""
    files = []
    for link in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # closed meanwhile
            files += [str(link.readlink())] if link.name not in "012" else []
    return files


def test_supervisor_runs_two_streams_through_five_stages_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "zmq.py").write_text("raise RuntimeError('imported from the folder of the user')")
    monkeypatch.chdir(tmp_path)
    log = tmp_path / "log"
    sources = {"a": {"frames": 4500, "slot_each": 5}, "b": {"frames": 500}}
    with Supervisor(five(sources, log), {}) as supervisor:
        pids = supervisor.pids
        titles = {name: Path(f"/proc/{pid}/cmdline").read_text().rstrip("\0 ") for name, pid in pids.items()}
        assert titles == {name: f"stream-ocr: {name}" for name in pids}
        assert supervisor.notes["detect"] == {"device": "toy"}
        for pid in pids.values():
            os.kill(pid, signal.SIGINT)  # Ctrl-C reaches the whole process group
            files = open_files(pid)
            known = ("/memfd:", "/dev/null", str(log))  # its own log, and no file of the supervisor
            assert not [file for file in files if file.startswith("/") and not file.startswith(known)]
        messages = all_messages(supervisor)
        assert have_ended(pids, 0)
    assert published(messages, "a") == list(range(1, 4501))
    assert published(messages, "b") == list(range(1, 501))
    closed = closings(messages)
    assert [(closed[name].reason, closed[name].end_s, closed[name].counts["frames"]) for name in "ab"] == [
        ("end", 180.0, 4500),
        ("end", 20.0, 500),
    ]
    lines = log.read_text().splitlines()
    assert len(lines) == 5001
    assert lines[-1] == "closed"


def test_sources_start_while_a_stage_still_loads(tmp_path: Path) -> None:
    sign = str(tmp_path / "a frame has come")
    topology = table(
        {"a": {"frames": 40}}, track={"toy": "track", "sign": sign}, publish={"toy": "publish", "sign": sign}
    )
    with Supervisor(topology, {}, start_s=20) as supervisor:
        assert len(published(all_messages(supervisor))) == 40


def test_slots_throttle_a_source_that_is_faster_than_later_stages() -> None:
    topology = table(
        {"a": {"frames": 30}}, slots=3, track={"toy": "track", "pause_s": 0.02}, publish={"toy": "publish"}
    )
    with Supervisor(topology, {}) as supervisor:
        closed = closings(all_messages(supervisor))["a"]
    # All frames but those that found a free slot waited for a release.
    assert closed.counts["took_ms"] >= 20 * (30 - 3 - 1)


@pytest.mark.parametrize("name", ["decode/a", "detect", "track", "recognize", "publish"])
def test_supervisor_ends_the_run_when_a_worker_is_killed(name: str, tmp_path: Path) -> None:
    with Supervisor(five({"a": ENDLESS}, tmp_path / "log"), {}) as supervisor:
        messages = supervisor.messages()
        assert len(list(islice(messages, 5))) == 5
        pids = supervisor.pids
        start = time.monotonic()
        os.kill(pids[name], signal.SIGKILL)
        with pytest.raises(WorkerError) as caught:
            list(messages)
        assert str(caught.value) == f"The {name} worker was killed by signal 9; what was read so far is kept."
        assert have_ended(pids, 0)
        assert time.monotonic() - start < 2.5
    if name != "publish":
        assert (tmp_path / "log").read_text().endswith("closed\n")


def test_workers_die_with_the_supervisor(tmp_path: Path) -> None:
    script = (
        "from toy_stages import table\n"
        "from stream_ocr.runtime.supervisor import Supervisor\n"
        f"topology = table({{'a': {ENDLESS}}}, track={{'toy': 'track'}}, publish={{'toy': 'publish'}})\n"
        "with Supervisor(topology, {}) as supervisor:\n"
        "    for number, _ in enumerate(supervisor.messages()):\n"
        "        if number == 5: print(*supervisor.pids.values(), flush=True)\n"
    )
    (tmp_path / "temp").mkdir()
    environment = {**os.environ, "TMPDIR": str(tmp_path / "temp"), "PYTHONPATH": f"{HERE}{os.pathsep}{HERE.parents[1]}"}
    with subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, text=True, env=environment, cwd=tmp_path
    ) as process:
        assert process.stdout is not None
        pids = {number: int(number) for number in process.stdout.readline().split()}
        os.kill(pids[next(iter(pids))], signal.SIGSTOP)  # also a worker that cannot react
        process.kill()
        assert len(pids) == 3
        assert have_ended(pids, 2.0)
    assert [path.name for path in tmp_path.rglob("*")] == ["temp"]
    assert "stream-ocr-" not in "".join(path.name for path in Path("/dev/shm").glob("*"))


@pytest.mark.parametrize(
    ("kind", "sentence"),
    [
        ("raise", "The detect worker failed: Weights 'toy' went bad; what was read so far is kept."),
        ("bug", "The detect worker failed: ZeroDivisionError: a b; what was read so far is kept."),
        ("leave", "The detect worker ended with exit code 3; what was read so far is kept."),
    ],
)
def test_supervisor_reports_why_a_stage_failed(kind: str, sentence: str, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(WorkerError) as caught, Supervisor(failing(kind), {}) as supervisor:
        all_messages(supervisor)
    assert str(caught.value) == sentence
    assert capfd.readouterr().err == ""


def test_debug_prints_the_traceback_of_a_failed_stage(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STREAM_OCR_DEBUG", "1")
    with pytest.raises(WorkerError), Supervisor(failing("bug"), {}) as supervisor:
        all_messages(supervisor)
    assert "ZeroDivisionError" in capfd.readouterr().err


def test_supervisor_reports_why_a_stage_cannot_start() -> None:
    with pytest.raises(WorkerError) as caught, Supervisor(failing("no weights"), {}):
        pass
    assert str(caught.value) == (
        "The run could not start: the detect worker failed: Weights 'toy' are missing; run make weights."
    )


def test_supervisor_gives_up_a_start_that_takes_too_long() -> None:
    topology = table({"a": ENDLESS}, publish={"toy": "publish"})
    with (
        pytest.raises(WorkerError, match="Not ready after 0 s: decode/a, publish"),
        Supervisor(topology, {}, start_s=0),
    ):
        pass


def test_supervisor_finds_a_hung_stage() -> None:
    sentence = r"The detect worker gave no sign of life for 1\.5 s and was killed"
    with pytest.raises(WorkerError, match=sentence), Supervisor(failing("hang"), {}, hang_s=1.5) as supervisor:
        all_messages(supervisor)


def test_supervisor_finds_a_stalled_run() -> None:
    topology = table({"a": ENDLESS}, track={"toy": "track", "pause_s": None}, publish={"toy": "publish"})
    sentence = "No worker made progress for 1 s"
    with pytest.raises(WorkerError, match=sentence), Supervisor(topology, {}, stall_s=1.0) as supervisor:
        all_messages(supervisor)


def test_stop_keeps_everything_that_was_read(tmp_path: Path) -> None:
    with Supervisor(five({"a": ENDLESS}, tmp_path / "log"), {}) as supervisor:
        messages = list(islice(supervisor.messages(), 20))
        supervisor.stop()
        messages += all_messages(supervisor)
    closed = closings(messages)["a"]
    assert closed.reason == "interrupted"
    assert messages[-1] == closed
    assert published(messages) == list(range(1, closed.counts["frames"] + 1))
    assert (tmp_path / "log").read_text().splitlines()[-1] == "closed"


def test_stop_is_bounded_by_drain_s() -> None:
    with Supervisor(failing("hang"), {}, drain_s=0.5) as supervisor:
        list(islice(supervisor.messages(), 20))
        while supervisor.progress["decode/a"] <= 20:  # until the frame is sent at which detect hangs
            time.sleep(0.01)
        supervisor.stop()
        start = time.monotonic()
        with pytest.raises(WorkerError, match=r"did not finish within 0\.5 s"):
            all_messages(supervisor)
        assert time.monotonic() - start < 3


def test_exit_ends_all_workers_and_closes_their_stages(tmp_path: Path) -> None:
    topology = table({"a": ENDLESS}, track={"toy": "track"}, publish={"toy": "publish", "log": str(tmp_path / "log")})
    with Supervisor(topology, {}) as supervisor:
        next(supervisor.messages())
        pids = supervisor.pids
    assert have_ended(pids, 0)
    assert (tmp_path / "log").read_text().endswith("closed\n")


def test_unreadable_source_ends_its_own_stream_only() -> None:
    topology = table(
        {
            "a": {"source": "broken_source", "at_once": True},
            "b": {"source": "broken_source", "at_once": False},
            "c": {"frames": 100},
        },
        track={"toy": "track"},
        publish={"toy": "publish"},
    )
    with Supervisor(topology, {}) as supervisor:
        messages = all_messages(supervisor)
    assert {stream: closed.reason for stream, closed in closings(messages).items()} == {
        "a": "clip.mp4 holds no video.",
        "b": "clip.mp4 breaks off.",
        "c": "end",
    }
    assert closings(messages)["b"].end_s == 0.04
    assert len(published(messages, "c")) == 100


def test_supervisor_reports_a_missing_factory() -> None:
    process = Process(name="decode/a", factory="toy_stages:nothing", input=None, output="published", stream="a")
    topology = Topology((process,), {}, ("a",))
    sentence = "decode/a worker failed: AttributeError"
    with pytest.raises(WorkerError, match=sentence), Supervisor(topology, {}):
        pass
