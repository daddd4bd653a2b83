"""File source: video files of every awkward kind, generated with PyAV."""

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

SPEED = 100  # pixels per second of the white bar that shows the time
SIZE = (320, 180)


def bar(**change) -> Scene:
    """Return a scene with a white bar, 20 pixels wide, whose left edge is at 8 + 100 × time."""
    edge = Text("I", -1, 99, lambda t: (14 + SPEED * t, 40), height=20, outline=None, panel=(255, 255, 255))
    return Scene(**{"texts": (edge,), "duration_s": 1.0, "size": SIZE, "background": "black"} | change)


def shown_time(decoded) -> float:
    """Return the time that the white bar of a frame shows."""
    return (int(np.argmax(decoded.frame.y[40] > 120)) - 8) / SPEED


def read(path, **options):
    with open_file(path, stream="clip", **options) as source:
        return source, list(source)


def error_of(path, **options) -> str:
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


def test_file_source_yields_every_frame_once_with_its_time(plain):
    source, frames = read(plain)
    stamps = [decoded.stamp for decoded in frames]
    assert [stamp.time_s for stamp in stamps] == [i / 25 for i in range(25)]
    assert [stamp.end_s for stamp in stamps] == [(i + 1) / 25 for i in range(25)]
    assert [stamp.seq for stamp in stamps] == list(range(25))
    assert {(stamp.stream, stamp.epoch) for stamp in stamps} == {("clip", 0)}
    assert all(later.captured_ns >= earlier.captured_ns for earlier, later in pairwise(stamps))
    assert not any(decoded.damaged for decoded in frames)
    assert (source.size, source.start_s, source.duration_s, source.frame_count_hint) == (SIZE, 0.0, 1.0, 25)
    assert (source.corrupt_packets, source.failure) == (0, None)


def test_file_source_yields_b_frames_in_presentation_order(plain):
    _, frames = read(plain)
    assert [shown_time(decoded) for decoded in frames] == pytest.approx([i / 25 for i in range(25)], abs=0.011)


@pytest.mark.parametrize("suffix", ["mkv", "mp4"])
def test_file_source_keeps_the_times_of_a_variable_frame_rate(tmp_path, suffix):
    scene = bar(frame_times=(0, 0.011, 0.4, 0.5, 0.533, 0.9))
    render(scene, tmp_path / f"vfr.{suffix}")
    _, frames = read(tmp_path / f"vfr.{suffix}")
    assert [decoded.stamp.time_s for decoded in frames] == pytest.approx(scene.frame_times)
    assert [decoded.stamp.end_s for decoded in frames][:-1] == pytest.approx(scene.frame_times[1:])
    assert [shown_time(decoded) for decoded in frames] == pytest.approx(scene.frame_times, abs=0.011)


@pytest.mark.parametrize(("suffix", "start_s"), [("ts", 5.5), ("mkv", 5.5), ("mp4", 5.5), ("ts", -3.0)])
def test_file_source_keeps_a_non_zero_start(tmp_path, suffix, start_s):
    render(bar(start_s=start_s), tmp_path / f"late.{suffix}")
    source, frames = read(tmp_path / f"late.{suffix}")
    assert source.start_s == start_s
    assert source.duration_s == pytest.approx(1.0)
    assert [p.stamp.time_s for p in frames] == pytest.approx([start_s + i / 25 for i in range(25)])
    assert frames[-1].stamp.end_s == pytest.approx(start_s + 1)
    assert source.failure is None


@pytest.mark.parametrize(("name", "codec"), [("raw.h264", "libx264"), ("old.avi", "mpeg4")])
def test_file_source_computes_missing_presentation_times(tmp_path, name, codec):
    render(bar(), tmp_path / name, codec=codec)
    _, frames = read(tmp_path / name)
    assert [decoded.stamp.time_s for decoded in frames] == pytest.approx([i / 25 for i in range(25)])


@pytest.mark.parametrize(("degrees", "corner"), [(0, (0, 0)), (90, (0, -1)), (180, (-1, -1)), (270, (-1, 0))])
def test_file_source_rotates_frames_upright(tmp_path, degrees, corner):
    mark = Text("I", 0, 9, (14, 14), height=40, outline=None, panel=(255, 255, 255))
    render(Scene((mark,), 0.2, (321, 179), background="black"), tmp_path / "flat.mp4", codec="mpeg4")
    source, frames = read(corrupt.set_rotation(tmp_path / "flat.mp4", tmp_path / "turned.mp4", degrees))
    width, height = (179, 321) if degrees in (90, 270) else (321, 179)
    frame = frames[0].frame
    assert source.size == frame.size == (width, height)
    assert frame.u.shape == frame.v.shape == ((height + 1) // 2, (width + 1) // 2)
    quarters = {
        (r, c): frame.y[:: 1 if r == 0 else -1, :: 1 if c == 0 else -1][:60, :40] for r in (0, -1) for c in (0, -1)
    }
    assert max(quarters, key=lambda place: quarters[place].mean()) == corner


@pytest.mark.parametrize(("name", "codec"), [("odd.mp4", "mpeg4"), ("odd.webm", "libvpx")])
def test_file_source_accepts_odd_sizes(tmp_path, name, codec):
    render(bar(size=(641, 359), duration_s=0.2), tmp_path / name, codec=codec)
    source, frames = read(tmp_path / name)
    assert source.size == (641, 359)
    assert frames[0].frame.y.shape == (359, 641)
    assert frames[0].frame.u.shape == frames[0].frame.v.shape == (180, 321)
    assert shown_time(frames[3]) == pytest.approx(0.12, abs=0.011)


@pytest.mark.parametrize(
    ("codec", "pixels", "full_range"),
    [("mjpeg", "yuvj420p", True), ("mjpeg", "yuvj422p", True), ("ffv1", "yuv444p", False), ("ffv1", "bgr0", False)],
)
def test_file_source_converts_pixel_formats_to_420(tmp_path, codec, pixels, full_range):
    path = tmp_path / "clip.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, pixels
        frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 255, np.uint8), format="rgb24")
        frame.pts, frame.time_base = 0, Fraction(1, 25)
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    _, frames = read(path)
    frame = frames[0].frame
    assert (frame.y.shape, frame.u.shape, frame.full_range) == ((48, 64), (24, 32), full_range)
    assert abs(int(frame.y[20, 20]) - (255 if full_range else 235)) <= 2


def test_file_source_starts_a_new_epoch_in_concatenated_recordings(tmp_path):
    render(bar(start_s=7.0), tmp_path / "one.ts")
    render(bar(size=(480, 270)), tmp_path / "two.ts")
    _, frames = read(corrupt.concatenate(tmp_path / "joined.ts", tmp_path / "one.ts", tmp_path / "two.ts"))
    stamps = [decoded.stamp for decoded in frames]
    assert [stamp.time_s for stamp in stamps] == pytest.approx([7 + i / 25 for i in range(50)])
    assert [(stamp.epoch, stamp.seq) for stamp in stamps] == [(e, i) for e in (0, 1) for i in range(25)]
    assert [decoded.frame.size for decoded in frames] == [SIZE] * 25 + [(480, 270)] * 25
    assert not any(decoded.damaged for decoded in frames[25:])


def test_file_source_marks_damage_until_the_next_key_frame(tmp_path):
    render(bar(duration_s=2.0, background="noise"), tmp_path / "good.mkv", gop=10)
    source, frames = read(corrupt.damage(tmp_path / "good.mkv", tmp_path / "bad.mkv", 12, first=0.44, last=0.5))
    marks = [decoded.damaged for decoded in frames]
    assert 2 <= sum(marks) <= 20
    assert marks[0] is marks[-1] is False
    assert [decoded.stamp.seq for decoded in frames] == list(range(len(frames)))
    assert source.failure is None


@pytest.mark.parametrize("suffix", ["mp4", "mkv"])
def test_file_source_reads_a_truncated_file_to_its_end(tmp_path, suffix):
    render(bar(duration_s=2.0, background="noise"), tmp_path / f"whole.{suffix}", gop=10)
    source, frames = read(corrupt.truncate(tmp_path / f"whole.{suffix}", tmp_path / f"part.{suffix}", 0.6))
    assert 20 <= len(frames) < 45
    assert "part" in source.failure
    assert "breaks off" in source.failure


def test_file_source_ends_where_frames_grow_beyond_the_limit(tmp_path):
    render(bar(), tmp_path / "one.ts")
    render(bar(size=(480, 270)), tmp_path / "two.ts")
    joined = corrupt.concatenate(tmp_path / "joined.ts", tmp_path / "one.ts", tmp_path / "two.ts")
    source, frames = read(joined, max_pixels=SIZE[0] * SIZE[1])
    assert {decoded.frame.size for decoded in frames} == {SIZE}
    assert source.corrupt_packets >= 25
    assert "breaks off" in source.failure
    assert "480" not in error_of(tmp_path / "one.ts", max_pixels=1000)


def test_frames_stay_valid_after_their_source_is_closed(plain):
    with open_file(plain, stream="clip") as source:
        first = next(iter(source))
        assert len(list(source)) == 24  # iteration continues where it stopped
    assert list(source) == []
    assert shown_time(first) == 0


@pytest.mark.parametrize("name", ["cam:1.mp4", "ünï – 駅.mp4", "100%d [x] 'q'.mp4", "two\nlines.mp4", b"caf\xe9.mp4"])
def test_open_file_accepts_unusual_names(plain, tmp_path, name):
    path = tmp_path / os.fsdecode(name)
    path.symlink_to(plain)
    assert len(read(path)[1]) == 25


def test_open_file_treats_the_name_of_a_file_that_looks_like_an_address_as_a_path(plain, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("http:").mkdir()
    Path("http:/clip.mp4").symlink_to(plain)
    assert len(read("http:/clip.mp4")[1]) == 25
    assert "is an address" in error_of("rtsp://127.0.0.1:9/clip.mp4")


def test_open_file_accepts_metadata_in_another_encoding(plain, tmp_path):
    path = tmp_path / "old.mkv"
    render(bar(duration_s=0.2), path)
    path.write_bytes(path.read_bytes().replace(b"Lavf", b"\xff\xfe\xe9\xe9"))
    assert len(read(path)[1]) == 5


def test_open_file_reports_unreadable_files_in_one_sentence(plain, tmp_path):
    empty, garbage, sound = tmp_path / "empty.mp4", tmp_path / "garbage.mp4", tmp_path / "sound.m4a"
    empty.touch()
    garbage.write_bytes(np.random.default_rng(0).bytes(20_000))
    os.mkfifo(tmp_path / "pipe")
    assert "no file" in error_of(tmp_path / "missing.mp4")
    assert "no file" in error_of(empty / "below.mp4")
    assert "directory" in error_of(tmp_path)
    assert "regular file" in error_of(tmp_path / "pipe")
    assert "empty" in error_of(empty)
    assert "not a video" in error_of(garbage)
    assert "no video" in error_of(corrupt.truncate(plain, tmp_path / "head.mp4", 0.02))
    assert "only audio" in error_of(corrupt.write_audio_only(sound))
    assert "embedded null" in error_of("a\0b")
    assert "File name too long" in error_of("x" * 300)
    assert repr("two\nlines.mp4") in error_of("two\nlines.mp4")


def test_open_file_rejects_a_file_without_a_decodable_frame(plain, tmp_path):
    data = plain.read_bytes()
    start = data.index(b"mdat") + 4
    (tmp_path / "hollow.mp4").write_bytes(data[:start] + bytes(len(data) - start))
    assert "No frame" in error_of(tmp_path / "hollow.mp4")


def test_open_file_rejects_a_file_without_read_permission(plain, tmp_path):
    path = tmp_path / "secret.mp4"
    path.write_bytes(plain.read_bytes())
    path.chmod(0)
    user = os.geteuid()
    if user == 0:
        os.seteuid(65_534)
    try:
        assert "cannot be read" in error_of(path)
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
def test_open_file_rejects_playlists(plain, tmp_path, name, text):
    (tmp_path / name).write_text(text.format(clip=plain))
    assert "playlist" in error_of(tmp_path / name)


@pytest.mark.parametrize("size", [(1, 1), (3, 5), (16000, 1), (15, 640)])
def test_open_file_refuses_frames_without_room_for_text(tmp_path, size):
    path = tmp_path / "tiny.mov"
    width, height = size
    with av.open(str(path), "w") as container:
        stream = container.add_stream("png", rate=10, width=width, height=height, pix_fmt="rgb24")
        for value in (0, 255, 0):
            pixels = np.full((height, width, 3), value, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels)))
        container.mux(stream.encode())
    assert f"has frames of {width}×{height}, in which no text can be read" in error_of(path)
