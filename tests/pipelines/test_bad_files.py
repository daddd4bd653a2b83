"""Bad input gets one sentence and an exit code; other files are read all the same."""

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from stream_ocr.events import TextEvent, read_jsonl
from stream_ocr.synthetic.corrupt import sound_only, truncate

UNPRIVILEGED = ("setpriv", "--bounding-set=-dac_override,-dac_read_search")
"""Runs a program as root without the right to read everything."""


@pytest.fixture
def bad(clip, tmp_path) -> dict[str, Path]:
    """Files that cannot be read at all, with a part of what is to be said of them."""
    folder = tmp_path / "bad"
    folder.mkdir()
    files = {
        "There is no file": folder / "missing.mp4",
        "is empty": folder / "empty.mp4",
        "is not a video": folder / "garbage.mp4",
        "holds no pictures": folder / "head.mp4",
        "holds only sound": folder / "sound.m4a",
        "is a directory": folder / "folder.mp4",
        "is a playlist": folder / "list.m3u8",
    }
    files["is empty"].touch()
    files["is not a video"].write_bytes(np.random.default_rng(0).bytes(20_000))
    truncate(clip.path, files["holds no pictures"], 0.001)
    sound_only(files["holds only sound"])
    files["is a directory"].mkdir()
    playlist = f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:4.0,\nfile://{clip.path}\n#EXT-X-ENDLIST\n"
    files["is a playlist"].write_text(playlist)
    return files


def sentence_about(path: Path, said: str) -> str:
    """The one line that names a file."""
    (line,) = [line for line in said.splitlines() if repr(str(path)) in line]
    assert line.startswith(("There is no file '", repr(str(path))))
    assert line.endswith(".")
    assert "Errno" not in line
    return line


def streams(events: Sequence[object]) -> set[str]:
    return {event.stream for event in events if isinstance(event, TextEvent)}


def test_files_that_cannot_be_read_are_named_and_the_good_one_is_read(read, bad, clip, tmp_path) -> None:
    log = tmp_path / "events.jsonl"
    code, out, said = read(*bad.values(), clip.path, "-o", log, "--in-process")
    assert (code, out) == (1, "")
    assert "Traceback" not in said
    for what, path in bad.items():
        assert what in sentence_about(path, said)
    events = list(read_jsonl(log))
    assert streams(events) == {clip.path.name}
    assert events[-1].kind == "ended"


def test_processes_say_the_same_and_read_what_can_be_read(read, bad, clip, tmp_path) -> None:
    log = tmp_path / "events.jsonl"
    part = truncate(clip.path, tmp_path / "part.mp4", 0.6)
    code, out, said = read(bad["is empty"], part, "-o", log)
    assert (code, out) == (1, "")
    assert "Traceback" not in said
    assert "is empty" in sentence_about(bad["is empty"], said)
    assert "breaks off" in sentence_about(part, said)
    assert said.count(f"{part.name}: ") == 1, "a summary of what was read"
    events = list(read_jsonl(log))
    assert streams(events) == {part.name}
    assert set({event.track: event.kind for event in events}.values()) == {"ended"}


def test_a_file_that_may_not_be_read_stops_no_other(read, bad, clip, tmp_path) -> None:
    secret = tmp_path / "secret.mp4"
    secret.write_bytes(clip.path.read_bytes())
    secret.chmod(0)
    before = UNPRIVILEGED if os.geteuid() == 0 else ()
    if before and shutil.which(before[0]) is None:
        pytest.skip("root may read everything, and there is no setpriv here to change that")
    code, out, said = read(secret, bad["is empty"], "--in-process", before=before)
    assert (code, out) == (1, "")
    assert "may not be read by this user" in sentence_about(secret, said)
    assert "is empty" in sentence_about(bad["is empty"], said)
    assert "Traceback" not in said


def test_a_setting_that_is_not_known(read, clip) -> None:
    code, out, said = read(clip.path, "--set", "nonsense=1")
    assert (code, out) == (1, "")
    assert said == "nonsense (--set) is not a setting; `stream-ocr config` lists them all.\n"
