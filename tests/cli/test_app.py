import os
import re
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pysubs2
import pytest
import structlog
import yaml

from stream_ocr import cli
from stream_ocr.config.loading import ENV_PREFIX
from stream_ocr.config.settings import Settings
from stream_ocr.events import TextEvent


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch):
    for name in [name for name in os.environ if name.startswith(ENV_PREFIX)]:
        monkeypatch.delenv(name)
    yield
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


@pytest.fixture
def run(monkeypatch, capfd):
    """Return a function that runs the program in this process: (exit code, standard output, standard error)."""

    def run(*arguments: str | Path) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["stream-ocr", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        return int(ended.value.code or 0), *capfd.readouterr()

    return run


@pytest.fixture
def log(tmp_path):
    fields = {"id": "", "stream": "match.mp4", "track": 1, "confidence": 0.9, "start": 1.0, "size": (9, 9)}
    polygon = ((0, 0), (4, 0), (4, 2), (0, 2))
    events = [
        TextEvent(seq=0, kind="appeared", text="GATE 4", polygon=polygon, **fields),
        TextEvent(seq=1, kind="ended", text="GATE 4", end=2.5, polygon=polygon, **fields),
    ]
    path = tmp_path / "events.jsonl"
    path.write_bytes(b"".join(event.to_json() + b"\n" for event in events))
    return path


def test_config_prints_settings_that_can_be_read_back(run):
    code, out, err = run("config", "--set", "models=builtin", "--set", "tracking.max_lost_s=2")
    assert (code, err) == (0, "")
    assert Settings.model_validate(yaml.safe_load(out)) == Settings.load(
        None, ["models=builtin", "tracking.max_lost_s=2"]
    )


def test_wrong_settings_are_reported_without_a_traceback(run):
    assert run("config", "--set", "modles=builtin") == (
        1,
        "",
        "modles (--set) is not a setting; did you mean models?\n",
    )


@pytest.mark.parametrize("handler", [signal.default_int_handler, signal.SIG_IGN])
def test_main_restores_the_interrupt_handler(run, handler):
    before = signal.signal(signal.SIGINT, handler)
    try:
        run("config")
        assert signal.getsignal(signal.SIGINT) is handler
    finally:
        signal.signal(signal.SIGINT, before)


def test_no_command_shows_help(run):
    _, out, err = run()
    assert "Commands" in out + err


@pytest.mark.parametrize(
    "arguments",
    [
        ["read"],
        ["read", "a.mp4", "b.mp4", "--annotate", "c.mp4"],
        ["export", "events.jsonl"],
        ["export", "events.jsonl", "--annotate", "c.mp4"],
        ["train", "tracker", "config.yaml"],
    ],
)
def test_wrong_usage_is_exit_code_2(run, arguments):
    code, _, err = run(*arguments)
    assert code == 2
    assert "Traceback" not in err


def test_read_reports_each_unreadable_file(run, tmp_path):
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "folder").mkdir()
    outputs = ["-o", tmp_path / "events.jsonl"]
    code, out, err = run(
        *("read", tmp_path / "folder", tmp_path / "none.mp4", tmp_path / "empty.mp4"),
        *(*outputs, "--in-process", "--set", "models=builtin"),
    )
    sentences = err.splitlines()
    assert code == 1
    assert out == ""
    assert [("no videos" in line, "none.mp4" in line, "empty.mp4" in line) for line in sentences] == [
        (True, False, False),
        (False, True, False),
        (False, False, True),
    ]
    assert not (tmp_path / "events.jsonl").exists()


def test_read_reads_the_other_files_after_a_missing_one(run, tmp_path):
    (tmp_path / "text.mp4").write_text("no video")
    arguments = ["read", tmp_path / "none.mp4", tmp_path / "text.mp4", "--in-process", "--set", "models=builtin"]
    code, _, err = run(*arguments)
    assert code == 1
    first, *models, last = err.splitlines()
    assert "none.mp4" in first
    assert "text.mp4" in last
    assert models


@pytest.mark.parametrize(("output", "problem"), [("none/events.jsonl", "there is no directory"), ("a.doc", "suffix")])
def test_read_checks_outputs_before_reading(run, tmp_path, output, problem):
    (tmp_path / "text.mp4").write_text("no video")
    code, _, err = run("read", tmp_path / "text.mp4", "-o", tmp_path / output, "--set", "models=builtin")
    assert code == 1
    assert problem in err
    assert "text.mp4" not in err


def test_read_refuses_settings_with_cameras(run, tmp_path):
    config = tmp_path / "live.yaml"
    config.write_text("sources: {gate: {path: gate.mp4}}\n")
    code, _, err = run("read", "video.mp4", "--config", config)
    assert code == 1
    assert "cameras under sources (gate)" in err
    assert "stream-ocr run" in err


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        (["read", "video.mp4"], "live.max_latency_s=1"),
        (["search", "exit"], "models=builtin"),
        (["search", "exit"], "logs.trace=trace.json"),
        (["export", "events.jsonl", "--srt", "a.srt"], "tracking.max_lost_s=2"),
        (["detect", "image.png"], "tracking.max_lost_s=2"),
    ],
)
def test_a_setting_without_effect_on_the_command_is_refused(run, arguments, name):
    code, _, err = run(*arguments, "--set", name)
    assert (code, err) == (1, f"{name.partition('=')[0]} (--set) has no effect on this command; leave it out.\n")


@pytest.mark.parametrize("command", ["", "read", "search", "bench", "bench clips", "eval", "weights export", "archive"])
def test_help_shows_placeholders_and_no_types(run, command):
    code, out, _ = run(*command.split(), "--help")
    assert code == 0
    assert not re.search(r"<\w|list\[", out), out


def test_help_of_bench_lists_its_commands(run):
    _, out, _ = run("bench", "--help")
    assert re.search(r"^  clips ", out, re.MULTILINE)
    assert re.search(r"^  live ", out, re.MULTILINE)


def test_read_checks_annotate_target_before_reading(run, tmp_path):
    code, _, err = run("read", tmp_path / "none.mp4", "--annotate", tmp_path / "out.avi", "--set", "models=builtin")
    assert code == 1
    assert err.endswith("annotated videos are MP4; use the suffix .mp4.\n")
    assert len(err.splitlines()) == 1


def test_read_prints_the_models(run, tmp_path):
    (tmp_path / "text.mp4").write_text("no video")
    _, _, err = run("read", tmp_path / "text.mp4", "--in-process", "--set", "models=builtin", "--set", "device=cpu")
    assert "detector: builtin (set), " in err
    assert "recogniser: builtin (set), " in err
    assert err.count(" on cpu, ") == 2


def test_export_writes_subtitles_and_csv(run, tmp_path, log):
    srt, vtt, csv = (tmp_path / f"texts.{suffix}" for suffix in ("srt", "vtt", "csv"))
    assert run("export", log, "--srt", srt, "--vtt", vtt, "--csv", csv) == (0, "", "")
    for file in (srt, vtt):
        assert [(line.start, line.end, line.text) for line in pysubs2.load(str(file))] == [(1000, 2500, "GATE 4")]
    assert "GATE 4" in csv.read_text()


def test_export_reports_a_file_that_is_not_a_log(run, tmp_path, log):
    log.write_text("hello\n")
    code, _, err = run("export", log, "--srt", tmp_path / "texts.srt")
    assert code == 1
    assert err.startswith(f"Line 1 of {log} is not an event")
    assert len(err.splitlines()) == 1


def test_weights_lists_the_weights(run):
    code, out, _ = run("weights")
    assert code == 0
    assert [line.split(":")[0] for line in out.splitlines()[1:]] == [
        "detector-base",
        "language-model",
        "recognizer-base",
    ]


def test_doctor_prints_models_and_devices(run):
    code, out, _ = run("doctor", "--set", "models=builtin", "--set", "device=cpu")
    for topic in ("stream-ocr", "packages", "[torch]", "cores", "models", "weights", "label font"):
        assert f" {topic} " in out
    for network, runtime in (("detector", "mnn"), ("recogniser", "onnx")):
        assert re.search(rf" {network} .* {runtime} on cpu, fp32", out)
    assert code == ("NO " in out)


def test_doctor_names_problems(run):
    code, out, _ = run("doctor", "--set", "device=cuda", "--set", "dtype=fp32", "--set", "models=builtin")
    lacking = [line for line in out.splitlines() if line.startswith("NO")]
    assert code == (1 if lacking else 0)
    assert all("cuda" in line.lower() for line in lacking)


def test_debug_variable_shows_traceback():
    program = [sys.executable, "-m", "stream_ocr.cli", "config", "--set", "modles=builtin"]
    environment = os.environ | {"STREAM_OCR_DEBUG": "1"}
    ended = subprocess.run(program, env=environment, capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    assert "Traceback" in ended.stderr


def test_version_option(run):
    code, out, err = run("--version")
    assert (code, err) == (0, "")
    assert re.fullmatch(r"stream-ocr \d+\.\d+\.\d+\S*\n", out)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["events.jsonl", "--ray", "auto"], "--ray: it is for NATS servers only"),
        (["tcp://127.0.0.1:1", "--credentials", "file"], "--credentials: it is for NATS servers only"),
        (["nats://127.0.0.1:1", "--video", "a.mp4"], "--video: it is not used with NATS servers"),
    ],
)
def test_dashboard_refuses_options_of_other_sources(run, arguments, sentence):
    pytest.importorskip("starlette")
    code, _, err = run("dashboard", *arguments)
    assert code == 2
    assert sentence in err


def test_dashboard_refuses_a_store_in_the_place_of_events(run, tmp_path):
    sqlite3.connect(tmp_path / "events.db").executescript("CREATE TABLE x (y)").connection.close()
    code, _, err = run("dashboard", tmp_path / "events.db")
    assert code == 2
    assert "is a store" in " ".join(err.split())


def test_dashboard_refuses_addresses_with_passwords(run):
    pytest.importorskip("starlette")
    pytest.importorskip("nats")
    code, _, err = run("dashboard", "nats://a:4222,nats://user:secret@b:4222")
    assert code == 1
    assert "remove the user and password from the address" in err
    assert "secret" not in err
