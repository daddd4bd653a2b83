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


def sink(tmp_path, **given) -> RotatingJsonlSink:
    return RotatingJsonlSink(JsonlSettings(type="jsonl", path=tmp_path / "events.jsonl", **given))


def write(tmp_path, seqs, **given) -> None:
    with Sinks([sink(tmp_path, **given)]) as sinks:
        for seq in seqs:
            sinks.write(text_event(seq))
    assert sinks.lost == {}


def all_seqs(tmp_path) -> list[int]:
    """The numbers of all events in all files, the oldest file first."""
    aside = sorted(tmp_path.glob("events.*.jsonl*"), key=lambda path: path.name.split(".")[1:3])
    lines = []
    for path in [*aside, tmp_path / "events.jsonl"]:
        data = path.read_bytes()
        data = gzip.decompress(data) if path.suffix == ".gz" else data
        assert not data or data.endswith(b"\n")
        lines += data.splitlines()
    return [parse(line).seq for line in lines]


def test_a_later_run_adds_to_the_file(tmp_path):
    for seqs in ([0, 1], [2]):
        write(tmp_path, seqs)
    assert all_seqs(tmp_path) == [0, 1, 2]
    assert list(tmp_path.iterdir()) == [tmp_path / "events.jsonl"]


@pytest.mark.parametrize("compress", ["none", "gzip"])
def test_files_are_put_aside_before_they_are_too_large(tmp_path, compress):
    write(tmp_path, range(100), max_bytes=2000, compress=compress)
    write(tmp_path, range(100, 150), max_bytes=2000, compress=compress)
    assert all_seqs(tmp_path) == list(range(150))
    assert all(path.stat().st_size <= 2000 for path in tmp_path.iterdir())
    write(tmp_path, [], max_bytes=2000, compress=compress)
    names = [path.name for path in tmp_path.glob("events.*.jsonl*")]
    assert len(names) > 15
    assert all(name.endswith(".gz") == (compress == "gzip") for name in names)


def test_a_file_of_yesterday_is_put_aside_under_its_day(tmp_path):
    write(tmp_path, [0], daily=True)
    yesterday = datetime.now(UTC) - timedelta(days=1)
    os.utime(tmp_path / "events.jsonl", (yesterday.timestamp(),) * 2)
    write(tmp_path, [1], daily=True)
    assert (tmp_path / f"events.{yesterday.date()}.0001.jsonl").read_bytes().count(b"\n") == 1
    assert all_seqs(tmp_path) == [0, 1]


def test_only_the_newest_files_are_kept(tmp_path):
    write(tmp_path, range(100), max_bytes=2000)
    write(tmp_path, [100], max_bytes=2000, keep=3)
    assert len(list(tmp_path.glob("events.*.jsonl"))) == 3
    left = all_seqs(tmp_path)
    assert left == list(range(left[0], 101))


@pytest.mark.parametrize("compress", ["none", "gzip"])
@pytest.mark.parametrize("name", ["cam[1].jsonl", "cam*.jsonl", "events", "a.b.jsonl"])
def test_a_file_may_have_any_name(tmp_path, name, compress):
    settings = JsonlSettings(type="jsonl", path=tmp_path / name, max_bytes=2000, compress=compress)
    with Sinks([RotatingJsonlSink(settings)]) as sinks:
        for seq in range(100):
            sinks.write(text_event(seq))
    assert sinks.lost == {}
    aside = sorted(path for path in tmp_path.iterdir() if path.name != name)
    assert len(aside) > 10
    assert all((path.suffix == ".gz") == (compress == "gzip") for path in aside)
    data = [gzip.decompress(path.read_bytes()) if compress == "gzip" else path.read_bytes() for path in aside]
    lines = b"".join([*data, (tmp_path / name).read_bytes()]).splitlines()
    assert [parse(line).seq for line in lines] == list(range(100))


def test_files_of_another_sink_are_left_alone(tmp_path):
    theirs = tmp_path / "events.2026-01-01.0001.jsonl"
    theirs.write_bytes(b"{}\n")
    settings = JsonlSettings(type="jsonl", path=tmp_path / "events", max_bytes=2000, keep=1)
    with Sinks([RotatingJsonlSink(settings)]) as sinks:
        for seq in range(30):
            sinks.write(text_event(seq))
    assert theirs.read_bytes() == b"{}\n"


def test_a_torn_last_line_is_repaired_and_told(tmp_path):
    write(tmp_path, [0, 1])
    with (tmp_path / "events.jsonl").open("ab") as file:
        file.write(text_event(2).to_json()[:50])
    with capture_logs() as logs:
        write(tmp_path, [3])
    assert all_seqs(tmp_path) == [0, 1, 3]
    assert [(log["event"], log["bytes"]) for log in logs] == [("last line was cut off and is removed", 50)]


def test_what_a_killed_compression_left_is_cleared_away(tmp_path):
    write(tmp_path, range(30), max_bytes=2000)
    aside = sorted(tmp_path.glob("events.*.jsonl"))
    (tmp_path / f"{aside[0].name}.gz.part").write_bytes(b"half")
    (tmp_path / f"{aside[1].name}.gz").write_bytes(gzip.compress(aside[1].read_bytes()))  # killed before it was removed
    write(tmp_path, [], max_bytes=2000, compress="gzip")
    assert all_seqs(tmp_path) == list(range(30))
    assert not list(tmp_path.glob("*.part"))


def test_one_file_has_one_writer(tmp_path):
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


def test_no_line_is_lost_by_kill_9_however_files_turn(tmp_path):
    written = 0
    for _ in range(5):
        program = textwrap.dedent(WRITER).format(path=str(tmp_path / "events.jsonl"), first=written)
        with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as writer:
            for _ in range(500):
                writer.stdout.readline()
            writer.kill()
            said = written + 500 + writer.stdout.read().count(b"\n")
        write(tmp_path, [], compress="gzip")
        seqs = all_seqs(tmp_path)
        assert seqs == list(range(len(seqs)))
        assert said <= len(seqs) <= said + 1
        written = len(seqs)


def test_a_full_disk_costs_events_which_are_counted_and_goes_on_with_room(small_disk):
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
    assert done.stdout.count("sink loses events") == 2, "at first, and all in all"
