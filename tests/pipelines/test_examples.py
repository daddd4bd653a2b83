"""The examples of docs/frames.md, run as a user does."""

import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"


def run(example: str, *arguments: str | Path) -> str:
    done = subprocess.run(
        [sys.executable, EXAMPLES / example, *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "STREAM_OCR_MODELS": "builtin", "OMP_NUM_THREADS": "1"},
        timeout=200,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_webcam_example_prints_events(clip):
    printed = {tuple(line.split(maxsplit=2)[1:]) for line in run("webcam.py", clip.path).splitlines()}
    assert {("appeared", "12:34:56"), ("changed", "12:34:57"), ("ended", "12:34:59")} <= printed


def test_images_example_prints_lines(tmp_path):
    image = np.full((120, 400, 3), 250, np.uint8)
    cv2.putText(image, "Way out", (40, 70), cv2.FONT_HERSHEY_DUPLEX, 1.2, (20, 20, 20), 2, cv2.LINE_AA)
    cv2.imwrite(str(tmp_path / "sign.png"), image)
    assert run("images.py", tmp_path / "sign.png").split(maxsplit=2)[2].strip() == "Way out"
