"""Decode stage for live sources: connections to a real RTSP camera, broken servers, HLS and files."""

import gc
import threading
import time
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise

import av
import pytest
from av.container import InputContainer
from stages.hostile_servers import drip, flood, garbage, redirect, serving, silent, web
from stages.live_harness import LIVE, NO_DROPS, Harness, down_reason

from stream_ocr.core.messages import StreamClosed
from stream_ocr.synthetic.scene import Scene, render


def test_live_stage_yields_the_first_frame_at_once_with_the_time_of_the_camera(camera, clip):
    started_s = time.monotonic()
    with Harness({"url": camera(clip).url}) as harness:
        harness.wait_until_up()
        assert time.monotonic() - started_s < 2  # 0.1 s on an idle machine
        harness.wait_until(lambda: harness.frames[-1].stamp.utc_source == "rtcp", 8)
        closed = harness.stop()
    stamps = [frame.stamp for frame in harness.frames]
    assert stamps[0].utc_source == "arrival"
    assert [stamp.seq for stamp in stamps] == list(range(len(stamps)))
    assert {round(b.time_s - a.time_s, 4) for a, b in pairwise(stamps)} == {0.04}
    for stamp in stamps:
        assert -0.1 < stamp.captured_ns / 1e9 - stamp.utc_ns / 1e9 < 1.0
    assert harness.kinds() == ["up"]
    assert (closed.reason, closed.counts["dropped"]) == ("interrupted", 0)
    assert closed.counts["frames"] >= len(stamps)


@pytest.mark.parametrize("transport", ["tcp", "udp"])
def test_live_stage_detects_a_dead_camera_at_once_and_reconnects(camera, clip, transport):
    gate = camera(clip)
    with Harness({"url": gate.url, "transport": transport}, live=NO_DROPS) as harness:
        harness.wait_until_up()
        harness.wait_for_frames(10)
        gate.kill()
        killed_s = time.monotonic()
        down = harness.wait_until_down(limit_s=5)
        assert time.monotonic() - killed_s < (1.5 if transport == "tcp" else 4)
        assert "ended the stream" in down.reason or "did not answer" in down.reason
        assert down.start_s == pytest.approx(harness.frames[-1].stamp.end_s)
        gate.restart()
        harness.wait_until_up(2, limit_s=LIVE["max_backoff_s"] + 2)
        harness.wait_for_frames(10)
    assert {frame.stamp.epoch for frame in harness.frames} == {0, 1}
    assert harness.media_time_increases()
    up = harness.changes[-1]
    assert (up.kind, up.epoch, up.utc_ns is not None) == ("up", 1, True)


@pytest.fixture
def without_collector() -> Iterator[None]:
    """Disable the garbage collector, so that cycles stay until they are collected explicitly."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.parametrize("transport", ["tcp", "udp"])
def test_live_stage_detects_a_frozen_camera(camera, clip, transport, without_collector):
    gate = camera(clip)
    with Harness({"url": gate.url, "transport": transport}) as harness:
        harness.wait_until_up()
        harness.wait_for_frames(10)
        gate.freeze()
        frozen_s = time.monotonic()
        down = harness.wait_until_down()
        assert time.monotonic() - frozen_s < 2 * LIVE["read_timeout_s"] + 4
        assert "did not answer for 0.5 s" in down.reason
        gate.thaw()
        harness.wait_until_up(2, limit_s=LIVE["max_backoff_s"] + 4)
        open_containers = [
            item for item in gc.get_objects() if issubclass(type(item), InputContainer)
        ]  # isinstance would load lazy modules, which then warn
        assert len(open_containers) == 1, "the previous connection is gone, with its decoder and frames"
    assert harness.media_time_increases()


def test_live_stage_reports_a_missing_camera_and_connects_later(camera, clip):
    gate = camera(clip)
    gate.kill()
    with Harness({"url": gate.url}) as harness:
        assert "refuses connections" in harness.wait_until_down().reason
        gate.restart()
        harness.wait_until_up(limit_s=LIVE["max_backoff_s"] + 2)


@pytest.mark.parametrize("digest", [False, True])
def test_live_stage_reports_a_wrong_password_without_revealing_it(camera, clip, digest):
    gate = camera(clip, user="operator", password="s3cr%40t", digest=digest)
    plain = gate.url.replace("s3cr%40t", "wr0ng")
    reason = down_reason(Harness({"url": plain}))
    assert "rejects the user name or password" in reason
    assert "wr0ng" not in reason
    right = camera(clip, user="operator", password="s3cr3t", digest=digest)
    with Harness({"url": right.url}) as harness:
        harness.wait_until_up()


def test_live_stage_retries_rarely_after_a_wrong_password(camera, clip):
    gate = camera(clip, user="operator", password="s3cr3t")
    with Harness({"url": gate.url.replace("s3cr3t", "wr0ng")}) as harness:
        harness.wait_until_down()
        time.sleep(1.0)  # ten times the first pause
        assert harness.stop().counts["connections"] == 1


def test_live_stage_reports_a_wrong_path_and_a_wrong_transport(camera, clip):
    assert "no such path" in down_reason(Harness({"url": camera(clip).url.replace("/live", "/other")}))
    only_tcp = camera(clip, transports=["tcp"])
    assert "transport" in down_reason(Harness({"url": only_tcp.url, "transport": "udp"}))


def test_live_stage_does_not_count_a_silent_camera_as_up(camera, clip):
    gate = camera(clip)
    gate.do("mute")
    assert down_reason(Harness({"url": gate.url}))


def test_live_stage_counts_a_camera_without_decodable_frames_as_down(camera, clip):
    gate = camera(clip)
    with Harness({"url": gate.url}) as harness:
        harness.wait_until_up()
        gate.do("blank")
        assert "no frame for 3 s" in harness.wait_until_down().reason


@pytest.mark.parametrize("handle", [silent, garbage, flood, drip, web, redirect])
def test_live_stage_survives_servers_that_are_no_cameras(handle):
    with serving(handle) as port:
        started_s = time.monotonic()
        with Harness({"url": f"rtsp://operator:s3cr3t@127.0.0.1:{port}/live"}) as harness:
            down = harness.wait_until_down()
            assert time.monotonic() - started_s < 2 * LIVE["connect_timeout_s"] + 2
            assert "s3cr3t" not in down.reason
            time.sleep(0.5)
            assert harness.stop().counts["connections"] <= 4, "the pauses grow"


def test_live_stage_plays_a_file_in_real_time_and_ends(clip):
    started_s = time.monotonic()
    with Harness({"path": str(clip)}, live=NO_DROPS) as harness:
        harness.wait_until(lambda: isinstance(harness.messages[-1][1], StreamClosed) if harness.messages else False, 20)
    assert 3.5 < time.monotonic() - started_s < 10
    assert harness.kinds() == ["up", "down"]
    assert harness.changes[-1].reason == "The file has ended."
    times = [frame.stamp.time_s for frame in harness.frames]
    assert times == pytest.approx([0.04 * n for n in range(100)], abs=1e-4)
    assert harness.messages[-1][1].reason == "end"


def test_live_stage_plays_a_file_again_if_it_loops(tmp_path):
    render(Scene((), 1.0, (320, 180)), tmp_path / "short.mp4")
    with Harness({"path": str(tmp_path / "short.mp4"), "loop": True}, live=NO_DROPS) as harness:
        harness.wait_until(lambda: harness.kinds().count("up") == 3, 20)
        assert harness.stop().reason == "interrupted"
    assert harness.kinds()[:5] == ["up", "down", "up", "down", "up"]
    frames = [frame.stamp for frame in harness.frames]
    rounds = [[stamp.time_s for stamp in frames if stamp.epoch == epoch] for epoch in (0, 1)]
    assert [len(times) for times in rounds] == [25, 25]
    assert rounds[1][0] >= rounds[0][-1] + 0.04 - 1e-6, "media time goes on"


def test_live_stage_ends_with_a_looping_file_that_cannot_be_read(tmp_path):
    (tmp_path / "broken.mp4").write_bytes(b"no video")
    with Harness({"path": str(tmp_path / "broken.mp4"), "loop": True}) as harness:
        harness.wait_until(lambda: isinstance(harness.messages[-1][1], StreamClosed) if harness.messages else False, 20)
    assert harness.kinds() == ["down"]


def test_live_stage_plays_a_file_with_offset_and_variable_frame_rate(tmp_path):
    starts = (0.0, 0.04, 0.1, 0.5, 0.52, 0.9)
    render(Scene((), 1.0, (320, 180), frame_times=starts, start_s=5.0), tmp_path / "uneven.mkv")
    with Harness({"path": str(tmp_path / "uneven.mkv")}, live=NO_DROPS) as harness:
        harness.wait_until(lambda: isinstance(harness.messages[-1][1], StreamClosed) if harness.messages else False, 20)
    assert [frame.stamp.time_s for frame in harness.frames] == pytest.approx(starts, abs=2e-3)


def test_live_stage_reports_a_missing_file(tmp_path):
    with Harness({"path": str(tmp_path / "none.mp4")}) as harness:
        harness.wait_until(lambda: isinstance(harness.messages[-1][1], StreamClosed) if harness.messages else False, 20)
    assert "There is no file" in harness.changes[0].reason


def test_live_stage_does_not_connect_outside_of_the_active_hours(camera, clip):
    minute = time.localtime().tm_hour * 60 + time.localtime().tm_min
    start, end = ((minute + after) % 1440 for after in (120, 180))
    hours = f"{start // 60:02}:{start % 60:02}-{end // 60:02}:{end % 60:02}"
    with Harness({"url": camera(clip).url, "active": [hours]}) as harness:
        assert "active hours" in harness.wait_until_down().reason
        assert harness.stop().counts["connections"] == 0


def test_live_stage_ignores_changes_behind_a_mask(clip):
    everything = [[0, 0], [1, 0], [1, 1], [0, 1]]
    with Harness({"path": str(clip), "masks": [everything]}) as harness:
        harness.wait_until(lambda: isinstance(harness.messages[-1][1], StreamClosed) if harness.messages else False, 20)
    assert {frame.action for frame in harness.frames} == {"skip"}


def test_live_stage_plays_hls_in_real_time_and_reconnects(clip, tmp_path):
    """HLS: a playlist of segments that ends; then the source reconnects."""
    options = {"hls_time": "1"}
    with av.open(str(clip)) as given, av.open(str(tmp_path / "live.m3u8"), "w", format="hls", options=options) as made:
        copy = made.add_stream_from_template(given.streams.video[0])
        for packet in given.demux(video=0):
            if packet.dts is not None:
                packet.stream = copy
                made.mux(packet)
    handler = partial(Quiet, directory=str(tmp_path))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.1,), daemon=True).start()
        with Harness({"url": f"http://127.0.0.1:{server.server_address[1]}/live.m3u8"}) as harness:
            harness.wait_until_up()
            started_s = time.monotonic()
            harness.wait_for_frames(60, limit_s=20)
            assert time.monotonic() - started_s > 1.5
            harness.wait_until_up(2, limit_s=20)
        server.shutdown()
    assert harness.media_time_increases()
    assert {frame.stamp.utc_source for frame in harness.frames} == {"arrival"}


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_arguments: object) -> None:
        """Keep standard error quiet."""
