"""Video files of every awkward kind, made here with PyAV."""

import os
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest

from stream_ocr.errors import SourceError
from stream_ocr.sources.files import open_file
from stream_ocr.synthetic import corrupt
from stream_ocr.synthetic.scene import Scene, Text, render

SPEED = 100  # pixels a second of the white bar that tells the time
SIZE = (320, 180)


def bar(**change) -> Scene:
    """A white bar, 20 pixels wide, whose left edge stands at 8 + 100 × time."""
    edge = Text("I", -1, 99, lambda t: (14 + SPEED * t, 40), height=20, outline=None, panel=(255, 255, 255))
    return Scene(**{"texts": (edge,), "duration_s": 1.0, "size": SIZE, "background": "black"} | change)


def told_time(picture) -> float:
    """The time that the white bar of a picture tells."""
    return (int(np.argmax(picture.frame.y[40] > 120)) - 8) / SPEED


def read(path, **options):
    with open_file(path, stream="clip", **options) as source:
        return source, list(source)


def refusal(path, **options) -> str:
    with pytest.raises(SourceError) as error:
        read(path, **options)
    message = str(error.value)
    assert message.count("\n") == 0
    assert message.endswith(".")
    return message


@pytest.fixture(scope="module")
def plain(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("clips") / "plain.mp4"
    render(bar(), path, b_frames=2, gop=10)
    return path


def test_every_frame_comes_once_with_its_time(plain):
    source, pictures = read(plain)
    stamps = [picture.stamp for picture in pictures]
    assert [stamp.time_s for stamp in stamps] == [i / 25 for i in range(25)]
    assert [stamp.end_s for stamp in stamps] == [(i + 1) / 25 for i in range(25)]
    assert [stamp.seq for stamp in stamps] == list(range(25))
    assert {(stamp.stream, stamp.epoch) for stamp in stamps} == {("clip", 0)}
    assert all(later.captured_ns >= earlier.captured_ns for earlier, later in pairwise(stamps))
    assert not any(picture.damaged for picture in pictures)
    assert (source.size, source.start_s, source.duration_s, source.frame_count_hint) == (SIZE, 0.0, 1.0, 25)
    assert (source.corrupt_packets, source.trouble) == (0, None)


def test_b_frames_come_in_the_order_of_showing(plain):
    _, pictures = read(plain)
    assert [told_time(picture) for picture in pictures] == pytest.approx([i / 25 for i in range(25)], abs=0.011)


@pytest.mark.parametrize("suffix", ["mkv", "mp4"])
def test_a_variable_frame_rate_keeps_its_times(tmp_path, suffix):
    scene = bar(frame_times=(0, 0.011, 0.4, 0.5, 0.533, 0.9))
    render(scene, tmp_path / f"vfr.{suffix}")
    _, pictures = read(tmp_path / f"vfr.{suffix}")
    assert [picture.stamp.time_s for picture in pictures] == pytest.approx(scene.frame_times)
    assert [picture.stamp.end_s for picture in pictures][:-1] == pytest.approx(scene.frame_times[1:])
    assert [told_time(picture) for picture in pictures] == pytest.approx(scene.frame_times, abs=0.011)


@pytest.mark.parametrize(("suffix", "start_s"), [("ts", 5.5), ("mkv", 5.5), ("mp4", 5.5), ("ts", -3.0)])
def test_a_start_other_than_zero_is_kept(tmp_path, suffix, start_s):
    render(bar(start_s=start_s), tmp_path / f"late.{suffix}")
    source, pictures = read(tmp_path / f"late.{suffix}")
    assert source.start_s == start_s
    assert source.duration_s == pytest.approx(1.0)
    assert [p.stamp.time_s for p in pictures] == pytest.approx([start_s + i / 25 for i in range(25)])
    assert pictures[-1].stamp.end_s == pytest.approx(start_s + 1)
    assert source.trouble is None


@pytest.mark.parametrize(("name", "codec"), [("raw.h264", "libx264"), ("old.avi", "mpeg4")])
def test_frames_without_presentation_times_get_some(tmp_path, name, codec):
    render(bar(), tmp_path / name, codec=codec)
    _, pictures = read(tmp_path / name)
    assert [picture.stamp.time_s for picture in pictures] == pytest.approx([i / 25 for i in range(25)])


@pytest.mark.parametrize(("degrees", "corner"), [(0, (0, 0)), (90, (0, -1)), (180, (-1, -1)), (270, (-1, 0))])
def test_turned_videos_come_upright(tmp_path, degrees, corner):
    mark = Text("I", 0, 9, (14, 14), height=40, outline=None, panel=(255, 255, 255))
    render(Scene((mark,), 0.2, (321, 179), background="black"), tmp_path / "flat.mp4", codec="mpeg4")
    source, pictures = read(corrupt.set_rotation(tmp_path / "flat.mp4", tmp_path / "turned.mp4", degrees))
    width, height = (179, 321) if degrees in (90, 270) else (321, 179)
    frame = pictures[0].frame
    assert source.size == frame.size == (width, height)
    assert frame.u.shape == frame.v.shape == ((height + 1) // 2, (width + 1) // 2)
    quarters = {
        (r, c): frame.y[:: 1 if r == 0 else -1, :: 1 if c == 0 else -1][:60, :40] for r in (0, -1) for c in (0, -1)
    }
    assert max(quarters, key=lambda place: quarters[place].mean()) == corner


@pytest.mark.parametrize(("name", "codec"), [("odd.mp4", "mpeg4"), ("odd.webm", "libvpx")])
def test_odd_sizes(tmp_path, name, codec):
    render(bar(size=(641, 359), duration_s=0.2), tmp_path / name, codec=codec)
    source, pictures = read(tmp_path / name)
    assert source.size == (641, 359)
    assert pictures[0].frame.y.shape == (359, 641)
    assert pictures[0].frame.u.shape == pictures[0].frame.v.shape == (180, 321)
    assert told_time(pictures[3]) == pytest.approx(0.12, abs=0.011)


@pytest.mark.parametrize(
    ("codec", "pixels", "full_range"),
    [("mjpeg", "yuvj420p", True), ("mjpeg", "yuvj422p", True), ("ffv1", "yuv444p", False), ("ffv1", "bgr0", False)],
)
def test_other_pixel_formats_become_planes_of_420(tmp_path, codec, pixels, full_range):
    path = tmp_path / "clip.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, pixels
        frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 255, np.uint8), format="rgb24")
        frame.pts, frame.time_base = 0, Fraction(1, 25)
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    _, pictures = read(path)
    frame = pictures[0].frame
    assert (frame.y.shape, frame.u.shape, frame.full_range) == ((48, 64), (24, 32), full_range)
    assert abs(int(frame.y[20, 20]) - (255 if full_range else 235)) <= 2


def test_joined_recordings_are_two_epochs_in_one_time(tmp_path):
    render(bar(start_s=7.0), tmp_path / "one.ts")
    render(bar(size=(480, 270)), tmp_path / "two.ts")
    _, pictures = read(corrupt.concatenate(tmp_path / "joined.ts", tmp_path / "one.ts", tmp_path / "two.ts"))
    stamps = [picture.stamp for picture in pictures]
    assert [stamp.time_s for stamp in stamps] == pytest.approx([7 + i / 25 for i in range(50)])
    assert [(stamp.epoch, stamp.seq) for stamp in stamps] == [(e, i) for e in (0, 1) for i in range(25)]
    assert [picture.frame.size for picture in pictures] == [SIZE] * 25 + [(480, 270)] * 25
    assert not any(picture.damaged for picture in pictures[25:])


def test_damage_is_marked_until_the_next_key_frame(tmp_path):
    render(bar(duration_s=2.0, background="noise"), tmp_path / "good.mkv", gop=10)
    source, pictures = read(corrupt.damage(tmp_path / "good.mkv", tmp_path / "bad.mkv", 12, first=0.44, last=0.5))
    marks = [picture.damaged for picture in pictures]
    assert 2 <= sum(marks) <= 20
    assert marks[0] is marks[-1] is False
    assert [picture.stamp.seq for picture in pictures] == list(range(len(pictures)))
    assert source.trouble is None


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_a_file_that_breaks_off_is_read_as_far_as_it_goes(tmp_path, suffix):
    render(bar(duration_s=2.0, background="noise"), tmp_path / f"whole.{suffix}", gop=10)
    source, pictures = read(corrupt.truncate(tmp_path / f"whole.{suffix}", tmp_path / f"part.{suffix}", 0.6))
    assert 20 <= len(pictures) < 45
    assert "part" in source.trouble
    assert "breaks off" in source.trouble


def test_a_picture_that_grows_beyond_the_limit_ends_the_file(tmp_path):
    render(bar(), tmp_path / "one.ts")
    render(bar(size=(480, 270)), tmp_path / "two.ts")
    joined = corrupt.concatenate(tmp_path / "joined.ts", tmp_path / "one.ts", tmp_path / "two.ts")
    source, pictures = read(joined, max_pixels=SIZE[0] * SIZE[1])
    assert {picture.frame.size for picture in pictures} == {SIZE}
    assert source.corrupt_packets >= 25
    assert "breaks off" in source.trouble
    assert "480" not in refusal(tmp_path / "one.ts", max_pixels=1000)


def test_pictures_outlive_their_source(plain):
    with open_file(plain, stream="clip") as source:
        first = next(iter(source))
        assert len(list(source)) == 24  # it is read once, from where it stands
    assert list(source) == []
    assert told_time(first) == 0


@pytest.mark.parametrize("name", ["cam:1.mp4", "ünï – 駅.mp4", "100%d [x] 'q'.mp4", "two\nlines.mp4", b"caf\xe9.mp4"])
def test_names_of_any_kind(plain, tmp_path, name):
    path = tmp_path / os.fsdecode(name)
    path.symlink_to(plain)
    assert len(read(path)[1]) == 25


def test_a_relative_name_that_looks_like_an_address(plain, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("http:").mkdir()
    Path("http:/clip.mp4").symlink_to(plain)
    assert len(read("http:/clip.mp4")[1]) == 25
    assert "no file" in refusal("http://127.0.0.1:9/clip.mp4")


def test_metadata_in_another_encoding(plain, tmp_path):
    path = tmp_path / "old.mkv"
    render(bar(duration_s=0.2), path)
    path.write_bytes(path.read_bytes().replace(b"Lavf", b"\xff\xfe\xe9\xe9"))
    assert len(read(path)[1]) == 5


def test_what_cannot_be_read_is_said_in_one_sentence(plain, tmp_path):
    empty, garbage, sound = tmp_path / "empty.mp4", tmp_path / "garbage.mp4", tmp_path / "sound.m4a"
    empty.touch()
    garbage.write_bytes(np.random.default_rng(0).bytes(20_000))
    os.mkfifo(tmp_path / "pipe")
    assert "no file" in refusal(tmp_path / "missing.mp4")
    assert "no file" in refusal(empty / "below.mp4")
    assert "directory" in refusal(tmp_path)
    assert "regular file" in refusal(tmp_path / "pipe")
    assert "empty" in refusal(empty)
    assert "not a video" in refusal(garbage)
    assert "no pictures" in refusal(corrupt.truncate(plain, tmp_path / "head.mp4", 0.02))
    assert "only sound" in refusal(corrupt.write_audio_only(sound))
    assert "embedded null" in refusal("a\0b")
    assert "File name too long" in refusal("x" * 300)
    assert repr("two\nlines.mp4") in refusal("two\nlines.mp4")


def test_a_file_with_no_frame_that_can_be_decoded(plain, tmp_path):
    data = plain.read_bytes()
    start = data.index(b"mdat") + 4
    (tmp_path / "hollow.mp4").write_bytes(data[:start] + bytes(len(data) - start))
    assert "No frame" in refusal(tmp_path / "hollow.mp4")


def test_a_file_that_may_not_be_read(plain, tmp_path):
    path = tmp_path / "secret.mp4"
    path.write_bytes(plain.read_bytes())
    path.chmod(0)
    user = os.geteuid()
    if user == 0:
        os.seteuid(65_534)
    try:
        assert "may not be read" in refusal(path)
    finally:
        os.seteuid(user)


@pytest.mark.parametrize("name", ["list.m3u8", "list.mp4"])
@pytest.mark.parametrize(
    "text",
    [
        "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:1.0,\nfile://{clip}\n#EXT-X-ENDLIST\n",
        "#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:1.0,\nhttp://127.0.0.1:9/seg.ts\n#EXT-X-ENDLIST\n",
        "ffconcat version 1.0\nfile {clip}\n",
        "\ufeff\n<?xml version='1.0'?><MPD xmlns='urn:mpeg:dash:schema:mpd:2011'></MPD>",
    ],
)
def test_playlists_are_refused(plain, tmp_path, name, text):
    (tmp_path / name).write_text(text.format(clip=plain))
    assert "playlist" in refusal(tmp_path / name)
