"""Synthetic clips: the ground truth matches the pictures."""

import json
import subprocess
import sys
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from stream_ocr.sources.files import open_file
from stream_ocr.synthetic.scene import Scene, Text, clock, demo_scene, draw_frames, linear_path, render, truth

SCORER = Path(__file__).resolve().parents[3] / "shared" / "tools" / "score_events.py"


def shown(scene: Scene, box) -> list[bool]:
    """Return for each frame whether there is a bright pixel inside a box."""
    x, y, width, height = box
    return [picture[y : y + height, x : x + width].max() > 140 for _, picture in draw_frames(scene)]


def test_segment_covers_the_frames_that_show_the_text():
    scene = Scene((Text("HELLO", 0.3, 0.7, (50, 60)),), 1.0, (320, 180), background="black")
    (segment,) = truth(scene)["segments"]
    assert segment["text"] == "HELLO"
    assert (segment["start_s"], segment["end_s"]) == (0.32, 0.72)  # the frames after 0.3 and 0.7 at 25 a second
    assert shown(scene, segment["box"]) == [0.32 - 1e-9 <= i / 25 < 0.72 - 1e-9 for i in range(25)]


def test_box_contains_the_letters():
    scene = Scene((Text("Agj|", 0, 1, (50, 60), height=40),), 0.04, (320, 180), background="black")
    x, y, width, height = truth(scene)["segments"][0]["box"]
    _, picture = next(draw_frames(scene))
    rows, columns = np.nonzero(picture.max(axis=2) > 60)
    assert (x, y) == (50, 60)
    assert x <= columns.min() <= x + 8
    assert y <= rows.min() <= y + 4
    assert x + width - 8 <= columns.max() < x + width
    assert y + height - 5 <= rows.max() < y + height


def test_clock_ticks_at_the_first_frame_of_each_second():
    scene = Scene((Text(clock("23:59:58"), 0, 4, (10, 10)),), 4.0, (320, 180), fps=Fraction(30000, 1001))
    segments = truth(scene)["segments"]
    assert [s["text"] for s in segments] == ["23:59:58", "23:59:59", "00:00:00", "00:00:01"]
    assert [s["start_s"] for s in segments] == pytest.approx([0, 30 * 1.001 / 30, 60 * 1.001 / 30, 90 * 1.001 / 30])
    assert all(a["end_s"] == b["start_s"] for a, b in pairwise(segments))


def test_fading_text_counts_from_half_opacity():
    text = Text("FADE", 0, 2, (50, 60), fade_in_s=1.0, fade_out_s=0.4)
    scene = Scene((text,), 2.0, (320, 180), background="black")
    (segment,) = truth(scene)["segments"]
    assert (segment["start_s"], segment["end_s"]) == pytest.approx((0.52, 1.8), abs=0.0401)
    brightness = [int(picture.max()) for _, picture in draw_frames(scene)]
    first, last = round(segment["start_s"] * 25), round(segment["end_s"] * 25) - 1
    assert brightness[first] >= 127 > brightness[first - 1]
    assert brightness[last] >= 127 > brightness[last + 1]


def test_moving_text_has_a_box_for_every_frame():
    text = Text("GO", 0, 1, linear_path(0, (10, 10), 1, (210, 60)), height=30, panel=(0, 0, 90))
    scene = Scene((text,), 1.0, (320, 180), background="black", start_s=5.0)
    (segment,) = truth(scene)["segments"]
    assert len(segment["boxes"]) == 25
    assert segment["boxes"][5][:3] == [5.2, 50, 20]
    for (_, picture), (_, x, y, width, height) in zip(draw_frames(scene), segment["boxes"], strict=True):
        assert picture[y : y + height, x : x + width].min(axis=2).max() > 200
        picture[y : y + height, x : x + width] = 0
        assert picture.min(axis=2).max() == 0


def test_segment_times_follow_variable_frame_times():
    scene = Scene((Text("A", 0.5, 2, (9, 9)),), 2.0, (64, 64), frame_times=(0, 0.4, 0.7, 1.9), background="black")
    (segment,) = truth(scene)["segments"]
    assert (segment["start_s"], segment["end_s"]) == (0.7, 2.0)


def test_draw_frames_rejects_text_that_leaves_the_picture():
    scene = Scene((Text("AWAY", 0, 1, linear_path(0, (10, 10), 1, (310, 10))),), 1.0, (320, 180))
    with pytest.raises(ValueError, match="AWAY"):
        list(draw_frames(scene))


def test_draw_frames_rejects_glyphs_that_the_font_lacks():
    with pytest.raises(ValueError, match="Straße"):
        list(draw_frames(Scene((Text("Straße", 0, 1, (10, 10)),), 0.2, (320, 180))))


@pytest.mark.parametrize("background", ["moving", "pan", "static", "black", "noise"])
def test_backgrounds_are_deterministic(background):
    scene = Scene((), 0.2, (160, 90), background=background, seed=3)
    one, two = ([picture for _, picture in draw_frames(scene)] for _ in range(2))
    assert np.array_equal(one, two)
    still = all(np.array_equal(picture, one[0]) for picture in one)
    assert still == (background in ("static", "black"))


@pytest.mark.parametrize(
    ("name", "codec"),
    [("a.mp4", "libx264"), ("a.mkv", "libx264"), ("a.ts", "libx264"), ("a.mp4", "mpeg4"), ("a.webm", "libvpx")],
)
def test_render_keeps_frames_and_times(tmp_path, name, codec):
    scene = Scene((Text("HELLO", 0.2, 0.4, (50, 60)),), 0.6, (320, 180), background="static", start_s=2.0)
    render(scene, tmp_path / name, codec=codec)
    pairs = list(zip(draw_frames(scene), open_file(tmp_path / name, stream="a"), strict=True))
    assert [found.stamp.time_s for _, found in pairs] == pytest.approx([float(t) + 2 for (t, _), _ in pairs])
    for (_, picture), found in pairs:
        grey = 16 + picture @ np.array([0.299, 0.587, 0.114]) * 219 / 255
        assert np.abs(grey - found.frame.y).mean() < 4


def test_demo_scene_is_drawn_with_complete_truth(tmp_path):
    scene = demo_scene()
    document = truth(scene, "demo.mp4")
    assert (document["width"], document["height"], document["duration_s"]) == (1280, 720, 22.0)
    ticks = [s for s in document["segments"] if s["text"].startswith("12:3")]
    assert [s["start_s"] for s in ticks] == list(range(22))
    assert sum("boxes" in s for s in document["segments"]) == 1
    drawn = [picture for _, picture in zip(range(25), draw_frames(scene), strict=False)]
    assert len(drawn) == 25


@pytest.mark.skipif(not SCORER.exists(), reason="the scorer is not available")
def test_truth_scores_perfectly_against_itself(tmp_path):
    document = truth(demo_scene(), "demo.mp4")
    (tmp_path / "truth.json").write_text(json.dumps(document))
    with (tmp_path / "events.jsonl").open("w") as log:
        for track, segment in enumerate(document["segments"]):
            boxes = segment.get("boxes") or [[0, *segment["box"]]]
            for kind, (_, x, y, w, h) in (("appeared", boxes[0]), ("ended", boxes[-1])):
                polygon = [[x, y], [x + w, y], [x + w, y + h], [x, y + h]]
                times = {"start": segment["start_s"], "end": segment["end_s"]}
                event = {"kind": kind, "stream": "s", "track": track, "text": segment["text"], "polygon": polygon}
                log.write(json.dumps(event | times) + "\n")
    command = [sys.executable, str(SCORER), str(tmp_path / "truth.json"), str(tmp_path / "events.jsonl"), "--json"]
    result = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    assert (result["f1"], result["cer"], result["start_ms"], result["end_ms"]) == (1, 0, [0, 0], [0, 0])
