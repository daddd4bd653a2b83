"""The introductory example pipelines/inline.py."""

import os
import subprocess
import sys
from pathlib import Path

INLINE = Path(__file__).parents[2] / "pipelines" / "inline.py"


def test_inline_example_prints_events(clip, tmp_path) -> None:
    done = subprocess.run(
        [sys.executable, INLINE, clip.path],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env={**os.environ, "STREAM_OCR_MODELS": "builtin", "OMP_NUM_THREADS": "1"},
        timeout=100,
    )
    assert (done.returncode, done.stderr) == (0, "")
    *lines, last = done.stdout.splitlines()
    printed = {(kind, text) for _, kind, text in (line.split(maxsplit=2) for line in lines)}
    assert {("appeared", "12:34:56"), ("changed", "12:34:57"), ("ended", "12:34:59")} <= printed
    assert all(float(line.split("s")[0]) <= 4.0 for line in lines)
    assert last.startswith("end: {")
    assert "'frames': 100" in last
    assert list(tmp_path.iterdir()) == []
