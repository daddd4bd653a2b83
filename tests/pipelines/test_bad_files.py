"""Unreadable input gets one sentence and an exit code; other files are still read."""

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from stream_ocr.events import TextEvent, read_jsonl
from stream_ocr.synthetic.corrupt import truncate, write_audio_only

UNPRIVILEGED = ("setpriv", "--bounding-set=-dac_override,-dac_read_search")
"""Command prefix that removes the right of root to read every file."""


@pytest.fixture
def bad(clip, tmp_path) -> dict[str, Path]:
    """Return unreadable files by a part of their error sentence."""
    folder = tmp_path / "bad"
    folder.mkdir()
    files = {
        "There is no file": folder / "missing.mp4",
        "is empty": folder / "empty.mp4",
        "is not a video": folder / "garbage.mp4",
        "contains no video": folder / "head.mp4",
        "contains only audio": folder / "sound.m4a",
        "has no videos and no images": folder / "folder.mp4",
        "is a playlist": folder / "list.m3u8",
    }
    files["is empty"].touch()
    files["is not a video"].write_bytes(np.random.default_rng(0).bytes(20_000))
    truncate(clip.path, files["contains no video"], 0.001)
    write_audio_only(files["contains only audio"])
    files["has no videos and no images"].mkdir()
    playlist = f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:4.0,\nfile://{clip.path}\n#EXT-X-ENDLIST\n"
    files["is a playlist"].write_text(playlist)
    return files


def sentence_about(path: Path, stderr: str) -> str:
    """Return the only line that names a file."""
    (line,) = [line for line in stderr.splitlines() if repr(str(path)) in line]
    assert line.startswith(("There is no file '", repr(str(path))))
    assert line.endswith(".")
    assert "Errno" not in line
    return line


def streams(events: Sequence[object]) -> set[str]:
    return {event.stream for event in events if isinstance(event, TextEvent)}


def test_unreadable_files_are_named_and_the_others_are_read(read, bad, clip, tmp_path) -> None:
    log = tmp_path / "events.jsonl"
    code, out, stderr = read(*bad.values(), clip.path, "-o", log, "--in-process")
    assert (code, out) == (1, "")
    assert "Traceback" not in stderr
    for sentence, path in bad.items():
        assert sentence in sentence_about(path, stderr)
    events = list(read_jsonl(log))
    assert streams(events) == {clip.path.name}
    assert events[-1].kind == "ended"


def test_unreadable_files_are_reported_the_same_way_by_processes(read, bad, clip, tmp_path) -> None:
    log = tmp_path / "events.jsonl"
    part = truncate(clip.path, tmp_path / "part.mp4", 0.6)
    code, out, stderr = read(bad["is empty"], part, "-o", log)
    assert (code, out) == (1, "")
    assert "Traceback" not in stderr
    assert "is empty" in sentence_about(bad["is empty"], stderr)
    assert "breaks off" in sentence_about(part, stderr)
    assert stderr.count(f"{part.name}: ") == 1, "one summary line"
    events = list(read_jsonl(log))
    assert streams(events) == {part.name}
    assert set({event.track: event.kind for event in events}.values()) == {"ended"}


def test_file_without_read_permission_does_not_stop_the_others(read, bad, clip, tmp_path) -> None:
    secret = tmp_path / "secret.mp4"
    secret.write_bytes(clip.path.read_bytes())
    secret.chmod(0)
    before = UNPRIVILEGED if os.geteuid() == 0 else ()
    if before and shutil.which(before[0]) is None:
        pytest.skip("root can read every file, and setpriv is not installed to change that")
    code, out, stderr = read(secret, bad["is empty"], "--in-process", before=before)
    assert (code, out) == (1, "")
    assert "cannot be read by this user" in sentence_about(secret, stderr)
    assert "is empty" in sentence_about(bad["is empty"], stderr)
    assert "Traceback" not in stderr


def test_unknown_setting_is_rejected(read, clip) -> None:
    code, out, stderr = read(clip.path, "--set", "nonsense=1")
    assert (code, out) == (1, "")
    assert stderr == "nonsense (--set) is not a setting; `stream-ocr config` lists all settings.\n"
