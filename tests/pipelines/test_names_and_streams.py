"""File names that are not UTF-8 or that hold terminal commands, and standard streams that are closed or full."""

import os
import shutil
import subprocess
import sys

import pytest

from stream_ocr import Pipeline
from stream_ocr.config.settings import Settings
from stream_ocr.events import read_jsonl

BUILTIN = ["models=builtin", "device=cpu", "threads=1"]


@pytest.mark.parametrize("in_process", [False, True])
def test_names_that_are_no_text_are_read_and_shown_escaped(read, clip, tmp_path, in_process) -> None:
    files = [tmp_path / os.fsdecode(name) for name in (b"caf\xe9.mp4", b"\x1b[31mred\xe2\x80\xae.mp4")]
    for file in files:
        shutil.copy(clip.path, file)
    log = tmp_path / "events.jsonl"
    missing = tmp_path / os.fsdecode(b"\x1b[31m\xe9.mp4")
    code, _, stderr = read(*files, missing, "-o", log, *(["--in-process"] if in_process else []))
    assert code == 1, "one file is missing"
    assert {event.stream for event in read_jsonl(log)} == {"caf\\xe9.mp4", "\x1b[31mred\u202e.mp4"}
    assert "\x1b" not in stderr
    assert "\u202e" not in stderr
    assert "There is no file" in stderr


def test_pipeline_reads_a_file_whose_name_is_not_utf8(clip, tmp_path) -> None:
    file = tmp_path / os.fsdecode(b"caf\xe9.mp4")
    shutil.copy(clip.path, file)
    with Pipeline([file], Settings.load(overrides=BUILTIN)) as pipeline:
        assert {event.stream for event in pipeline.events()} == {"caf\\xe9.mp4"}


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
@pytest.mark.parametrize("mode", ["", "--in-process"])
def test_closed_standard_streams_do_not_matter(clip, tmp_path, closed, mode) -> None:
    log = tmp_path / "events.jsonl"
    settings = " ".join(f"--set {setting}" for setting in BUILTIN)
    command = f"{sys.executable} -m stream_ocr.cli read {clip.path} -o {log} {mode} {settings} {closed}"
    done = subprocess.run(["sh", "-c", command], stderr=subprocess.PIPE, text=True, check=False)
    assert "Traceback" not in done.stderr
    assert done.returncode == 0
    assert {event.stream for event in read_jsonl(log)} == {clip.path.name}


def test_full_standard_output_is_one_sentence() -> None:
    command = f"{sys.executable} -m stream_ocr.cli config > /dev/full"
    done = subprocess.run(["sh", "-c", command], stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, "The output: No space left on device.\n")
