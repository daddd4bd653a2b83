"""The clips of the benchmark: their truth is what they show."""

import numpy as np
import pytest

from stream_ocr.sources.files import open_file
from stream_ocr.synthetic import clips
from stream_ocr.synthetic.scene import Cover, Scene, Text, line, pictures, render, truth, visible

SIZE = (320, 180)


@pytest.mark.parametrize("name", clips.CLIPS)
def test_a_clip_is_the_same_every_time_and_fits_its_picture(name: str) -> None:
    one, two = (clips.scene(name, SIZE, 6.0) for _ in range(2))
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
    drawn = [[picture for _, (_, picture) in zip(range(30), pictures(scene), strict=False)] for scene in (one, two)]
    assert all(np.array_equal(a, b) for a, b in zip(*drawn, strict=True))


def test_slides_change_at_once_and_stand_still_in_between() -> None:
    drawn = [picture for _, picture in pictures(clips.scene("slides", SIZE, 6.0))]
    changes = [n for n in range(1, len(drawn)) if not np.array_equal(drawn[n], drawn[n - 1])]
    assert changes == [125]


def test_every_tick_of_the_camera_is_in_the_truth() -> None:
    segments = truth(clips.scene("surveillance", SIZE, 6.0))["segments"]
    assert [s["start_s"] for s in segments if s["text"].startswith("09:58:")] == [0, 1, 2, 3, 4, 5]


def test_credits_count_from_when_they_are_whole_until_they_leave() -> None:
    text = Text("Credit", 0, 3, line(0, (100, 180), 3, (100, -60)), height=24, outline=None, window=(0, 0, *SIZE))
    scene = Scene((text,), 3.0, SIZE, background="black")
    (segment,) = truth(scene)["segments"]
    tall = segment["boxes"][0][4]
    assert segment["boxes"][0][2] + tall == pytest.approx(180, abs=3)
    assert segment["boxes"][-1][2] == pytest.approx(0, abs=3)
    assert all(box[4] == tall for box in segment["boxes"])
    before, after = visible(scene, segment["start_s"] - 0.08), visible(scene, segment["end_s"] + 0.12)
    assert before[0].box[3] < tall > after[0].box[3]
    shown = [picture.max() > 60 for _, picture in pictures(scene)]
    assert sum(shown) > len(segment["boxes"]) > 40


def test_a_wipe_counts_when_it_is_whole_and_shows_its_letters_one_by_one() -> None:
    text = Text("WIPED", 0.2, 2, (40, 60), height=30, wipe_in_s=1.0, wipe_out_s=0.4, outline=None)
    scene = Scene((text,), 2.0, SIZE, background="black")
    (segment,) = truth(scene)["segments"]
    assert (segment["start_s"], segment["end_s"]) == pytest.approx((1.2, 1.6), abs=0.041)
    read = [line.text for n in range(50) for line in visible(scene, n / 25)]
    assert [text for n, text in enumerate(read) if text not in read[:n]] == [
        "", "W", "WI", "WIP", "WIPE", "WIPED", "IPED", "PED", "ED", "D",
    ]  # fmt: skip
    _, y, _, height = segment["box"]
    for time, picture in pictures(scene):
        columns = np.nonzero(picture[y : y + height].max(axis=(0, 2)) > 128)[0]
        seen = visible(scene, float(time))
        left, right = (seen[0].box[0], seen[0].box[0] + seen[0].box[2]) if seen else (0, 0)
        assert not len(columns) or (left <= columns.min() and columns.max() < right)


def test_a_message_that_crawls_is_one_text_in_its_window() -> None:
    message = "A message that is longer than its window"
    bar = (60, 150, 200, 24)
    text = Text(message, 0, 5, line(0, (260, 153), 5, (-260, 153)), height=18, outline=None, window=bar)
    scene = Scene((text,), 5.0, SIZE, background="black")
    (segment,) = truth(scene)["segments"]
    assert segment["text"] == message
    assert segment["start_s"] < 0.3
    assert segment["end_s"] > 4.5
    assert all(x >= 60 and x + width <= 260 for _, x, _, width, _ in segment["boxes"])
    assert {line.text for n in range(125) for line in visible(scene, n / 25)} > {"A", "A message"}


def test_a_text_that_comes_nearer_grows() -> None:
    text = Text("NEAR", 0, 2, (160, 60), "middle", height=60, zoom=lambda t: 0.4 + 0.3 * t, outline=None)
    scene = Scene((text,), 2.0, SIZE, background="black")
    (segment,) = truth(scene)["segments"]
    assert segment["boxes"][-1][3] > 2.2 * segment["boxes"][0][3]
    for (_, picture), (_, x, y, width, height) in zip(pictures(scene), segment["boxes"], strict=True):
        assert picture[y : y + height, x : x + width].max() > 200
        picture[y : y + height, x : x + width] = 0
        assert picture.max() == 0


def test_a_cover_hides_and_the_truth_does_not_know() -> None:
    text = Text("HIDDEN", 0, 2, (60, 60), height=30)
    scene = Scene((text,), 2.0, SIZE, background="black", covers=(Cover((40, 40, 200, 80), 0.8, 1.2),))
    assert len(truth(scene)["segments"]) == 1
    reds = [int(picture[60:90, 60:160].max()) for _, picture in pictures(scene)]
    assert [red > 200 for red in reds] == [not 20 <= n < 30 for n in range(50)]


@pytest.mark.parametrize(("codec", "suffix"), [("libx265", ".mp4"), ("libvpx-vp9", ".webm")])
def test_other_codecs_keep_frames_and_times(tmp_path, codec, suffix) -> None:
    scene = Scene((Text("HELLO", 0.2, 0.4, (50, 60)),), 0.6, SIZE, background="static")
    render(scene, tmp_path / f"a{suffix}", codec=codec)
    pairs = list(zip(pictures(scene), open_file(tmp_path / f"a{suffix}", stream="a"), strict=True))
    assert [found.stamp.time_s for _, found in pairs] == pytest.approx([float(t) for (t, _), _ in pairs])
    for (_, picture), found in pairs:
        grey = 16 + picture @ np.array([0.299, 0.587, 0.114]) * 219 / 255
        assert np.abs(grey - found.frame.y).mean() < 6
