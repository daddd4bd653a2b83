"""Decode stage for files: which frames get how much work."""

from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest

from stream_ocr.config.settings import Settings
from stream_ocr.core.frame import frame_in_buffer
from stream_ocr.core.messages import FrameRef, StreamClosed
from stream_ocr.errors import SourceError
from stream_ocr.runtime.shm_ring import Ring
from stream_ocr.stages.decode_file import DecodeStage
from stream_ocr.synthetic import corrupt
from stream_ocr.synthetic.scene import Scene, Text, render

SIZE = (320, 180)


def never() -> bool:
    return False


def after(times: int) -> Callable[[], bool]:
    """Return a stop function that returns True from the given call on."""
    asked = iter(range(times))
    return lambda: next(asked, None) is None


def decode(
    path: Path, settings: Sequence[str] = (), stop: Callable[[], bool] = never
) -> tuple[list[FrameRef], StreamClosed]:
    """Return all messages of a file, releasing its slots at once."""
    slots = Ring.anonymous(2, 1 << 20)
    with DecodeStage(path, "clip", Settings.load(overrides=settings), slots) as stage:
        *refs, closed = list(releasing(stage, slots, stop))
    assert isinstance(closed, StreamClosed)
    assert slots.in_use == 0
    assert closed.counts["frames"] == len(refs)
    return [ref for ref in refs if isinstance(ref, FrameRef)], closed


def releasing(stage: DecodeStage, slots: Ring, stop: Callable[[], bool]) -> Iterator[FrameRef | StreamClosed]:
    for message in stage.run(stop):
        assert isinstance(message, FrameRef | StreamClosed)
        if isinstance(message, FrameRef) and message.slot is not None:
            slots.release(message.slot)
        yield message


def actions(refs: Sequence[FrameRef]) -> list[str]:
    return [ref.action for ref in refs]


def detections(refs: Sequence[FrameRef]) -> list[float]:
    return [ref.stamp.time_s for ref in refs if ref.action in ("detect_coarse", "detect")]


def write(path: Path, pictures: Sequence[np.ndarray]) -> Path:
    """Write a file of exactly these luma planes, at 25 fps."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        stream.height, stream.width = pictures[0].shape
        stream.pix_fmt = "yuv420p"
        for n, luma in enumerate(pictures):
            planes = np.full((luma.shape[0] * 3 // 2, luma.shape[1]), 128, np.uint8)
            planes[: luma.shape[0]] = luma
            frame = av.VideoFrame.from_ndarray(planes, format="yuv420p")
            frame.pts, frame.time_base = n, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def texture(seed: int) -> np.ndarray:
    """Return a picture of tiles that has nothing in common with that of another seed."""
    tiles = np.random.default_rng(seed).integers(16, 236, (SIZE[1] // 20, SIZE[0] // 20), np.uint8)
    return np.kron(tiles, np.ones((20, 20), np.uint8))


@pytest.fixture(scope="module")
def busy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clip of two seconds in which something always moves."""
    path = tmp_path_factory.mktemp("decode") / "busy.ts"
    render(Scene((), 2.0, SIZE), path, gop=10)
    return path


def test_decode_stage_yields_every_frame_in_order(busy: Path) -> None:
    refs, closed = decode(busy)
    assert [ref.stamp.seq for ref in refs] == list(range(50))
    assert [ref.stamp.time_s for ref in refs] == pytest.approx([n / 25 for n in range(50)])
    assert {(ref.size, ref.damaged, ref.full_range) for ref in refs} == {(SIZE, False, False)}
    assert closed.reason == "end"
    assert (closed.start_s, closed.end_s) == pytest.approx((0.0, 2.0))
    assert closed.counts == {"frames": 50, "dropped": 0, "damaged": 0, "corrupt": 0}


@pytest.mark.parametrize("per_s", [2.5, 5.0, 25.0])
def test_decode_stage_runs_the_detector_at_the_rate_of_the_settings(busy: Path, per_s: float) -> None:
    refs, _ = decode(busy, [f"detection.{bound}_fps={per_s}" for bound in ("idle", "max")])
    assert detections(refs) == pytest.approx([n / per_s for n in range(round(2 * per_s))], abs=0.04)
    assert set(actions(refs)) == {"detect", "detect_coarse"} if per_s == 25 else {"detect", "detect_coarse", "track"}
    assert refs[0].cut
    assert not any(ref.cut for ref in refs[1:])


def test_decode_stage_follows_media_time_at_variable_frame_rate(tmp_path: Path) -> None:
    times = tuple(np.cumsum([0, *[0.02] * 20, *[0.15] * 8, *[0.4] * 4]).tolist())
    render(Scene((), times[-1] + 0.4, SIZE, frame_times=times), tmp_path / "vfr.mkv")
    seen = detections(decode(tmp_path / "vfr.mkv", ["detection.idle_fps=5"])[0])
    assert min(b - a for a, b in pairwise(seen)) >= 0.2 - 1e-6
    assert seen[-4:] == pytest.approx(times[-4:]), "where frames are rarer than detector runs, every one is processed"


def test_decode_stage_uses_one_slot_and_one_detection_for_a_still_picture(tmp_path: Path) -> None:
    render(Scene((Text("GATE 4", 0, 9, (80, 80)),), 3.0, SIZE, background="static"), tmp_path / "still.mp4")
    refs, closed = decode(tmp_path / "still.mp4")
    assert actions(refs) == ["detect", *["skip"] * 74]
    assert [ref.slot is None for ref in refs] == [ref.action == "skip" for ref in refs]
    assert closed.counts["frames"] == 75


def test_decode_stage_passes_on_the_frame_of_a_new_text_and_detects_it_at_once(tmp_path: Path) -> None:
    text = Text("GATE 4", 1.04, 9, (80, 80))
    render(Scene((text,), 2.0, SIZE, background="static"), tmp_path / "clip.mp4", gop=10)
    refs, _ = decode(tmp_path / "clip.mp4", ["detection.max_fps=0.9"])
    assert next(n for n, ref in enumerate(refs) if n and ref.action != "skip") == 26
    assert detections(refs) == pytest.approx([0.0, 1.04]), "the rate limits what keeps appearing"


def test_decode_stage_marks_a_cut_and_detects_at_once(tmp_path: Path) -> None:
    one, other = texture(1), texture(2)
    refs, _ = decode(write(tmp_path / "cut.mkv", [one] * 8 + [other] * 8))
    assert [n for n, ref in enumerate(refs) if ref.cut] == [0, 8]
    assert actions(refs) == ["detect", *["skip"] * 7, "detect", *["skip"] * 7]


def test_decode_stage_writes_the_pixels_of_each_frame_into_its_slot(tmp_path: Path) -> None:
    pictures = [texture(seed) for seed in range(4)]
    write(tmp_path / "clip.mkv", pictures)
    slots = Ring.anonymous(4, 1 << 20)
    with DecodeStage(tmp_path / "clip.mkv", "clip", Settings.load(), slots) as stage:
        refs = [message for message in stage.run(never) if isinstance(message, FrameRef)]
    for ref, picture in zip(refs, pictures, strict=True):
        assert ref.slot is not None
        assert np.array_equal(frame_in_buffer(slots.view(ref.slot), ref.size).y, picture)
        slots.release(ref.slot)


def test_decode_stage_handles_a_change_of_the_frame_size(busy: Path, tmp_path: Path) -> None:
    render(Scene((), 1.0, (480, 270), seed=1), tmp_path / "larger.ts")
    refs, closed = decode(corrupt.concatenate(tmp_path / "joined.ts", busy, tmp_path / "larger.ts"))
    assert [ref.size for ref in refs] == [SIZE] * 50 + [(480, 270)] * 25
    assert (refs[50].action, refs[50].cut, refs[50].stamp.epoch, refs[50].stamp.seq) == ("detect", True, 1, 0)
    assert min(b - a for a, b in pairwise(ref.stamp.time_s for ref in refs)) > 0
    assert closed.end_s == pytest.approx(3.0)


def test_decode_stage_marks_and_skips_damaged_frames(tmp_path: Path) -> None:
    render(Scene((), 2.0, SIZE, background="noise"), tmp_path / "good.mkv", gop=10)
    refs, closed = decode(corrupt.damage(tmp_path / "good.mkv", tmp_path / "bad.mkv", 12, first=0.44, last=0.5))
    damaged = [ref for ref in refs if ref.damaged]
    assert 2 <= len(damaged) <= 20
    assert {(ref.action, ref.slot, ref.cut) for ref in damaged} == {("skip", None, False)}
    assert closed.counts["damaged"] == len(damaged)
    assert closed.reason == "end"
    assert [ref.stamp.seq for ref in refs] == list(range(len(refs)))


def test_decode_stage_reports_a_truncated_file_at_its_end(tmp_path: Path) -> None:
    render(Scene((), 2.0, SIZE, background="noise"), tmp_path / "whole.mp4")
    refs, closed = decode(corrupt.truncate(tmp_path / "whole.mp4", tmp_path / "part.mp4", 0.6))
    assert 20 <= len(refs) < 45
    assert "part.mp4" in closed.reason
    assert "breaks off" in closed.reason
    assert closed.end_s == refs[-1].stamp.end_s


def test_decode_stage_closes_the_stream_after_a_stop(busy: Path) -> None:
    refs, closed = decode(busy, stop=after(20))
    assert 0 < len(refs) <= 20
    assert closed.reason == "interrupted"
    assert closed.end_s == refs[-1].stamp.end_s


def test_decode_stage_stops_while_it_waits_for_a_slot(busy: Path) -> None:
    slots = Ring.anonymous(2, 1 << 20)
    with DecodeStage(busy, "clip", Settings.load(), slots) as stage:
        messages = list(stage.run(after(8)))
    assert [type(message) for message in messages] == [FrameRef, FrameRef, StreamClosed]
    assert slots.in_use == 2
    assert messages[-1].reason == "interrupted"


def test_decode_stage_closes_the_stream_after_a_stop_before_the_first_frame(busy: Path) -> None:
    refs, closed = decode(busy, stop=lambda: True)
    assert (refs, closed.reason, closed.end_s) == ([], "interrupted", closed.start_s)


def test_decode_stage_knows_the_duration_of_its_file(busy: Path) -> None:
    with DecodeStage(busy, "clip", Settings.load(), Ring.anonymous(1, 1 << 20)) as stage:
        assert stage.duration_s == pytest.approx(2.0, abs=0.05)


def test_decode_stage_rejects_a_missing_file_when_entered(tmp_path: Path) -> None:
    stage = DecodeStage(tmp_path / "missing.mp4", "clip", Settings.load(), Ring.anonymous(1, 1 << 20))
    with pytest.raises(SourceError, match="There is no file"):
        stage.__enter__()


def test_decode_stage_rejects_frames_above_the_limit(busy: Path) -> None:
    settings = Settings.load(overrides=["decode.max_pixels=1000"])
    with pytest.raises(SourceError, match=r"decode\.max_pixels"):
        DecodeStage(busy, "clip", settings, Ring.anonymous(1, 1 << 20)).__enter__()
