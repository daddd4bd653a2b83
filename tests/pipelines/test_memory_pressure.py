"""A run in a container whose memory is used up: the system kills a worker, and the run goes on."""

import signal
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import yaml
from pipelines.memory_group import Balloon, MemoryGroup, memory_group
from rtsp_camera.camera_run import LONG_S, Run

from stream_ocr.store.reader import StoreReader
from stream_ocr.synthetic.scene import Scene, Text, render

pytestmark = pytest.mark.slow
DURATION_S = 240
SCENE = Scene(
    tuple(
        Text(f"GATE {n}", 2 * n + 0.5, 2 * n + 1.8, (60, 60 + n % 2 * 160), height=44) for n in range(DURATION_S // 2)
    ),
    float(DURATION_S),
    (640, 360),
    fps=4,
    background="static",
)
HEADROOM_BYTES = 8 << 20
STEP_BYTES = 4 << 20


@pytest.fixture
def group() -> Iterator[MemoryGroup]:
    """A control group that the run is started in."""
    with ExitStack() as stack:
        try:
            group = stack.enter_context(memory_group())
        except OSError as error:
            pytest.skip(f"needs the right to make control groups with a memory limit: run as root ({error})")
        yield group


@pytest.fixture
def run(
    group: MemoryGroup,
    start: Callable[..., "subprocess.Popen[str]"],
    endpoint: str,
    tmp_path: Path,
) -> Run:
    """A run in the group over a camera with another text every two seconds."""
    port, folder = int(endpoint.rpartition(":")[2]), tmp_path / "run"
    render(SCENE, tmp_path / "gates.mp4")
    config = {
        "models": "builtin",
        "device": "cpu",
        "threads": 1,
        "sources": {"gate": {"path": str(tmp_path / "gates.mp4")}},
        "service": {"listen": f"127.0.0.1:{port}"},
        "sinks": [{"type": "jsonl", "path": str(folder / "events.jsonl")}],
        "store": {"path": str(folder / "events.db")},
    }
    (folder / "live.yaml").write_text(yaml.safe_dump(config))
    run = Run(start("run", "live.yaml", before=group.prefix), folder, port)
    run.wait_until(lambda: len(run.events("gate", "appeared")) >= 3)
    return run


def test_run_survives_when_memory_runs_out(run: Run, group: MemoryGroup) -> None:
    before = run.workers()
    group.limit(group.used_bytes + HEADROOM_BYTES)
    run.wait_for_text("gate")
    balloon = Balloon(group)
    try:
        while not group.kills:
            balloon.grow(STEP_BYTES)  # never as large as a worker with a network
    finally:
        balloon.close()
    run.wait_until(lambda: sum(run.restarts().values()) >= 1 and run.get("/readyz")[0] == 200)
    group.limit(None)
    for _ in range(5):
        run.wait_for_text("gate")

    restarts = {name: count for name, count in run.restarts().items() if count}
    assert run.workers()["forks"] == before["forks"]
    assert sum(restarts.values()) == group.kills, "each kill is counted, and no worker failed otherwise"
    for name in restarts:
        assert f"the {name} worker was killed by signal 9" in run.stderr()
    assert run.end(signal.SIGTERM, within_s=LONG_S) == 0
    assert_nothing_is_lost(run)


def assert_nothing_is_lost(run: Run) -> None:
    """Assert that each event is stored once and in the log, and that each text outside of gaps was reported once."""
    with StoreReader(run.folder / "events.db") as reader:
        stored = list(reader.events())
    assert [event.seq for event in stored] == list(range(len(stored)))
    assert [event.id for event in stored] == [event["id"] for event in run.events()]
    assert max(Counter(event.id for event in stored).values()) == 1
    gaps = [(gap.start, gap.end) for gap in stored if gap.kind == "source.gap"]
    up_s = next(event.start for event in stored if event.kind == "source.up")
    appeared = Counter(event.text for event in stored if event.kind == "appeared")
    last_s = max(event.start for event in stored if event.kind == "appeared") - up_s
    whole = [
        text.text
        for text in SCENE.texts
        if text.start_s < last_s and not any(a - 1 < up_s + text.end_s and up_s + text.start_s < b for a, b in gaps)
    ]
    assert len(whole) >= 4
    assert {text: appeared[text] for text in whole} == dict.fromkeys(whole, 1)
