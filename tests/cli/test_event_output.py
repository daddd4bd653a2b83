"""Output of `subscribe`, `search`, `export` and `keys`."""

import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import pytest
import structlog

from stream_ocr import cli
from stream_ocr.bus.journal import open_journal
from stream_ocr.cli import event_output
from stream_ocr.config.settings import Settings
from stream_ocr.errors import StreamOcrError
from stream_ocr.store.writer import StoreWriter
from stream_ocr.testing import published_event

HOSTILE = "GATE\x1b[2J\u202e4\nX"


@pytest.fixture
def run(monkeypatch, capfd):
    """Return a function that runs the program in this process."""

    def run(*arguments, check: int = 0):
        monkeypatch.setattr(sys, "argv", ["stream-ocr", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        out, err = capfd.readouterr()
        assert int(ended.value.code or 0) == check, err
        return Completed(out, err)

    yield run
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


class Completed(NamedTuple):
    stdout: str
    stderr: str


@pytest.fixture
def store(tmp_path):
    path = tmp_path / "events.db"
    writer = StoreWriter(path)
    writer.open()
    noon = datetime(2026, 1, 1, 12, tzinfo=UTC)
    texts = ["PLATFORM 7", "PLATF0RM 8", HOSTILE, "=1+1"]
    for n, text in enumerate(texts):
        fields = {"emitted_utc": noon + timedelta(hours=n), "track": n}
        writer.append([published_event(n, text, start=60.0 * n, **fields)])
        writer.append([published_event(n, text, stream="hall", start=60.0 * n, **fields)])
    writer.close()
    return path


def test_search_prints_time_and_stream(run, store):
    found = run("search", "platform", "--store", store).stdout.splitlines()
    assert found == ["2026-01-01 12:00:00Z  hall  0:00:00.000  PLATFORM 7", found[1]]
    assert "  gate  " in found[1]


@pytest.mark.parametrize(
    ("arguments", "seqs"),
    [
        (["platform", "--fuzzy"], [1, 0]),
        (["PLAT", "--from", "2026-01-01T12:30Z"], [1]),
        (["PLAT", "--to", "2026-01-01T12:30+00:00"], [0]),
        (["PLAT", "--from", "1:00"], [1]),
        (["PLAT", "--from", "0", "--to", "0:00:59.9"], [0]),
        (["PLAT", "--limit", "1"], [1]),
    ],
)
def test_search_filters(run, store, arguments, seqs):
    found = run("search", *arguments, "--store", store, "--stream", "gate", "--json").stdout.splitlines()
    assert [json.loads(line)["seq"] for line in found] == seqs


def test_search_writes_crops(run, tmp_path):
    writer = StoreWriter(tmp_path / "events.db")
    writer.open()
    for stream in ("gate", "../hall 2"):
        event = published_event(0, "EXIT", stream=stream, id=f"of {stream}")
        writer.append([event, published_event(1, "EXIT", stream=stream)], {event.id: stream.encode()})
    writer.close()
    run("search", "exit", "--store", tmp_path / "events.db", "--crops", tmp_path / "found")
    crops = {path.name: path.read_text() for path in (tmp_path / "found").iterdir()}
    assert crops == {"gate-0.webp": "gate", "_._hall_2-0.webp": "../hall 2"}


def test_search_reports_no_results_and_wrong_arguments(run, store):
    assert run("search", "nothing", "--set", f"store.path={store}", check=1).stderr == "no texts found\n"
    assert "There is no store" in run("search", "x", "--store", f"{store}.none", check=1).stderr
    assert (
        "has no stream 'roof'; it has: gate, hall"
        in run("search", "x", "--store", store, "--stream", "roof", check=1).stderr
    )
    assert "is not a time" in run("search", "x", "--store", store, "--from", "noon", check=1).stderr


@pytest.mark.parametrize(
    ("arguments", "texts"),
    [
        (["--at", "2026-01-01T12:30Z"], ["PLATFORM 7"]),
        (["--at", "2026-01-01T13:00:00+00:00"], ["PLATFORM 7", "PLATF0RM 8"]),
        (["platf0", "--at", "2026-01-01T13:00:00+00:00"], ["PLATF0RM 8"]),
        (["--at", "2026-01-01T13:00Z", "--limit", "1"], ["PLATFORM 7"]),
    ],
)
def test_search_at_a_time_finds_what_was_on_the_screen(run, store, arguments, texts):
    found = run("search", *arguments, "--store", store, "--stream", "gate", "--json").stdout.splitlines()
    assert [json.loads(line)["text"] for line in found] == texts


def test_search_at_a_time_reports_wrong_arguments(run, store):
    assert run("search", "--at", "2026-01-01T11:00Z", "--store", store, check=1).stderr == "no texts found\n"
    assert "14:00 for today" in run("search", "--at", "noon", "--store", store, check=1).stderr
    assert "give a text" in run("search", "--store", store, check=2).stderr
    assert "--at" in run("search", "x", "--at", "12:00", "--fuzzy", "--store", store, check=2).stderr


def test_search_escapes_control_characters(run, store):
    found = run("search", "gate", "--store", store, "--stream", "hall").stdout
    assert "\x1b" not in found
    assert "\u202e" not in found
    assert found.endswith("GATE\\u{1b}[2J\\u{202e}4\\u{a}X\n")


def test_search_escapes_json_on_a_terminal(store):
    ours, theirs = os.openpty()
    command = [sys.executable, "-m", "stream_ocr.cli", "search", "gate", "--store", store, "--json", "--limit", "1"]
    with subprocess.Popen(command, stdin=theirs, stdout=theirs):
        os.close(theirs)
        shown = b""
        with suppress(OSError):  # EIO: the terminal has no writer any more
            while more := os.read(ours, 65536):
                shown += more
    os.close(ours)
    assert "\u202e" not in shown.decode()
    assert json.loads(shown)["text"] == HOSTILE


def test_export_reads_a_store(run, store, tmp_path):
    outputs = [tmp_path / f"texts.{suffix}" for suffix in ("csv", "jsonl", "srt", "parquet")]
    run("export", store, "--stream", "gate", "--csv", outputs[0], *(x for o in outputs[1:] for x in ("-o", o)))
    assert "'=1+1" in outputs[0].read_text()
    assert [json.loads(line)["stream"] for line in outputs[1].read_text().splitlines()] == ["gate"] * 4
    assert "PLATFORM 7" in outputs[2].read_text()
    parquet = pytest.importorskip("pyarrow.parquet", reason="pip install pyarrow")
    table = parquet.read_table(outputs[3])
    assert table.column("text").to_pylist()[2:] == [HOSTILE, "=1+1"]
    assert table.column("emitted_utc").to_pylist()[0] == datetime(2026, 1, 1, 12, tzinfo=UTC)
    assert "has no stream 'x'; it has: gate, hall" in run("export", store, "--stream", "x", "-o", "-", check=1).stderr


def test_keys_creates_keys(run, tmp_path):
    made = run("keys", "server", "--folder", tmp_path / "keys").stdout.splitlines()
    assert [line.rpartition("/")[2] for line in made] == ["server.key_secret", "server.key"]
    assert "exists already" in run("keys", "server", "--folder", tmp_path / "keys", check=1).stderr


@pytest.fixture
def journal(tmp_path, endpoint):
    settings = Settings.load(None, [f"store.path={tmp_path}/live.db", f"socket.events={endpoint}"])
    with open_journal(settings) as journal:
        for text in ("GATE 4", HOSTILE, "EXIT"):
            journal.commit([published_event(journal.next_seq("gate"), text)])
        yield journal


def test_subscribe_prints_events(run, journal, endpoint):
    lines = run("subscribe", endpoint, "--since", "start", "--count", "3").stdout.splitlines()
    assert [line.split("  ")[0] for line in lines] == ["gate"] * 3
    assert lines[1].endswith("GATE\\u{1b}[2J\\u{202e}4\\u{a}X")
    shown = run("subscribe", endpoint, "--since", "0", "--grep", "^EX", "--json", "--count", "1").stdout
    assert json.loads(shown)["text"] == "EXIT"


def test_subscribe_runs_a_command_and_continues_at_the_cursor(run, journal, endpoint, tmp_path):
    copy = f"{sys.executable} -c 'import sys; open(sys.argv[1], \"a\").write(sys.stdin.read())' {tmp_path}/copy"
    for count in (1, 2):
        more = ["--cursor", tmp_path / "place", "--exec", copy, "--count", count]
        run("subscribe", endpoint, "--since", "start", *more)
    assert [json.loads(line)["seq"] for line in (tmp_path / "copy").read_text().splitlines()] == [0, 1, 2]
    ended = run("subscribe", endpoint, "--since", "2", "--count", "1", "--exec", "false")
    assert "false ended with 1 at event 2 of gate" in ended.stderr
    assert "cannot be started" in run("subscribe", endpoint, "--since", "2", "--exec", "/none", check=1).stderr


def test_subscribe_exits_quietly_on_ctrl_c_and_a_closed_pipe(journal, endpoint):
    program = [sys.executable, "-m", "stream_ocr.cli", "subscribe", endpoint, "--since", "start"]
    with subprocess.Popen(program, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as following:
        assert following.stdout.readline()
        following.send_signal(signal.SIGINT)
        _, errors = following.communicate(timeout=20)
        assert (following.returncode, errors) == (0, b"")
    with subprocess.Popen(program, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as following:
        following.stdout.readline()
        following.stdout.close()
        for _ in range(3):
            journal.commit([published_event(journal.next_seq("gate"), "MORE")])
        assert following.wait(20) == 0
        assert following.stderr.read() == b""


def test_subscribe_prints_a_hint_without_a_publisher(endpoint):
    program = [sys.executable, "-m", "stream_ocr.cli", "subscribe", endpoint]
    environment = os.environ | {"PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(program, stderr=subprocess.PIPE, env=environment) as following:
        line = following.stderr.readline().decode()
        assert line.startswith(f"no answer from {endpoint} yet; waiting")
        assert "socket.events" in line
        following.send_signal(signal.SIGINT)
        assert following.wait(20) == 0
        following.stderr.close()


def test_parse_since():
    assert [event_output.parse_since(text) for text in ("now", "start", "snapshot", "12")] == [
        "now",
        "start",
        "snapshot",
        12,
    ]
    assert event_output.parse_since("2026-01-01T12:00Z") == datetime(2026, 1, 1, 12, tzinfo=UTC)
    assert event_output.parse_since("2026-01-01").tzinfo is not None
    with pytest.raises(StreamOcrError, match="is not a position"):
        event_output.parse_since("yesterday")
