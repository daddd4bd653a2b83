"""Which frames the detect stage looks at, and what it says of the others."""

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
    """A detector that finds one region in every frame, as high as the frame's pixels are bright."""

    def __init__(self) -> None:
        self.batches: list[int] = []
        self.glances = 0

    def detect(self, frames: Sequence[Frame]) -> list[list[Detection]]:
        self.batches.append(len(frames))
        return self.find(frames)

    def detect_coarse(self, frames: Sequence[Frame]) -> list[list[Detection]]:
        self.glances += 1
        return self.find(frames)

    def detect_fine(self, frames: Sequence[Frame]) -> list[list[Detection]]:
        assert [frame.size for frame in frames] == [(64, 64)]
        return self.find(frames)

    def find(self, frames: Sequence[Frame]) -> list[list[Detection]]:
        return [[Detection(to_flat(rectangle(0, 0, 10, float(frame.y[0, 0]))), 0.9)] for frame in frames]


def frame(
    rings: dict[str, Ring], stream: str, seq: int, look: FrameAction, brightness: int, size: tuple[int, int] = (64, 36)
) -> FrameRef:
    slot = None
    if look != "skip":
        claim = rings[stream].claim(timeout_s=0)
        assert claim is not None
        write_frame(grey_frame(np.full(size[::-1], brightness, np.uint8)), claim[1])
        slot = rings[stream].commit(claim[0])
    return FrameRef(Stamp(stream, 0, seq, seq, (1, 25), 1, 0), size, look, slot, True, False, False)


def test_frames_that_are_worth_it_are_looked_at_together_and_all_are_answered_in_order() -> None:
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
        said = list(stage.process(batch))
        assert list(stage.process([frame(rings, "b", 2, "track", 31)]))
        closed = [list(stage.close(StreamClosed(stream, "end", 0.0, 1.0, {"frames": 3}))) for stream in "abc"]
    assert all(isinstance(message, Detections) for message in said)
    assert [message.frame for message in said] == batch
    heights = [message.regions and message.regions[0].quad[5] for message in said]
    assert heights == [20.0, None, None, 30.0, 22.0]
    assert detector.batches == [3]
    assert [messages[0].counts for messages in closed] == [
        {"frames": 3, "detector_frames": looks} for looks in (2, 1, 0)
    ]
    assert rings["a"].in_use == 3, "the tracker gives slots back"


@pytest.mark.parametrize("company", [1, 2, 7])
def test_a_glance_leads_to_a_look_only_where_it_shows_what_was_not_there_before(company: int) -> None:
    class Growing(OneRegion):
        """Of a picture with an edge, which a flat one has not."""

        def find(self, frames: Sequence[Frame]) -> list[list[Detection]]:
            return [[Detection(to_flat(rectangle(0, 4, 40, float(frame.y[0, 0]))), 0.9)] for frame in frames]

    def edged(seq: int, look: FrameAction, brightness: int) -> FrameRef:
        ref = frame(rings, "a", seq, look, brightness)
        assert ref.slot is not None
        frame_in_buffer(rings["a"].view(ref.slot), ref.size).y[:, 5:25] = 200
        return ref

    rings = {"a": Ring.anonymous(10, 1 << 16)}
    detector = Growing()
    looks: list[tuple[FrameAction, int]] = [
        ("detect_coarse", 10),
        ("detect", 10),
        ("detect_coarse", 10),  # spared: the last one was not enough
        ("detect_coarse", 10),
        ("detect_coarse", 30),
        ("detect", 10),
        ("detect", 10),
        ("detect_coarse", 9),  # spared
        ("detect_coarse", 9),
    ]
    refs = [edged(n, look, high) for n, (look, high) in enumerate(looks)]
    with DetectStage(Settings.load(overrides=["tracking.birth_score=0.8"]), rings, detector) as stage:
        batches = [refs[start : start + company] for start in range(0, len(refs), company)]
        said = [message.regions for batch in batches for message in stage.process(batch)]
        counts = dict(stage.counts["a"])
    assert [regions is not None for regions in said] == [True] * 3 + [False] + [True] * 4 + [False]
    assert counts == {"detector_frames": 9}
    assert sum(detector.batches) == 7
    assert detector.glances == 4


def test_what_a_glance_shows_is_looked_at_in_the_rows_round_it() -> None:
    class Low(OneRegion):
        """Of a line that is 12 pixels high, 300 pixels below the top of the frame."""

        def detect(self, frames: Sequence[Frame]) -> list[list[Detection]]:
            assert [frame.size for frame in frames] == [(64, 64)]
            return [[Detection(to_flat(rectangle(0, 300 - 288 + 1, 40, 10)), 0.9)]]

        def detect_coarse(self, frames: Sequence[Frame]) -> list[list[Detection]]:
            assert [frame.size for frame in frames] == [(64, 360)]
            return [[Detection(to_flat(rectangle(0, 300, 40, 12)), 0.9)]]

    rings = {"a": Ring.anonymous(4, 1 << 16)}
    with DetectStage(Settings.load(), rings, Low()) as stage:
        (said,) = stage.process([frame(rings, "a", 0, "detect_coarse", 20, (64, 360))])
    assert said.frame.rows == (288, 352)
    assert said.regions is not None
    assert [region.quad[1] for region in said.regions] == [301.0]


def test_a_close_look_is_at_its_rows_and_leaves_what_glances_know_as_it_was() -> None:
    rings, detector = {"a": Ring.anonymous(4, 1 << 16)}, OneRegion()
    with DetectStage(Settings.load(), rings, detector) as stage:
        ref = msgspec.structs.replace(frame(rings, "a", 0, "detect_fine", 20, (64, 360)), rows=(96, 160))
        (said,) = stage.process([ref])
        assert stage.counts == {"a": {"detector_frames": 1}}
        assert not stage._familiar["a"].news(np.zeros((360, 64), np.uint8), [])
    assert said.frame == ref
    assert said.regions == (), "what touches the end of the rows may go on beyond"


def test_what_may_start_no_text_is_no_news() -> None:
    rings = {"a": Ring.anonymous(4, 1 << 16)}
    with DetectStage(Settings.load(overrides=["tracking.birth_score=0.95"]), rings, OneRegion()) as stage:
        (said,) = stage.process([frame(rings, "a", 0, "detect_coarse", 20)])
    assert said.regions is None


def test_text_outside_of_regions_does_not_count_and_what_is_said_of_a_source_passes_in_its_place() -> None:
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


def test_of_some_rows_only_whole_regions_are_taken_and_stand_where_they_are_in_the_frame() -> None:
    class Band(OneRegion):
        def detect(self, frames: Sequence[Frame]) -> list[list[Detection]]:
            assert [frame.size for frame in frames] == [(64, 16)]
            assert [frame.u.shape for frame in frames] == [(8, 32)]
            quads = (rectangle(0, 0, 9, 5), rectangle(20, 4, 9, 5), rectangle(40, 11, 9, 5))
            return [[Detection(to_flat(quad), 0.9) for quad in quads]]

    rings = {"a": Ring.anonymous(4, 1 << 16)}
    ref = msgspec.structs.replace(frame(rings, "a", 0, "detect", 20), rows=(8, 24))
    with DetectStage(Settings.load(), rings, Band()) as stage:
        (said,) = stage.process([ref])
    assert [region.quad for region in said.regions] == [to_flat(rectangle(20, 12, 9, 5))]
