"""Cuts of generated films whose shots are known."""

import csv
import os
import subprocess
import sys
from pathlib import Path

import pytest

from stream_ocr.errors import SourceError
from stream_ocr.sources.cuts import find_cuts
from stream_ocr.synthetic.footage import film
from stream_ocr.synthetic.scene import Scene, Text, render
from stream_ocr.testing import text_event

SHOT_S = 2.0
TEXTS = (
    Text("Over a cut", 1.0, 3.0, (160, 150), "middle", height=20),
    Text("With a cut", 4.0, 5.0, (160, 150), "middle", height=20),
    Text("Then another", 5.0, 5.6, (160, 150), "middle", height=20),
    Text("A title", 6.6, 7.4, (160, 110), "middle", height=36),
)
SCENE = Scene(TEXTS, 8.0, (320, 180), background=film(SHOT_S), seed=3)
PIXELS = 320 * 180


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("cuts") / "film.mp4"
    render(SCENE, path)
    return path


def test_cuts_are_found_at_their_frames_and_texts_are_none(clip):
    cuts = find_cuts(clip, 25.0, PIXELS)
    assert cuts.times_s == pytest.approx([2.0, 4.0, 6.0])
    assert cuts.end_s == pytest.approx(8.0)
    assert cuts.failure is None


def test_cuts_have_media_times_of_frames_at_any_rate(tmp_path):
    times = tuple(index / 25 + 0.3 * (index >= 60) for index in range(180))  # a pause within the second shot
    scene = Scene((), 7.5, (320, 180), frame_times=times, start_s=100.0, background=film(SHOT_S), seed=3)
    render(scene, tmp_path / "film.mkv")
    first = [next(time for time in times if time >= cut_s) for cut_s in (2.0, 4.0, 6.0)]
    cuts = find_cuts(tmp_path / "film.mkv", 24.0, PIXELS)
    assert cuts.times_s == pytest.approx([100.0 + time for time in first], abs=0.002)


def test_progress_is_the_media_time(clip):
    seen: list[float] = []
    find_cuts(clip, 25.0, PIXELS, seen.append)
    assert len(seen) == 200
    assert seen[-1] == pytest.approx(7.96)


def test_too_large_frames_are_refused(clip):
    with pytest.raises(SourceError, match=r"decode\.max_pixels"):
        find_cuts(clip, 25.0, PIXELS - 1)


def test_export_splits_scenes_at_cuts_and_at_texts(clip, tmp_path):
    events = []
    for track, text in enumerate(TEXTS):
        word = str(text.text)
        events.append(text_event(2 * track, track=track, text=word, start=text.start_s, stream=clip.name))
        fields = {"kind": "ended", "start": text.start_s, "end": text.end_s, "stream": clip.name}
        events.append(text_event(2 * track + 1, track=track, text=word, **fields))
    (tmp_path / "events.jsonl").write_bytes(b"".join(event.to_json() + b"\n" for event in events))
    command = [sys.executable, "-m", "stream_ocr.cli", "export", str(tmp_path / "events.jsonl")]
    options = ["--scenes", str(tmp_path / "scenes.csv"), "--video", str(clip)]
    ended = subprocess.run([*command, *options], capture_output=True, text=True, timeout=60)
    assert (ended.returncode, ended.stdout) == (0, "")
    with (tmp_path / "scenes.csv").open(newline="") as file:
        rows = list(csv.reader(file))[2:]
    starts = [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 5.6, 6.0, 6.6, 7.4]
    assert [float(row[3]) for row in rows] == starts
    assert [float(row[6]) for row in rows] == [*starts[1:], 8.0]


def test_export_without_the_extra_is_one_sentence(clip, tmp_path):
    (tmp_path / "scenedetect.py").write_text("raise ImportError('no such package', name='scenedetect')\n")
    (tmp_path / "events.jsonl").write_bytes(text_event(0).to_json() + b"\n")
    command = [sys.executable, "-m", "stream_ocr.cli", "export", str(tmp_path / "events.jsonl")]
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    options = ["--scenes", str(tmp_path / "scenes.csv"), "--video", str(clip)]
    ended = subprocess.run(
        [*command, *options], env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, timeout=60
    )
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr == (
        "Scenes by cuts of --video need scenedetect, which is not installed; pip install 'stream-ocr[scenes]', or leave"
        " --video out to split scenes by texts only.\n"
    )
    assert not (tmp_path / "scenes.csv").exists()
