"""Live sources under faults: a real RTSP camera, real broken servers, and the stage that watches them.

Time-outs are short here, so that the tests are; the bounds are those of the defaults, scaled.
"""

import contextlib
import gc
import os
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest
from av.container import InputContainer

from stream_ocr.config.settings import Settings
from stream_ocr.core.frame import frame_in_buffer
from stream_ocr.core.messages import FrameRef, Message, SourceChanged, StreamClosed
from stream_ocr.runtime.shm_ring import Ring
from stream_ocr.sources.files import open_file
from stream_ocr.stages.decode_live import LiveDecodeStage, LoadShedder
from stream_ocr.synthetic.scene import Scene, Text, clock, linear_path, render

SIZE = (640, 360)
LIVE = {
    "connect_timeout_s": 1.0,
    "read_timeout_s": 0.5,
    "frame_timeout_s": 3.0,
    "min_backoff_s": 0.1,
    "max_backoff_s": 5.0,
}
NEVER_STALE = {"max_latency_s": 20.0}
"""For tests of which pictures there are: a busy machine may hold them up for a second."""
SCENE = Scene(
    (
        Text(clock("12:34:56"), 0, 4, (40, 24), height=28, outline=None, panel=(20, 20, 28)),
        Text("PLATFORM", 0, 4, linear_path(0, (40, 170), 4, (420, 120)), height=30),
    ),
    4.0,
    SIZE,
)


class Watcher:
    """Runs a stage in a thread, and keeps what it says, with the monotonic time; slots are given back at once."""

    def __init__(self, source: dict, *, slots: int = 12, release: bool = True, **settings: object) -> None:
        told = {"sources": {"gate": source}, **settings}
        told["live"] = {**LIVE, **told.get("live", {})}
        self.ring = Ring.anonymous(slots, 4 << 20)
        self.said: list[tuple[float, Message]] = []
        self.lumas: list[np.ndarray] = []
        self.filled: list[int] = []  # fillings of the ring when each message was said
        self.hold = threading.Event()
        self._release = release
        self._news = threading.Condition()
        self._stop = threading.Event()
        self._stage = LiveDecodeStage("gate", Settings.model_validate(told), self.ring)
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> "Watcher":
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.stop()

    def stop(self) -> StreamClosed:
        """Stop, and what was said last."""
        self._stop.set()
        self._thread.join(10)
        assert not self._thread.is_alive()
        closed = self.said[-1][1]
        assert isinstance(closed, StreamClosed)
        return closed

    def _run(self) -> None:
        with self._stage as stage:
            for message in stage.run(self._stop.is_set):
                if isinstance(message, FrameRef) and message.slot is not None:
                    self.lumas.append(frame_in_buffer(self.ring.view(message.slot), message.size).y[::4, ::4].copy())
                    if self._release:
                        self.ring.release(message.slot)
                with self._news:
                    self.filled.append(self.ring.filled)
                    self.said.append((time.monotonic(), message))
                    self._news.notify_all()
                while self.hold.is_set() and not self._stop.is_set():
                    time.sleep(0.01)

    def until(self, wanted: Callable[[], object], limit_s: float) -> object:
        """What ``wanted`` gives as soon as it is true."""
        with self._news:
            assert self._news.wait_for(wanted, limit_s), f"not within {limit_s} s; last: {self.said[-3:]}"
            return wanted()

    @property
    def frames(self) -> list[FrameRef]:
        return [message for _, message in self.said if isinstance(message, FrameRef)]

    @property
    def changes(self) -> list[SourceChanged]:
        return [message for _, message in self.said if isinstance(message, SourceChanged)]

    def kinds(self) -> list[str]:
        return [change.kind for change in self.changes]

    def comes_up(self, times: int = 1, limit_s: float = 8.0) -> None:
        """Until it has come up so often and shows pictures."""
        self.until(lambda: self.kinds().count("up") >= times and isinstance(self.said[-1][1], FrameRef), limit_s)

    def goes_down(self, times: int = 1, limit_s: float = 8.0) -> SourceChanged:
        self.until(lambda: self.kinds().count("down") >= times, limit_s)
        return next(change for change in self.changes if change.kind == "down")

    def shows(self, more: int, limit_s: float = 8.0) -> None:
        """Until so many more frames have come."""
        enough = len(self.frames) + more
        self.until(lambda: len(self.frames) >= enough, limit_s)

    def rises(self) -> bool:
        """Whether media time has risen all the time."""
        return all(a.stamp.pts < b.stamp.pts for a, b in pairwise(self.frames))


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four seconds with a key frame every second."""
    path = tmp_path_factory.mktemp("watch") / "clip.mp4"
    render(SCENE, path, gop=25)
    return path


def test_the_first_picture_comes_at_once_and_time_is_that_of_the_camera(camera, clip):
    began_s = time.monotonic()
    with Watcher({"url": camera(clip).url}) as watcher:
        watcher.comes_up()
        assert time.monotonic() - began_s < 2  # 0.1 s on an idle machine
        watcher.until(lambda: watcher.frames[-1].stamp.utc_source == "rtcp", 8)
        closed = watcher.stop()
    stamps = [frame.stamp for frame in watcher.frames]
    assert stamps[0].utc_source == "arrival"
    assert [stamp.seq for stamp in stamps] == list(range(len(stamps)))
    assert {round(b.time_s - a.time_s, 4) for a, b in pairwise(stamps)} == {0.04}
    for stamp in stamps:
        assert -0.1 < stamp.captured_ns / 1e9 - stamp.utc_ns / 1e9 < 1.0
    assert watcher.kinds() == ["up"]
    assert (closed.reason, closed.counts["dropped"]) == ("interrupted", 0)
    assert closed.counts["frames"] >= len(stamps)


@pytest.mark.parametrize("transport", ["tcp", "udp"])
def test_a_camera_that_dies_is_noticed_at_once_and_taken_back_when_it_returns(camera, clip, transport):
    gate = camera(clip)
    with Watcher({"url": gate.url, "transport": transport}, live=NEVER_STALE) as watcher:
        watcher.comes_up()
        watcher.shows(10)
        gate.kill()
        killed_s = time.monotonic()
        down = watcher.goes_down(limit_s=5)
        assert time.monotonic() - killed_s < (1.5 if transport == "tcp" else 4)
        assert "ended the stream" in down.reason or "did not answer" in down.reason
        assert down.start_s == pytest.approx(watcher.frames[-1].stamp.end_s)
        gate.restart()
        watcher.comes_up(2, limit_s=LIVE["max_backoff_s"] + 2)
        watcher.shows(10)
    assert {frame.stamp.epoch for frame in watcher.frames} == {0, 1}
    assert watcher.rises()
    up = watcher.changes[-1]
    assert (up.kind, up.epoch, up.utc_ns is not None) == ("up", 1, True)


@pytest.fixture
def without_collector() -> Iterator[None]:
    """What lies in cycles stays unless somebody asks for its collection."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.parametrize("transport", ["tcp", "udp"])
def test_a_camera_that_freezes_is_noticed(camera, clip, transport, without_collector):
    gate = camera(clip)
    with Watcher({"url": gate.url, "transport": transport}) as watcher:
        watcher.comes_up()
        watcher.shows(10)
        gate.freeze()
        frozen_s = time.monotonic()
        down = watcher.goes_down()
        assert time.monotonic() - frozen_s < 2 * LIVE["read_timeout_s"] + 4
        assert "did not answer for 0.5 s" in down.reason
        gate.thaw()
        watcher.comes_up(2, limit_s=LIVE["max_backoff_s"] + 4)
        open_ones = [
            thing for thing in gc.get_objects() if issubclass(type(thing), InputContainer)
        ]  # isinstance asks lazy modules of others, which then warn
        assert len(open_ones) == 1, "the connection before is gone, with its decoder and pictures"
    assert watcher.rises()


def refused(watcher: Watcher) -> str:
    """Why a source is down that was never up."""
    with watcher:
        down = watcher.goes_down()
        assert watcher.kinds()[0] == "down"
        assert not watcher.frames
        closed = watcher.stop()
    assert (closed.reason, closed.counts["frames"]) == ("interrupted", 0)
    return down.reason


def test_a_camera_that_is_not_there(camera, clip):
    gate = camera(clip)
    gate.kill()
    with Watcher({"url": gate.url}) as watcher:
        assert "Nobody listens" in watcher.goes_down().reason
        gate.restart()
        watcher.comes_up(limit_s=LIVE["max_backoff_s"] + 2)


@pytest.mark.parametrize("digest", [False, True])
def test_a_password(camera, clip, digest):
    gate = camera(clip, user="operator", password="s3cr%40t", digest=digest)
    plain = gate.url.replace("s3cr%40t", "wr0ng")
    reason = refused(Watcher({"url": plain}))
    assert "refuses the user or the password" in reason
    assert "wr0ng" not in reason
    right = camera(clip, user="operator", password="s3cr3t", digest=digest)
    with Watcher({"url": right.url}) as watcher:
        watcher.comes_up()


def test_after_a_wrong_password_it_is_tried_again_seldom(camera, clip):
    gate = camera(clip, user="operator", password="s3cr3t")
    with Watcher({"url": gate.url.replace("s3cr3t", "wr0ng")}) as watcher:
        watcher.goes_down()
        time.sleep(1.0)  # ten times the first pause
        assert watcher.stop().counts["connections"] == 1


def test_a_wrong_path_and_a_wrong_transport(camera, clip):
    assert "no such path" in refused(Watcher({"url": camera(clip).url.replace("/live", "/other")}))
    only_tcp = camera(clip, transports=["tcp"])
    assert "transport" in refused(Watcher({"url": only_tcp.url, "transport": "udp"}))


def test_a_camera_that_plays_and_sends_nothing_is_not_up(camera, clip):
    gate = camera(clip)
    gate.do("mute")
    assert refused(Watcher({"url": gate.url}))


def test_a_camera_that_sends_no_pictures_is_down_though_packets_come(camera, clip):
    gate = camera(clip)
    with Watcher({"url": gate.url}) as watcher:
        watcher.comes_up()
        gate.do("blank")
        assert "no picture for 3 s" in watcher.goes_down().reason


def silent(peer: socket.socket) -> None:
    peer.recv(1)
    time.sleep(20)


def garbage(peer: socket.socket) -> None:
    while True:
        peer.sendall(os.urandom(4096))
        time.sleep(0.01)


def flood(peer: socket.socket) -> None:
    peer.sendall(b"RTSP/1.0 200 OK\r\n")
    while True:
        peer.sendall(b"A" * 4096)


def drip(peer: socket.socket) -> None:
    for byte in b"RTSP/1.0 200 OK\r\nCSeq: 1\r\nPublic: OPTIONS\r\n" * 9:
        peer.sendall(bytes([byte]))
        time.sleep(0.2)


def web(peer: socket.socket) -> None:
    peer.recv(4096)
    peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<html>login</html>")


def redirect(peer: socket.socket) -> None:
    peer.recv(4096)
    peer.sendall(b"RTSP/1.0 302 Found\r\nCSeq: 1\r\nLocation: file:///etc/passwd\r\n\r\n")


@contextlib.contextmanager
def serving(handle: Callable[[socket.socket], None]) -> Iterator[int]:
    """A server for everyone who comes; its port."""
    listener = socket.create_server(("127.0.0.1", 0))
    peers: list[socket.socket] = []

    def talk(peer: socket.socket) -> None:
        with contextlib.suppress(OSError), peer:
            handle(peer)

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                peers.append(listener.accept()[0])
                threading.Thread(target=talk, args=(peers[-1],), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    with listener:
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
    for peer in peers:
        with contextlib.suppress(OSError):
            peer.shutdown(socket.SHUT_RDWR)


@pytest.mark.parametrize("handle", [silent, garbage, flood, drip, web, redirect])
def test_servers_that_are_no_cameras(handle):
    with serving(handle) as port:
        began_s = time.monotonic()
        with Watcher({"url": f"rtsp://operator:s3cr3t@127.0.0.1:{port}/live"}) as watcher:
            down = watcher.goes_down()
            assert time.monotonic() - began_s < 2 * LIVE["connect_timeout_s"] + 2
            assert "s3cr3t" not in down.reason
            time.sleep(0.5)
            assert watcher.stop().counts["connections"] <= 4, "the pauses grow"


def spoilt(watcher: Watcher, clip: Path) -> int:
    """Pictures that were not called damaged, and are none of the clip's."""
    truth = [picture.frame.y[::4, ::4].astype(np.int16) for picture in open_file(clip, stream="clip")]
    nearest = (min((np.abs(picture - luma) for picture in truth), key=np.mean) for luma in watcher.lumas)
    return sum((difference > 30).mean() > 0.002 for difference in nearest)


@pytest.mark.parametrize(
    "network",
    [
        "identity drop-probability=0.02",
        "netsim drop-probability=0.01 delay-probability=0.2 min-delay=5 max-delay=60 allow-reordering=true",
    ],
)
def test_what_lost_packets_spoil_is_not_looked_at(camera, clip, network):
    with Watcher({"url": camera(clip, network=network).url, "transport": "udp"}) as watcher:
        watcher.comes_up()
        watcher.until(lambda: sum(frame.damaged for frame in watcher.frames) > 5, 30)
        watcher.shows(120, limit_s=20)
        closed = watcher.stop()
    assert closed.counts["corrupt"] > 0
    assert not all(frame.damaged for frame in watcher.frames)
    assert spoilt(watcher, clip) <= 0.05 * len(watcher.frames)
    assert watcher.kinds().count("up") == 1
    assert watcher.rises()


def test_most_of_what_doubled_packets_spoil_is_not_looked_at(camera, clip):
    gate = camera(clip, network="netsim duplicate-probability=0.05")
    with Watcher({"url": gate.url, "transport": "udp"}) as watcher:
        watcher.comes_up()
        watcher.until(lambda: sum(frame.damaged for frame in watcher.frames) > 5, 30)
        watcher.shows(120, limit_s=20)
    assert not all(frame.damaged for frame in watcher.frames)
    # FFmpeg takes what comes twice in a row twice, without a word; its decoder notices most of it, and here and there
    # only what follows until the next key frame is wrong
    assert spoilt(watcher, clip) <= 25
    assert watcher.kinds().count("up") == 1
    assert watcher.rises()


def test_damage_lasts_until_the_next_key_frame(camera, clip):
    gate = camera(clip)
    with Watcher({"url": gate.url}) as watcher:
        watcher.comes_up()
        watcher.shows(10)
        gate.do("damage 3")
        watcher.until(lambda: any(frame.damaged for frame in watcher.frames), 5)
        watcher.until(lambda: not watcher.frames[-1].damaged, 5)
        watcher.shows(5)
    flags = [frame.damaged for frame in watcher.frames]
    first, last = flags.index(True), len(flags) - flags[::-1].index(True)
    assert 3 <= last - first <= 25
    assert all(flags[first:last]), "without a break"
    assert last % 25 == 0, "key frames are every 25"
    assert {frame.action for frame in watcher.frames if frame.damaged} == {"skip"}


def test_another_resolution_is_taken_as_it_comes(camera, clip, tmp_path):
    larger = tmp_path / "larger.mp4"
    render(Scene((), 2.0, (960, 540)), larger, gop=25)
    gate = camera(clip)
    with Watcher({"url": gate.url}) as watcher:
        watcher.comes_up()
        watcher.shows(5)
        gate.do(f"clip {larger}")
        asked_s = time.monotonic()
        watcher.until(lambda: watcher.frames[-1].size == (960, 540), 5)
        assert time.monotonic() - asked_s < 2
        watcher.shows(10)
    first = next(frame for frame in watcher.frames if frame.size == (960, 540))
    assert (first.action, first.cut) == ("detect", True)
    assert watcher.kinds() == ["up"]


@pytest.mark.parametrize("fault", ["skip -2", "stick"])
def test_time_stamps_that_jump_back_or_stick(camera, clip, fault):
    gate = camera(clip)
    with Watcher({"url": gate.url}) as watcher:
        watcher.until(lambda: watcher.frames and watcher.frames[-1].stamp.utc_source == "rtcp", 8)
        watcher.shows(30)
        gate.do(fault)
        watcher.until(lambda: watcher.frames[-1].stamp.epoch == 1, 5)
        watcher.shows(60)
    assert watcher.rises()
    assert {frame.stamp.epoch for frame in watcher.frames} == {0, 1}
    assert watcher.kinds() == ["up"]
    times = [(said_s, message.stamp.time_s) for said_s, message in watcher.said if isinstance(message, FrameRef)]
    (began_s, first_s), (ended_s, last_s) = times[0], times[-1]
    assert last_s - first_s == pytest.approx(ended_s - began_s, abs=0.5), "media time goes as time goes"
    for frame in watcher.frames:
        assert abs(frame.stamp.captured_ns - frame.stamp.utc_ns) < 1.5e9, "UTC does not jump along"


def test_another_viewer_makes_the_time_stamps_of_a_shared_stream_begin_anew(camera, clip):
    gate = camera(clip, shared=True)
    with Watcher({"url": gate.url}) as watcher:
        watcher.comes_up()
        watcher.shows(50)
        with Watcher({"url": gate.url}) as other:
            other.comes_up()
            watcher.shows(50)
    assert watcher.rises()
    assert watcher.kinds()[0] == "up"


def test_a_camera_that_hesitates_says_what_is_missing_and_is_not_late_for_ever(camera, clip):
    gate = camera(clip)
    with Watcher({"url": gate.url, "transport": "tcp"}, live={"max_latency_s": 0.5, "read_timeout_s": 2.0}) as watcher:
        watcher.comes_up()
        watcher.shows(10)
        gate.do("stall 1.5")
        watcher.shows(60, limit_s=10)
        seen = len(watcher.frames)
        watcher.shows(25, limit_s=2)
    assert "down" not in watcher.kinds()
    assert {b.stamp.seq - a.stamp.seq for a, b in pairwise(watcher.frames[seen:])} == {1}, "none is dropped any more"


def test_who_was_held_up_drops_what_is_stale_and_is_soon_up_to_date(camera, clip):
    with Watcher({"url": camera(clip).url}, live={"max_latency_s": 0.5}) as watcher:
        watcher.comes_up()
        watcher.shows(25)
        watcher.hold.set()
        time.sleep(3.0)
        watcher.hold.clear()
        went_on_s = time.monotonic()
        watcher.until(lambda: "gap" in watcher.kinds(), 5)
        watcher.shows(40)
        gap = watcher.changes[-1]
        closed = watcher.stop()
    sent = 0
    for (_, message), filled in zip(watcher.said, watcher.filled, strict=True):
        sent = message.slot.generation if isinstance(message, FrameRef) and message.slot else sent
        assert filled == sent, "nothing is said between a filled slot and its reference, or marks would overtake it"
    assert 50 <= gap.frames <= 80
    assert gap.end_s - gap.start_s == pytest.approx(0.04 * gap.frames, abs=0.1)
    assert "stale" in gap.reason
    assert closed.counts["dropped"] == sum(change.frames for change in watcher.changes if change.kind == "gap")
    since = [m for s, m in watcher.said if isinstance(m, FrameRef) and s > went_on_s + 0.5]
    assert max(frame.stamp.captured_ns - frame.stamp.utc_ns for frame in since) < 1e9


def test_without_free_slots_pictures_are_dropped_and_the_detector_is_asked_more_seldom(camera, clip):
    def give_back(number: int) -> None:
        slots = [frame.slot for frame in watcher.frames if frame.slot is not None]
        if watcher.ring.holds(slots[number]):
            watcher.ring.release(slots[number])

    with Watcher({"url": camera(clip).url}, slots=4, release=False, live={"max_latency_s": 0.3}) as watcher:
        watcher.comes_up()
        watcher.until(lambda: watcher.ring.in_use == 4, 5)
        time.sleep(2.5)
        assert watcher._stage.max_per_s < 5.0
        before = len(watcher.frames)
        for number in range(6):  # one slot after the other, with pictures dropped in between
            give_back(number)
            time.sleep(0.5)
        looks = [frame.action for frame in watcher.frames[before:]]
        assert looks.count("detect") < looks.count("track"), "what is dropped is no reason to look"
        closed = watcher.stop()
    assert closed.counts["dropped"] > 20
    assert watcher.kinds()[-1] == "gap"
    assert watcher.changes[-1].frames > 10


def test_relief_comes_with_the_load_and_goes_with_it():
    relief, stretches = LoadShedder(), []
    for n in range(40):
        relief.feel(0.8 if n < 10 else 0.1, 0.3 * n)
        stretches.append(relief.stretch)
    assert stretches[0] == 1.5
    assert max(stretches) == stretches[9] > 3
    assert stretches[-1] < stretches[9]
    assert all(b >= a for a, b in pairwise(stretches[:10]))
    assert all(b <= a for a, b in pairwise(stretches[10:]))


def transcode(source: Path, target: Path, codec: str, **options: str) -> Path:
    with av.open(str(source)) as given, av.open(str(target), "w") as made:
        stream = made.add_stream(codec, rate=25, options={"preset": "ultrafast", **options})
        stream.width, stream.height, stream.pix_fmt = *SIZE, "yuv420p"
        stream.codec_context.thread_count = 1
        for frame in given.decode(video=0):
            frame.pict_type = 0
            made.mux(stream.encode(frame))
        made.mux(stream.encode(None))
    return target


def test_a_camera_that_returns_with_another_codec(camera, clip, tmp_path):
    other = transcode(clip, tmp_path / "other.mp4", "libx265", **{"x265-params": "log-level=none:keyint=25:pools=1"})
    gate = camera(clip)
    with Watcher({"url": gate.url}) as watcher:
        watcher.comes_up()
        gate.kill()
        gate.restart(clip=str(other), codec="h265")
        watcher.comes_up(2)
        watcher.shows(30)
    assert watcher.rises()
    assert watcher.frames[-1].size == SIZE


def test_pictures_that_are_coded_in_another_order_are_shown_in_theirs(camera, tmp_path):
    path = tmp_path / "ordered.mp4"
    render(SCENE, path, gop=25, b_frames=2)
    with Watcher({"url": camera(path).url}, live=NEVER_STALE) as watcher:
        watcher.comes_up()
        watcher.shows(60)
    steps = {round(b.stamp.time_s - a.stamp.time_s, 3) for a, b in pairwise(watcher.frames)}
    assert steps == {0.04}


def test_a_file_is_played_at_its_own_speed_and_then_over(clip):
    began_s = time.monotonic()
    with Watcher({"path": str(clip)}, live=NEVER_STALE) as watcher:
        watcher.until(lambda: isinstance(watcher.said[-1][1], StreamClosed) if watcher.said else False, 20)
    assert 3.5 < time.monotonic() - began_s < 10
    assert watcher.kinds() == ["up", "down"]
    assert watcher.changes[-1].reason == "The file has ended."
    times = [frame.stamp.time_s for frame in watcher.frames]
    assert times == pytest.approx([0.04 * n for n in range(100)], abs=1e-4)
    assert watcher.said[-1][1].reason == "end"


def test_a_file_with_another_beginning_and_uneven_steps(tmp_path):
    starts = (0.0, 0.04, 0.1, 0.5, 0.52, 0.9)
    render(Scene((), 1.0, (320, 180), frame_times=starts, start_s=5.0), tmp_path / "uneven.mkv")
    with Watcher({"path": str(tmp_path / "uneven.mkv")}, live=NEVER_STALE) as watcher:
        watcher.until(lambda: isinstance(watcher.said[-1][1], StreamClosed) if watcher.said else False, 20)
    assert [frame.stamp.time_s for frame in watcher.frames] == pytest.approx(starts, abs=2e-3)


def test_a_file_that_is_not_there_ends_with_a_sentence(tmp_path):
    with Watcher({"path": str(tmp_path / "none.mp4")}) as watcher:
        watcher.until(lambda: isinstance(watcher.said[-1][1], StreamClosed) if watcher.said else False, 20)
    assert "There is no file" in watcher.changes[0].reason


def test_outside_of_its_hours_a_source_is_left_alone(camera, clip):
    minute = time.localtime().tm_hour * 60 + time.localtime().tm_min
    start, end = ((minute + after) % 1440 for after in (120, 180))
    hours = f"{start // 60:02}:{start % 60:02}-{end // 60:02}:{end % 60:02}"
    with Watcher({"url": camera(clip).url, "active": [hours]}) as watcher:
        assert "active hours" in watcher.goes_down().reason
        assert watcher.stop().counts["connections"] == 0


def test_changes_behind_a_mask_are_worth_nothing(clip):
    everything = [[0, 0], [1, 0], [1, 1], [0, 1]]
    with Watcher({"path": str(clip), "masks": [everything]}) as watcher:
        watcher.until(lambda: isinstance(watcher.said[-1][1], StreamClosed) if watcher.said else False, 20)
    assert {frame.action for frame in watcher.frames} == {"skip"}


def test_a_camera_that_speaks_tls(camera, clip, tmp_path):
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    subject = ["-subj", "/CN=127.0.0.1", "-days", "2", "-keyout", str(key), "-out", str(certificate)]
    made = subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", *subject], capture_output=True)
    assert made.returncode == 0, made.stderr
    certificate.write_bytes(certificate.read_bytes() + key.read_bytes())
    with Watcher({"url": camera(clip, certificate=str(certificate)).url}) as watcher:
        watcher.comes_up()
        watcher.shows(10)
    assert watcher.rises()


def test_a_stream_over_http_is_played_at_its_own_speed_again_and_again(clip, tmp_path):
    """As HLS: a list of pieces, which ends; then it is connected to anew."""
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
        with Watcher({"url": f"http://127.0.0.1:{server.server_address[1]}/live.m3u8"}) as watcher:
            watcher.comes_up()
            began_s = time.monotonic()
            watcher.shows(60, limit_s=20)
            assert time.monotonic() - began_s > 1.5
            watcher.comes_up(2, limit_s=20)
        server.shutdown()
    assert watcher.rises()
    assert {frame.stamp.utc_source for frame in watcher.frames} == {"arrival"}


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_arguments: object) -> None:
        """Not to standard error."""
