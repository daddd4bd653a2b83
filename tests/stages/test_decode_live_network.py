"""Decode stage for live sources: TLS, IPv6, name resolution, and a stream whose codec changes."""

import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from stages.hostile_servers import serving
from stages.live_harness import Harness, down_reason

from stream_ocr.synthetic.scene import Scene, render

HERE = Path(__file__).parents[1]


@pytest.mark.parametrize("checked", [False, True])
def test_live_stage_reads_rtsps(camera, clip, certificate, tmp_path, checked):
    both = tmp_path / "both.pem"
    both.write_bytes(b"".join(file.read_bytes() for file in certificate))
    source = {"url": camera(clip, certificate=str(both)).url, "ca_file": str(certificate[0]) if checked else None}
    with Harness(source) as harness:
        harness.wait_until_up()
        harness.wait_for_frames(10)
    assert harness.media_time_increases()


def test_live_stage_refuses_a_camera_with_another_certificate(camera, clip, certificate, another_certificate, tmp_path):
    both = tmp_path / "both.pem"
    both.write_bytes(b"".join(file.read_bytes() for file in certificate))
    url = camera(clip, certificate=str(both)).url
    reason = down_reason(Harness({"url": url, "ca_file": str(another_certificate)}))
    assert reason.endswith("as with a certificate that is not trusted).")
    reason = down_reason(Harness({"url": url, "ca_file": str(tmp_path / "none.pem")}))
    assert "there is no file" in reason


def test_live_stage_reads_over_ipv6(camera, clip):
    with Harness({"url": camera(clip, host="::1").url}) as harness:
        harness.wait_until_up()
        harness.wait_for_frames(10)
    assert harness.media_time_increases()


def test_live_stage_reports_a_name_that_nobody_knows():
    reason = down_reason(Harness({"url": "rtsp://camera.invalid/live"}))
    assert reason.startswith("camera.invalid cannot be reached (its name is unknown")


STUCK = """
import threading, time
from stages.live_harness import Harness
with Harness({"url": "rtsp://camera.example/live"}) as harness:
    time.sleep(1.0)
    print(harness.kinds(), harness.stop().reason)
"""


@pytest.mark.skipif(os.geteuid() != 0 or shutil.which("unshare") is None, reason="needs root and util-linux")
def test_live_stage_stops_while_name_resolution_hangs(tmp_path):
    """A name server that never answers: the system waits for half a minute, and cannot be interrupted."""
    resolver = tmp_path / "resolv.conf"
    resolver.write_text("nameserver 127.0.0.77\noptions timeout:30 attempts:1\n")
    program = ["sh", "-c", 'mount --bind "$0" /etc/resolv.conf && exec "$@"', resolver, sys.executable, "-c", STUCK]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(HERE), *filter(None, sys.path)])}
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        try:
            server.bind(("127.0.0.77", 53))
        except OSError:
            pytest.skip("needs the port of name servers")
        done = subprocess.run(
            ["unshare", "-m", *program], env=environment, capture_output=True, text=True, timeout=25, check=False
        )
        server.settimeout(1.0)
        assert b"camera" in server.recv(512)
    assert (done.stdout.strip(), done.stderr) == ("[] interrupted", "")


def test_live_stage_reconnects_when_the_codec_changes_within_a_stream(tmp_path):
    """MPEG-TS over HTTP whose H.264 becomes H.265, as after a change in the camera's menu."""
    parts = [tmp_path / "h264.ts", tmp_path / "h265.ts"]
    for part, codec in zip(parts, ("libx264", "libx265"), strict=True):
        render(Scene((), 1.0, (320, 180)), part, codec=codec, gop=25)
    connections = []

    def talk(peer: socket.socket) -> None:
        connections.append(peer.recv(4096))
        peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: video/mp2t\r\n\r\n")
        for part in [*parts[: 2 - len(connections)], *[parts[1]] * 30]:  # H.264 only once
            data = part.read_bytes()
            step = len(data) // 10
            for start in range(0, len(data), step):
                peer.sendall(data[start : start + step])
                time.sleep(0.1)

    live = {"frame_timeout_s": 2.0}  # half of it for each packet, also on a busy machine
    with serving(talk) as port, Harness({"url": f"http://127.0.0.1:{port}/live.ts"}, live=live) as harness:
        harness.wait_until_up(2, limit_s=20)
        harness.wait_for_frames(10)
    assert harness.kinds()[:3] == ["up", "down", "up"]
    assert next(change.reason for change in harness.changes if change.kind == "down").endswith("no frame for 2 s.")
    assert harness.media_time_increases()
