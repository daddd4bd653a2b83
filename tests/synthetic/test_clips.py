"""Clips of the benchmark: the ground truth matches the pictures."""

import numpy as np
import pytest

from stream_ocr.sources.files import open_file
from stream_ocr.synthetic import clips
from stream_ocr.synthetic.scene import Cover, Scene, Text, draw_frames, linear_path, render, truth, visible_lines

SIZE = (320, 180)


@pytest.mark.parametrize("name", clips.CLIPS)
def test_clips_are_deterministic_and_texts_fit_the_picture(name: str) -> None:
    one, two = (clips.build_clip(name, SIZE, 6.0) for _ in range(2))
    document = truth(one)
    assert document == truth(two)
    assert bool(document["segments"]) == (name != "none")
    for segment in document["segments"]:
        assert 0 <= segment["start_s"] < segment["end_s"] <= 6.0
        for _, x, y, width, height in segment.get("boxes") or [[0, *segment["box"]]]:
            assert x >= 0
            assert y >= 0
            assert x + width <= SIZE[0]
            assert y + height <= SIZE[1]
    drawn = [[picture for _, (_, picture) in zip(range(30), draw_frames(scene), strict=False)] for scene in (one, two)]
    assert all(np.array_equal(a, b) for a, b in zip(*drawn, strict=True))


def test_slides_change_only_between_slides() -> None:
    drawn = [picture for _, picture in draw_frames(clips.build_clip("slides", SIZE, 6.0))]
    changes = [n for n in range(1, len(drawn)) if not np.array_equal(drawn[n], drawn[n - 1])]
    assert changes == [125]


def test_truth_of_surveillance_contains_every_tick() -> None:
    segments = truth(clips.build_clip("surveillance", SIZE, 6.0))["segments"]
    assert [s["start_s"] for s in segments if s["text"].startswith("09:58:")] == [0, 1, 2, 3, 4, 5]


def test_scrolling_text_counts_while_it_is_complete() -> None:
    text = Text(
        "Credit", 0, 3, linear_path(0, (100, 180), 3, (100, -60)), height=24, outline=None, window=(0, 0, *SIZE)
    )
    scene = Scene((text,), 3.0, SIZE, background="black")
    (segment,) = truth(scene)["segments"]
    tall = segment["boxes"][0][4]
    assert segment["boxes"][0][2] + tall == pytest.approx(180, abs=3)
    assert segment["boxes"][-1][2] == pytest.approx(0, abs=3)
    assert all(box[4] == tall for box in segment["boxes"])
    before, after = visible_lines(scene, segment["start_s"] - 0.08), visible_lines(scene, segment["end_s"] + 0.12)
    assert before[0].box[3] < tall > after[0].box[3]
    shown = [picture.max() > 60 for _, picture in draw_frames(scene)]
    assert sum(shown) > len(segment["boxes"]) > 40


def test_wiped_text_counts_while_it_is_complete_and_shows_letters_one_by_one() -> None:
    text = Text("WIPED", 0.2, 2, (40, 60), height=30, wipe_in_s=1.0, wipe_out_s=0.4, outline=None)
    scene = Scene((text,), 2.0, SIZE, background="black")
    (segment,) = truth(scene)["segments"]
    assert (segment["start_s"], segment["end_s"]) == pytest.approx((1.2, 1.6), abs=0.041)
    read = [line.text for n in range(50) for line in visible_lines(scene, n / 25)]
    assert [text for n, text in enumerate(read) if text not in read[:n]] == [
        "", "W", "WI", "WIP", "WIPE", "WIPED", "IPED", "PED", "ED", "D",
    ]  # fmt: skip
    _, y, _, height = segment["box"]
    for time, picture in draw_frames(scene):
        columns = np.nonzero(picture[y : y + height].max(axis=(0, 2)) > 128)[0]
        seen = visible_lines(scene, float(time))
        left, right = (seen[0].box[0], seen[0].box[0] + seen[0].box[2]) if seen else (0, 0)
        assert not len(columns) or (left <= columns.min() and columns.max() < right)


def test_text_longer_than_its_window_is_one_segment() -> None:
    message = "A message that is longer than its window"
    bar = (60, 150, 200, 24)
    text = Text(message, 0, 5, linear_path(0, (260, 153), 5, (-260, 153)), height=18, outline=None, window=bar)
    scene = Scene((text,), 5.0, SIZE, background="black")
    (segment,) = truth(scene)["segments"]
    assert segment["text"] == message
    assert segment["start_s"] < 0.3
    assert segment["end_s"] > 4.5
    assert all(x >= 60 and x + width <= 260 for _, x, _, width, _ in segment["boxes"])
    assert {line.text for n in range(125) for line in visible_lines(scene, n / 25)} > {"A", "A message"}


def test_zoomed_text_has_growing_boxes() -> None:
    text = Text("NEAR", 0, 2, (160, 60), "middle", height=60, zoom=lambda t: 0.4 + 0.3 * t, outline=None)
    scene = Scene((text,), 2.0, SIZE, background="black")
    (segment,) = truth(scene)["segments"]
    assert segment["boxes"][-1][3] > 2.2 * segment["boxes"][0][3]
    for (_, picture), (_, x, y, width, height) in zip(draw_frames(scene), segment["boxes"], strict=True):
        assert picture[y : y + height, x : x + width].max() > 200
        picture[y : y + height, x : x + width] = 0
        assert picture.max() == 0


def test_cover_hides_text_without_changing_the_truth() -> None:
    text = Text("HIDDEN", 0, 2, (60, 60), height=30)
    scene = Scene((text,), 2.0, SIZE, background="black", covers=(Cover((40, 40, 200, 80), 0.8, 1.2),))
    assert len(truth(scene)["segments"]) == 1
    reds = [int(picture[60:90, 60:160].max()) for _, picture in draw_frames(scene)]
    assert [red > 200 for red in reds] == [not 20 <= n < 30 for n in range(50)]


@pytest.mark.parametrize(("codec", "suffix"), [("libx265", ".mp4"), ("libvpx-vp9", ".webm")])
def test_render_keeps_frames_and_times_with_other_codecs(tmp_path, codec, suffix) -> None:
    scene = Scene((Text("HELLO", 0.2, 0.4, (50, 60)),), 0.6, SIZE, background="static")
    render(scene, tmp_path / f"a{suffix}", codec=codec)
    pairs = list(zip(draw_frames(scene), open_file(tmp_path / f"a{suffix}", stream="a"), strict=True))
    assert [found.stamp.time_s for _, found in pairs] == pytest.approx([float(t) for (t, _), _ in pairs])
    for (_, picture), found in pairs:
        grey = 16 + picture @ np.array([0.299, 0.587, 0.114]) * 219 / 255
        assert np.abs(grey - found.frame.y).mean() < 6
