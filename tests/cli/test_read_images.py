"""``stream-ocr read`` with still images."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from stream_ocr.cli.app import app

MODELS = ("--set", "models=builtin", "--set", "device=cpu")


@pytest.fixture
def signs(tmp_path: Path) -> list[Path]:
    paths = []
    for name, text in (("exit.png", "Way out"), ("gate.JPG", "Gate 12")):
        image = np.full((120, 400, 3), 250, np.uint8)
        cv2.putText(image, text, (40, 70), cv2.FONT_HERSHEY_DUPLEX, 1.2, (20, 20, 20), 2, cv2.LINE_AA)
        paths.append(tmp_path / name)
        paths[-1].write_bytes(cv2.imencode(".png", image)[1].tobytes())
    return paths


def read(*arguments: str | Path):
    return CliRunner().invoke(app, ["read", *map(str, arguments), *MODELS])


def test_read_prints_the_lines_of_images(signs):
    one = read(signs[0])
    assert (one.exit_code, one.stdout.split(maxsplit=1)[1].strip()) == (0, "Way out")
    both = read(*signs)
    assert [line.split("  ")[::2] for line in both.stdout.splitlines()] == [
        [str(signs[0]), "Way out"],
        [str(signs[1]), "Gate 12"],
    ]


def test_read_writes_the_lines_of_images_as_json(signs, tmp_path):
    done = read(*signs, "-o", tmp_path / "lines.jsonl", "-o", "-")
    assert done.exit_code == 0
    lines = [json.loads(line) for line in (tmp_path / "lines.jsonl").read_text().splitlines()]
    assert [json.loads(line) for line in done.stdout.splitlines()] == lines
    assert [(line["image"], line["text"]) for line in lines] == [(str(signs[0]), "Way out"), (str(signs[1]), "Gate 12")]
    assert all(len(line["polygon"]) == 4 and 0 < line["confidence"] <= 1 for line in lines)


def test_read_goes_on_after_an_image_that_cannot_be_read(signs, tmp_path):
    (tmp_path / "noise.png").write_bytes(b"no image")
    done = read(tmp_path / "noise.png", tmp_path / "missing.png", signs[0])
    assert done.exit_code == 1
    assert "noise.png is not an image that can be decoded" in done.stderr
    assert "missing.png cannot be read: No such file" in done.stderr
    assert "Way out" in done.stdout


def test_read_refuses_for_images_what_only_videos_have(signs, tmp_path):
    for arguments, sentence in (
        ((signs[0], "film.mp4"), "film.mp4 is no image; read images and videos with a command each"),
        ((signs[0], "--srt", "a.srt"), "--srt needs a video; images have no times"),
        ((signs[0], "-o", "a.srt"), "lines of images are written to a .jsonl file or to -"),
    ):
        done = read(*arguments)
        assert done.exit_code == 2
        assert sentence in " ".join(done.stderr.replace("│", " ").split())
    done = read(signs[0], "-o", tmp_path / "none" / "a.jsonl")
    assert done.exit_code == 1
