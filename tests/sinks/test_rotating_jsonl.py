import gzip
import os
import subprocess
import sys
import textwrap
from datetime import UTC, datetime, timedelta

import pytest
from structlog.testing import capture_logs

from stream_ocr.config.sinks import JsonlSettings
from stream_ocr.errors import SinkError
from stream_ocr.events import parse
from stream_ocr.sinks import Sinks
from stream_ocr.sinks.rotating_jsonl import RotatingJsonlSink
from stream_ocr.testing import text_event


def sink(tmp_path, **settings) -> RotatingJsonlSink:
    return RotatingJsonlSink(JsonlSettings(type="jsonl", path=tmp_path / "events.jsonl", **settings))


def write(tmp_path, seqs, **settings) -> None:
    with Sinks([sink(tmp_path, **settings)]) as sinks:
        for seq in seqs:
            sinks.write(text_event(seq))
    assert sinks.lost == {}


def all_seqs(tmp_path) -> list[int]:
    """Return the ``seq`` of all events in all files, oldest file first."""
    rotated = sorted(tmp_path.glob("events.*.jsonl*"), key=lambda path: path.name.split(".")[1:3])
    lines = []
    for path in [*rotated, tmp_path / "events.jsonl"]:
        data = path.read_bytes()
        data = gzip.decompress(data) if path.suffix == ".gz" else data
        assert not data or data.endswith(b"\n")
        lines += data.splitlines()
    return [parse(line).seq for line in lines]


def test_rotating_sink_appends_in_a_later_run(tmp_path):
    for seqs in ([0, 1], [2]):
        write(tmp_path, seqs)
    assert all_seqs(tmp_path) == [0, 1, 2]
    assert list(tmp_path.iterdir()) == [tmp_path / "events.jsonl"]


@pytest.mark.parametrize("compress", ["none", "gzip"])
def test_rotating_sink_rotates_before_max_bytes(tmp_path, compress):
    write(tmp_path, range(100), max_bytes=2000, compress=compress)
    write(tmp_path, range(100, 150), max_bytes=2000, compress=compress)
    assert all_seqs(tmp_path) == list(range(150))
    assert all(path.stat().st_size <= 2000 for path in tmp_path.iterdir())
    write(tmp_path, [], max_bytes=2000, compress=compress)
    names = [path.name for path in tmp_path.glob("events.*.jsonl*")]
    assert len(names) > 15
    assert all(name.endswith(".gz") == (compress == "gzip") for name in names)


def test_rotating_sink_rotates_a_file_of_yesterday_under_its_date(tmp_path):
    write(tmp_path, [0], daily=True)
    yesterday = datetime.now(UTC) - timedelta(days=1)
    os.utime(tmp_path / "events.jsonl", (yesterday.timestamp(),) * 2)
    write(tmp_path, [1], daily=True)
    assert (tmp_path / f"events.{yesterday.date()}.0001.jsonl").read_bytes().count(b"\n") == 1
    assert all_seqs(tmp_path) == [0, 1]


def test_rotating_sink_keeps_only_the_newest_files(tmp_path):
    write(tmp_path, range(100), max_bytes=2000)
    write(tmp_path, [100], max_bytes=2000, keep=3)
    assert len(list(tmp_path.glob("events.*.jsonl"))) == 3
    left = all_seqs(tmp_path)
    assert left == list(range(left[0], 101))


@pytest.mark.parametrize("compress", ["none", "gzip"])
@pytest.mark.parametrize("name", ["cam[1].jsonl", "cam*.jsonl", "events", "a.b.jsonl"])
def test_rotating_sink_accepts_any_file_name(tmp_path, name, compress):
    settings = JsonlSettings(type="jsonl", path=tmp_path / name, max_bytes=2000, compress=compress)
    with Sinks([RotatingJsonlSink(settings)]) as sinks:
        for seq in range(100):
            sinks.write(text_event(seq))
    assert sinks.lost == {}
    rotated = sorted(path for path in tmp_path.iterdir() if path.name != name)
    assert len(rotated) > 10
    assert all((path.suffix == ".gz") == (compress == "gzip") for path in rotated)
    data = [gzip.decompress(path.read_bytes()) if compress == "gzip" else path.read_bytes() for path in rotated]
    lines = b"".join([*data, (tmp_path / name).read_bytes()]).splitlines()
    assert [parse(line).seq for line in lines] == list(range(100))


def test_rotating_sink_ignores_files_of_another_sink(tmp_path):
    theirs = tmp_path / "events.2026-01-01.0001.jsonl"
    theirs.write_bytes(b"{}\n")
    settings = JsonlSettings(type="jsonl", path=tmp_path / "events", max_bytes=2000, keep=1)
    with Sinks([RotatingJsonlSink(settings)]) as sinks:
        for seq in range(30):
            sinks.write(text_event(seq))
    assert theirs.read_bytes() == b"{}\n"


def test_rotating_sink_repairs_and_logs_truncated_last_line(tmp_path):
    write(tmp_path, [0, 1])
    with (tmp_path / "events.jsonl").open("ab") as file:
        file.write(text_event(2).to_json()[:50])
    with capture_logs() as logs:
        write(tmp_path, [3])
    assert all_seqs(tmp_path) == [0, 1, 3]
    assert [(log["event"], log["bytes"]) for log in logs] == [("removed a truncated last line", 50)]


def test_rotating_sink_removes_files_of_a_killed_compression(tmp_path):
    write(tmp_path, range(30), max_bytes=2000)
    rotated = sorted(tmp_path.glob("events.*.jsonl"))
    (tmp_path / f"{rotated[0].name}.gz.part").write_bytes(b"half")
    (tmp_path / f"{rotated[1].name}.gz").write_bytes(
        gzip.compress(rotated[1].read_bytes())
    )  # killed before it was removed
    write(tmp_path, [], max_bytes=2000, compress="gzip")
    assert all_seqs(tmp_path) == list(range(30))
    assert not list(tmp_path.glob("*.part"))


def test_rotating_sink_rejects_second_writer(tmp_path):
    with (
        Sinks([sink(tmp_path)]),
        pytest.raises(SinkError, match="in use by another writer"),
        Sinks([sink(tmp_path)]),
    ):
        pass


WRITER = """
    import sys
    from pathlib import Path
    from stream_ocr.config.sinks import JsonlSettings
    from stream_ocr.sinks.rotating_jsonl import RotatingJsonlSink
    from stream_ocr.testing import text_event
    sink = RotatingJsonlSink(JsonlSettings(type="jsonl", path={path!r}, max_bytes=20000, compress="gzip"))
    sink.open()
    for seq in range({first}, 10**9):
        sink.write(text_event(seq))
        sys.stdout.write("%d\\n" % seq)
        sys.stdout.flush()
"""


def test_rotating_sink_loses_no_line_to_kill_9(tmp_path):
    written = 0
    for _ in range(5):
        program = textwrap.dedent(WRITER).format(path=str(tmp_path / "events.jsonl"), first=written)
        with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as writer:
            for _ in range(500):
                writer.stdout.readline()
            writer.kill()
            reported = written + 500 + writer.stdout.read().count(b"\n")
        write(tmp_path, [], compress="gzip")
        seqs = all_seqs(tmp_path)
        assert seqs == list(range(len(seqs)))
        assert reported <= len(seqs) <= reported + 1
        written = len(seqs)


def test_rotating_sink_counts_events_lost_to_a_full_disk_and_recovers(small_disk):
    done = small_disk("""
        from stream_ocr.events import parse
        from stream_ocr.config.sinks import JsonlSettings
        from stream_ocr.sinks import Sinks
        from stream_ocr.sinks.rotating_jsonl import RotatingJsonlSink
        from stream_ocr.testing import text_event
        ballast = disk / "ballast"
        ballast.write_bytes(bytes(200_000))
        path = disk / "events.jsonl"
        with Sinks([RotatingJsonlSink(JsonlSettings(type="jsonl", name="log", path=path, max_bytes=20_000))]) as sinks:
            for seq in range(1000):
                sinks.write(text_event(seq))
            lost = sinks.lost["log"]
            ballast.unlink()
            for seq in range(1000, 1010):
                sinks.write(text_event(seq))
        lines = b"".join(path.read_bytes() for path in sorted(disk.glob("events.*.jsonl")) + [path]).splitlines()
        seqs = [parse(line).seq for line in lines]
        assert seqs[-10:] == list(range(1000, 1010)), seqs[-10:]
        assert len(seqs) + lost == 1010 and sinks.lost["log"] == lost > 500, (len(seqs), lost)
        print("recovered")
    """)
    assert "recovered" in done.stdout, done.stderr
    assert done.stdout.count("sink loses events") == 2, "first and total"
