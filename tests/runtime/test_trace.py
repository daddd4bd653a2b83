"""Traces of real runs."""

import json
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest

from stream_ocr.core.messages import FrameRef, Stamp
from stream_ocr.errors import WorkerError
from stream_ocr.runtime.supervisor import Supervisor
from stream_ocr.runtime.topology import Topology
from stream_ocr.runtime.trace import Trace, create_trace

FRAMES = 20
ROWS = {"decode/a", "detect", "track", "recognize", "publish"}


@pytest.fixture
def topology(toys: object) -> Topology:
    import toy_stages  # found once the fixture has set the path

    stages = {name: {"toy": name} for name in ("detect", "track", "recognize", "publish")}
    table: Topology = toy_stages.table({"a": {"frames": FRAMES}}, **stages)
    return table


def spans(path: Path) -> list[dict[str, Any]]:
    """Return the entries of a trace, as a viewer reads them: the closing bracket may be missing."""
    entries: list[dict[str, Any]] = json.loads(path.read_text().rstrip().rstrip(",") + "]")
    return entries


def test_trace_tells_what_a_span_was_about(tmp_path: Path) -> None:
    path = tmp_path / "trace.json"
    captured_ns = time.time_ns() - 30_000_000
    frame = FrameRef(
        Stamp("gate", 0, 3, 3, (1, 25), 1, captured_ns),
        (640, 360),
        "detect",
        None,
        full_range=False,
        damaged=False,
        cut=False,
    )
    create_trace(path)
    trace, before_ns = Trace(str(path), "detect"), time.monotonic_ns()
    trace.begin()
    trace.note_wait()
    trace.end([frame])
    row, span = spans(path)
    assert (row["ph"], row["name"], row["args"]) == ("M", "process_name", {"name": "detect"})
    assert (span["ph"], span["name"], span["pid"]) == ("X", "detect", row["pid"])
    assert before_ns / 1000 <= span["ts"] < span["ts"] + span["dur"] <= time.monotonic_ns() / 1000
    assert span["args"].pop("age_ms") >= 30
    assert span["args"] == {"media_s": {"gate": [0.12]}, "actions": ["detect"], "waited": True}


@pytest.mark.usefixtures("no_leftovers")
def test_trace_of_a_run_has_a_row_for_each_worker_and_every_frame(topology: Topology, tmp_path: Path) -> None:
    path = tmp_path / "trace.json"
    with Supervisor(msgspec.structs.replace(topology, trace=str(path)), {}) as supervisor:
        list(supervisor.messages())
    entries = spans(path)
    rows = {entry["pid"]: entry["args"]["name"] for entry in entries if entry["ph"] == "M"}
    assert set(rows.values()) == ROWS
    for row in ROWS:
        own = [entry for entry in entries if entry["ph"] == "X" and rows[entry["pid"]] == row]
        seen_s = [time_s for entry in own for time_s in entry["args"].get("media_s", {}).get("a", [])]
        assert len(seen_s) == FRAMES, row
        ends_us = [entry["ts"] + entry["dur"] for entry in own]
        assert all(end <= entry["ts"] for end, entry in zip(ends_us, own[1:], strict=False)), "one after the other"


@pytest.mark.usefixtures("no_leftovers")
def test_trace_that_cannot_be_written_ends_the_start_with_its_name(topology: Topology, tmp_path: Path) -> None:
    supervisor = Supervisor(msgspec.structs.replace(topology, trace=str(tmp_path / "missing" / "trace.json")), {})
    with pytest.raises(WorkerError, match=r"could not be started: .*missing/trace\.json"), supervisor:
        pass


@pytest.mark.parametrize(
    ("path", "sentence"),
    [("/dev/full", "the trace of a worker has ended"), ("/missing/trace.json", "a worker is not traced")],
)
def test_trace_that_cannot_be_written_later_is_one_line_and_no_error(
    capsys: pytest.CaptureFixture[str], path: str, sentence: str
) -> None:
    trace = Trace(path, "detect")
    for _ in range(3):
        trace.begin()
        trace.end([])
    output = "".join(capsys.readouterr())
    assert output.count(sentence) == output.count("\n") == 1
