"""Detect stage: which frames the detector gets, and what becomes of the others."""

from collections.abc import Sequence

import msgspec
import numpy as np
import pytest

from stream_ocr.config.settings import Settings
from stream_ocr.core.frame import Frame, frame_in_buffer, write_frame
from stream_ocr.core.geometry import rectangle, to_flat
from stream_ocr.core.messages import Detection, Detections, FrameAction, FrameRef, SourceChanged, Stamp, StreamClosed
from stream_ocr.runtime.shm_ring import Ring
from stream_ocr.stages.detect import DetectStage
from stream_ocr.testing import grey_frame


class OneRegion:
    """A detector that finds one region in every frame, whose height is the brightness of the frame."""

    def __init__(self, max_batch: int = 4) -> None:
        self.max_batch = max_batch
        self.batches: list[int] = []
        self.coarse_passes = 0

    def detect(self, frames: Sequence[Frame]) -> list[list[Detection]]:
        self.batches.append(len(frames))
        return self.find(frames)

    def detect_coarse(self, frames: Sequence[Frame]) -> list[list[Detection]]:
        self.coarse_passes += 1
        return self.find(frames)

    def detect_fine(self, frames: Sequence[Frame]) -> list[list[Detection]]:
        assert [frame.size for frame in frames] == [(64, 64)]
        return self.find(frames)

    def find(self, frames: Sequence[Frame]) -> list[list[Detection]]:
        return [[Detection(to_flat(rectangle(0, 0, 10, float(frame.y[0, 0]))), 0.9)] for frame in frames]


def frame(
    rings: dict[str, Ring],
    stream: str,
    seq: int,
    action: FrameAction,
    brightness: int,
    size: tuple[int, int] = (64, 36),
) -> FrameRef:
    slot = None
    if action != "skip":
        claim = rings[stream].claim(timeout_s=0)
        assert claim is not None
        write_frame(grey_frame(np.full(size[::-1], brightness, np.uint8)), claim[1])
        slot = rings[stream].commit(claim[0])
    return FrameRef(Stamp(stream, 0, seq, seq, (1, 25), 1, 0), size, action, slot, True, False, False)


def test_detect_stage_batches_full_passes_and_answers_all_frames_in_order() -> None:
    rings = {stream: Ring.anonymous(4, 1 << 16) for stream in "ab"}
    detector = OneRegion()
    batch = [
        frame(rings, "a", 0, "detect", 20),
        frame(rings, "b", 0, "skip", 0),
        frame(rings, "a", 1, "track", 21),
        frame(rings, "b", 1, "detect", 30),
        frame(rings, "a", 2, "detect", 22),
    ]
    with DetectStage(Settings.load(), rings, detector) as stage:
        output = list(stage.process(batch))
        assert list(stage.process([frame(rings, "b", 2, "track", 31)]))
        closed = [list(stage.close(StreamClosed(stream, "end", 0.0, 1.0, {"frames": 3}))) for stream in "abc"]
    assert all(isinstance(message, Detections) for message in output)
    assert [message.frame for message in output] == batch
    heights = [message.regions and message.regions[0].quad[5] for message in output]
    assert heights == [20.0, None, None, 30.0, 22.0]
    assert detector.batches == [3]
    assert [messages[0].counts for messages in closed] == [{"frames": 3, "detector_frames": runs} for runs in (2, 1, 0)]
    assert rings["a"].in_use == 3, "the tracker releases slots"


def test_detect_stage_runs_the_network_only_when_the_frames_before_are_passed_on() -> None:
    rings = {stream: Ring.anonymous(4, 1 << 16) for stream in "ab"}
    detector = OneRegion(max_batch=1)
    batch = [frame(rings, "a", 0, "track", 20), frame(rings, "a", 1, "detect", 20), frame(rings, "b", 0, "detect", 30)]
    with DetectStage(Settings.load(), rings, detector) as stage:
        runs = [(output.frame, len(detector.batches)) for output in stage.process(batch)]
        gains = [stage.gains_from_batches(ref) for ref in batch]
    assert runs == list(zip(batch, (0, 1, 2), strict=True))
    assert gains == [False, False, False]


def test_detect_stage_waits_for_full_passes_on_a_device_that_computes_several_at_once() -> None:
    rings = {"a": Ring.anonymous(4, 1 << 16)}
    with DetectStage(Settings.load(), rings, OneRegion()) as stage:
        assert stage.gains_from_batches(frame(rings, "a", 0, "detect", 20))
        assert not stage.gains_from_batches(frame(rings, "a", 1, "detect_coarse", 20))
        assert not stage.gains_from_batches(frame(rings, "a", 2, "track", 20))


@pytest.mark.parametrize("batch_size", [1, 2, 7])
def test_detect_stage_follows_a_coarse_pass_with_a_full_one_only_for_novel_regions(batch_size: int) -> None:
    class Growing(OneRegion):
        """Finds regions with an edge, so that their pixels can be compared."""

        def find(self, frames: Sequence[Frame]) -> list[list[Detection]]:
            return [[Detection(to_flat(rectangle(0, 4, 40, float(frame.y[0, 0]))), 0.9)] for frame in frames]

    def edged(seq: int, action: FrameAction, brightness: int) -> FrameRef:
        ref = frame(rings, "a", seq, action, brightness)
        assert ref.slot is not None
        frame_in_buffer(rings["a"].view(ref.slot), ref.size).y[:, 5:25] = 200
        return ref

    rings = {"a": Ring.anonymous(10, 1 << 16)}
    detector = Growing()
    actions: list[tuple[FrameAction, int]] = [
        ("detect_coarse", 10),
        ("detect", 10),
        ("detect_coarse", 10),  # no coarse pass: the last one was not enough
        ("detect_coarse", 10),
        ("detect_coarse", 30),
        ("detect", 10),
        ("detect", 10),
        ("detect_coarse", 9),  # no coarse pass
        ("detect_coarse", 9),
    ]
    refs = [edged(n, action, high) for n, (action, high) in enumerate(actions)]
    with DetectStage(Settings.load(overrides=["tracking.birth_score=0.8"]), rings, detector) as stage:
        batches = [refs[start : start + batch_size] for start in range(0, len(refs), batch_size)]
        output = [message.regions for batch in batches for message in stage.process(batch)]
        counts = dict(stage.counters["a"])
    assert [regions is not None for regions in output] == [True] * 3 + [False] + [True] * 4 + [False]
    assert counts == {"detector_frames": 9}
    assert sum(detector.batches) == 7
    assert detector.coarse_passes == 4


def test_detect_stage_limits_the_full_pass_to_the_rows_around_novel_regions() -> None:
    class Low(OneRegion):
        """Finds a line that is 12 pixels high, 300 pixels below the top of the frame."""

        def detect(self, frames: Sequence[Frame]) -> list[list[Detection]]:
            assert [frame.size for frame in frames] == [(64, 64)]
            return [[Detection(to_flat(rectangle(0, 300 - 288 + 1, 40, 10)), 0.9)]]

        def detect_coarse(self, frames: Sequence[Frame]) -> list[list[Detection]]:
            assert [frame.size for frame in frames] == [(64, 360)]
            return [[Detection(to_flat(rectangle(0, 300, 40, 12)), 0.9)]]

    rings = {"a": Ring.anonymous(4, 1 << 16)}
    with DetectStage(Settings.load(), rings, Low()) as stage:
        (output,) = stage.process([frame(rings, "a", 0, "detect_coarse", 20, (64, 360))])
    assert output.frame.rows == (288, 352)
    assert output.regions is not None
    assert [region.quad[1] for region in output.regions] == [301.0]


def test_detect_stage_makes_fine_passes_on_their_rows_without_updating_known_regions() -> None:
    rings, detector = {"a": Ring.anonymous(4, 1 << 16)}, OneRegion()
    with DetectStage(Settings.load(), rings, detector) as stage:
        ref = msgspec.structs.replace(frame(rings, "a", 0, "detect_fine", 20, (64, 360)), rows=(96, 160))
        (output,) = stage.process([ref])
        assert stage.counters == {"a": {"detector_frames": 1}}
        assert not stage._known_regions["a"].novel(np.zeros((360, 64), np.uint8), [])
    assert output.frame == ref
    assert output.regions == (), "a region that touches the end of the rows may continue beyond"


def test_detect_stage_ignores_coarse_regions_below_the_birth_score() -> None:
    rings = {"a": Ring.anonymous(4, 1 << 16)}
    with DetectStage(Settings.load(overrides=["tracking.birth_score=0.95"]), rings, OneRegion()) as stage:
        (output,) = stage.process([frame(rings, "a", 0, "detect_coarse", 20)])
    assert output.regions is None


def test_detect_stage_filters_by_regions_of_the_source_and_passes_source_changes_through() -> None:
    rings = {stream: Ring.anonymous(4, 1 << 16) for stream in "ab"}
    corner = ((0, 0), (0.5, 0), (0.5, 0.5), (0, 0.5))  # the regions found have their middle at (5, brightness / 2)
    settings = Settings(sources={"a": {"path": "a.mp4", "regions": (corner,)}, "b": {"path": "b.mp4"}})
    gap = SourceChanged("a", "gap", 0, 0.0, 1.0)
    batch = [
        frame(rings, "a", 0, "detect", 20),
        gap,
        frame(rings, "a", 1, "detect", 50),
        frame(rings, "b", 0, "detect", 50),
    ]
    with DetectStage(settings, rings, OneRegion()) as stage:
        first, passed, second, other = stage.process(batch)
    assert passed == gap
    assert [len(message.regions) for message in (first, second, other)] == [1, 0, 1]


def test_detect_stage_drops_truncated_regions_of_a_band_and_moves_the_others_to_frame_coordinates() -> None:
    class Band(OneRegion):
        def detect(self, frames: Sequence[Frame]) -> list[list[Detection]]:
            assert [frame.size for frame in frames] == [(64, 16)]
            assert [frame.u.shape for frame in frames] == [(8, 32)]
            quads = (rectangle(0, 0, 9, 5), rectangle(20, 4, 9, 5), rectangle(40, 11, 9, 5))
            return [[Detection(to_flat(quad), 0.9) for quad in quads]]

    rings = {"a": Ring.anonymous(4, 1 << 16)}
    ref = msgspec.structs.replace(frame(rings, "a", 0, "detect", 20), rows=(8, 24))
    with DetectStage(Settings.load(), rings, Band()) as stage:
        (output,) = stage.process([ref])
    assert [region.quad for region in output.regions] == [to_flat(rectangle(20, 12, 9, 5))]


def test_detect_stage_applies_general_areas_and_those_of_a_source() -> None:
    upper, lower = [[0, 0], [1, 0], [1, 0.5], [0, 0.5]], [[0, 0.5], [1, 0.5], [1, 1], [0, 1]]
    gate = f"sources.gate={{path: a.mp4, regions: [{lower}]}}"
    settings = Settings.load(overrides=[f"detection.regions=[{upper}]", gate, "sources.hall={path: b.mp4}"])
    rings = {stream: Ring.anonymous(4, 1 << 16) for stream in ("gate", "hall", "film")}
    with DetectStage(settings, rings, OneRegion()) as stage:  # the centre of the region lies at 20 / 2 of 36 rows
        found = {
            stream: [message.regions for message in stage.process([frame(rings, stream, 0, "detect", 20)])]
            for stream in rings
        }
        stage.configure(Settings.load(overrides=[f"detection.masks=[{upper}]"]).for_workers())
        (masked,) = stage.process([frame(rings, "film", 1, "detect", 20)])
    assert {stream: len(regions[0]) for stream, regions in found.items()} == {"gate": 0, "hall": 1, "film": 1}
    assert masked.regions == ()
