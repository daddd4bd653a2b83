"""The track stage: tracks and crops from frames and detections, and the release of slots."""

from collections.abc import Iterator, Sequence

import cv2
import numpy as np
import pytest

from stream_ocr.config.settings import Settings
from stream_ocr.core.frame import byte_count, write_frame
from stream_ocr.core.geometry import rectangle, to_flat
from stream_ocr.core.messages import (
    CropRef,
    Detection,
    Detections,
    FrameRef,
    SlotRef,
    SourceChanged,
    Stamp,
    StreamClosed,
    Tracks,
    TrackState,
)
from stream_ocr.runtime.shm_ring import Ring
from stream_ocr.stages.thresholds import TRACK
from stream_ocr.stages.track import TrackStage
from stream_ocr.testing import grey_frame

SIZE = (640, 360)
CROP_SIZE = (400, 32)
SETTINGS = Settings.load(overrides=["tracking.birth_score=0.6", "recognition.margin=0.1"])

Box = tuple[int, int, int, int]


def draw_texts(*texts: tuple[str, tuple[int, int]], size: tuple[int, int] = SIZE) -> tuple[np.ndarray, list[Box]]:
    """Return luma with white texts on grey, whose left bottom corners are given, and their boxes."""
    luma = np.full((size[1], size[0]), 60, np.uint8)
    boxes = []
    for text, (x, y) in texts:
        cv2.putText(luma, text, (x, y), cv2.FONT_HERSHEY_SIMPLEX, 0.6, 235, 2, cv2.LINE_AA)
        (width, height), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, 0.6, 2)
        boxes.append((x - 3, y - height - 3, width + 6, height + 6))
    return luma, boxes


def regions(boxes: Sequence[Box], score: float = 0.9) -> tuple[Detection, ...]:
    return tuple(Detection(to_flat(rectangle(*box)), score) for box in boxes)


class StageHarness:
    """A track stage and its rings. Each frame lasts 1/25 s. ``release`` releases the crops."""

    def __init__(self, *streams: str) -> None:
        self.frames = {stream: Ring.anonymous(2, byte_count((960, 540))) for stream in streams or ("clip",)}
        self.crops = Ring.anonymous(TRACK.max_crops_per_frame + 1, CROP_SIZE[0] * CROP_SIZE[1])
        self.stage = TrackStage(SETTINGS, self.frames, self.crops, CROP_SIZE)
        self._count = dict.fromkeys(self.frames, 0)

    def frame(
        self, luma: np.ndarray | None, *, stream: str = "clip", epoch: int = 0, damaged: bool = False, detect: bool
    ) -> FrameRef:
        """Return a reference to a new frame; None: the frame before again."""
        slot: SlotRef | None = None
        if luma is not None:
            claim = self.frames[stream].claim(timeout_s=0)
            assert claim is not None, "slots are released frame by frame"
            write_frame(grey_frame(luma), claim[1])
            slot = self.frames[stream].commit(claim[0])
            self.size = luma.shape[1], luma.shape[0]
        seq, self._count[stream] = self._count[stream], self._count[stream] + 1
        action = "skip" if luma is None else "detect" if detect else "track"
        return FrameRef(Stamp(stream, epoch, seq, seq, (1, 25), 1, 0), self.size, action, slot, True, damaged, False)

    def process(
        self,
        luma: np.ndarray | None,
        found: Sequence[Detection] | None = None,
        *,
        stream: str = "clip",
        epoch: int = 0,
        damaged: bool = False,
    ) -> list[Tracks]:
        """Process one more frame and return the outputs."""
        ref = self.frame(luma, stream=stream, epoch=epoch, damaged=damaged, detect=found is not None)
        outputs = list(self.stage.process([Detections(ref, None if found is None else tuple(found))]))
        assert all(isinstance(message, Tracks) for message in outputs)
        return outputs

    def close(self, end_s: float, stream: str = "clip") -> tuple[list[Tracks], StreamClosed]:
        *outputs, closed = self.stage.close(StreamClosed(stream, "end", 0.0, end_s, {}))
        assert isinstance(closed, StreamClosed)
        return outputs, closed

    def release(self, outputs: Sequence[Tracks]) -> list[CropRef]:
        """Return the crops of messages and release their slots."""
        crops = [track.crop for message in outputs for track in message.tracks if track.crop is not None]
        for crop in crops:
            self.crops.release(crop.slot)
        return crops

    def settle(self, luma: np.ndarray, boxes: Sequence[Box], frames: int = 8, **options: object) -> list[Tracks]:
        """Process a still for a while. The detector runs on every fifth frame."""
        outputs = []
        for n in range(frames):
            tracks = self.process(luma, regions(boxes) if n % 5 == 0 else None, **options)
            self.release(tracks)
            outputs += tracks
        return outputs


@pytest.fixture
def harness() -> Iterator[StageHarness]:
    harness = StageHarness()
    with harness.stage:
        yield harness
    assert [ring.in_use for ring in harness.frames.values()] == [0]
    assert harness.crops.in_use == 0


def last_of(outputs: Sequence[Tracks]) -> dict[int, TrackState]:
    return {track.id: track for message in outputs for track in message.tracks}


def test_track_stage_reports_all_tracks_with_every_frame(harness: StageHarness) -> None:
    luma, boxes = draw_texts(("GATE 4", (40, 100)), ("PLATFORM", (300, 250)))
    outputs = harness.settle(luma, boxes, 10)
    assert [message.stamp.seq for message in outputs] == list(range(10))
    assert {message.size for message in outputs} == {SIZE}
    assert [len(message.tracks) for message in outputs[-3:]] == [2, 2, 2]
    for track, box in zip(outputs[-1].tracks, boxes, strict=True):
        assert np.reshape(track.quad, (4, 2)) == pytest.approx(rectangle(*box), abs=3)
        assert (track.start_s, track.end_s) == (0.0, None)
    assert {track.id for track in outputs[-1].tracks} == {1, 2}


def test_track_stage_reports_the_end_of_a_track_once(harness: StageHarness) -> None:
    luma, boxes = draw_texts(("GATE 4", (40, 100)))
    harness.settle(luma, boxes, 10)
    outputs = harness.settle(draw_texts()[0], [], 40)
    ends = [track.end_s for message in outputs for track in message.tracks if track.end_s is not None]
    assert ends == [pytest.approx(0.4)]
    assert outputs[-1].tracks == ()


def test_track_stage_starts_no_track_from_a_weak_detection(harness: StageHarness) -> None:
    luma, boxes = draw_texts(("GATE 4", (40, 100)))
    outputs = [message for _ in range(10) for message in harness.process(luma, regions(boxes, score=0.55))]
    assert last_of(outputs) == {}


def test_track_stage_cuts_upright_crops_of_the_height_of_the_recogniser(harness: StageHarness) -> None:
    luma, boxes = draw_texts(("GATE 4", (40, 100)), ("A LINE THAT IS LONGER THAN THE RECOGNISER READS", (20, 200)))
    crops = []
    for n in range(8):
        outputs = harness.process(luma, regions(boxes) if n % 5 == 0 else None)
        for message in outputs:
            for track in message.tracks:
                if track.crop is not None:
                    count = track.crop.width * track.crop.height
                    pixels = np.frombuffer(harness.crops.view(track.crop.slot), np.uint8, count)
                    crops.append((track.id, pixels.reshape(track.crop.height, track.crop.width).copy()))
        harness.release(outputs)
    assert [track for track, _ in crops] == [1, 2], "one reading each while nothing changes"
    short, long = (pixels for _, pixels in crops)
    height = boxes[0][3]
    assert short.shape == (32, pytest.approx(32 * (boxes[0][2] + 0.2 * height) / (1.2 * height), abs=8))
    assert long.shape == (32, CROP_SIZE[0])
    for pixels in (short, long):
        assert np.ptp(pixels) > 150
        assert pixels[:2].max() < 120, "the margin is free"


def test_track_stage_limits_crops_per_frame_and_sends_the_others_later(harness: StageHarness) -> None:
    texts = [(f"{row}{column}X", (10 + 70 * column, 30 + 40 * row)) for row in range(8) for column in range(9)]
    luma, boxes = draw_texts(*texts)
    counts, seen = [], set()
    for n in range(10):
        outputs = harness.process(luma, regions(boxes) if n % 5 == 0 else None)
        seen |= {track.id for message in outputs for track in message.tracks if track.crop is not None}
        counts.append(len(harness.release(outputs)))
    assert len(texts) > TRACK.max_crops_per_frame
    assert max(counts) == TRACK.max_crops_per_frame
    assert seen == set(range(1, len(texts) + 1))
    assert sum(counts) == len(texts)


def test_track_stage_requests_a_reading_of_a_changed_text(harness: StageHarness) -> None:
    luma, boxes = draw_texts(("12:01", (40, 100)))
    harness.settle(luma, boxes, 10)
    other, _ = draw_texts(("12:02", (40, 100)))
    crops = []
    for n in range(10):
        outputs = harness.process(other, regions(boxes) if n % 5 == 0 else None)
        crops += [
            (track.id, track.revision, track.start_s) for m in outputs for track in m.tracks if track.crop is not None
        ]
        harness.release(outputs)
    assert crops == [(1, 1, pytest.approx(0.4))]


def test_track_stage_continues_tracks_over_skipped_frames(harness: StageHarness) -> None:
    luma, boxes = draw_texts(("GATE 4", (40, 100)))
    before = harness.settle(luma, boxes, 10)[-1]
    outputs = [message for _ in range(50) for message in harness.process(None)]
    harness.release(outputs)
    assert [message.stamp.seq for message in outputs] == list(range(10, 60))
    assert {tuple(track.id for track in message.tracks) for message in outputs} == {(1,)}
    assert np.array(outputs[-1].tracks[0].quad) == pytest.approx(np.array(before.tracks[0].quad), abs=0.5)


def test_track_stage_starts_and_ends_no_track_in_damaged_frames(harness: StageHarness) -> None:
    luma, boxes = draw_texts(("GATE 4", (40, 100)))
    harness.settle(luma, boxes, 10)
    outputs = [message for _ in range(40) for message in harness.process(None, damaged=True)]
    assert {(track.id, track.end_s, track.crop) for message in outputs for track in message.tracks} == {(1, None, None)}
    assert set(last_of(harness.settle(luma, boxes, 10))) == {1}


def test_track_stage_ends_all_tracks_when_the_size_changes(harness: StageHarness) -> None:
    luma, boxes = draw_texts(("GATE 4", (40, 100)))
    harness.settle(luma, boxes, 10)
    larger, boxes = draw_texts(("GATE 4", (40, 100)), size=(960, 540))
    ended, first = harness.process(larger, regions(boxes))
    assert [(track.id, track.end_s) for track in ended.tracks] == [(1, pytest.approx(0.4))]
    assert (ended.size, ended.stamp.seq) == (SIZE, 9)
    assert (first.size, first.tracks) == ((960, 540), ())
    outputs = harness.settle(larger, boxes, 10)
    assert set(last_of(outputs)) == {2}
    assert last_of(outputs)[2].start_s == pytest.approx(0.4)


def test_track_stage_ends_all_tracks_in_a_new_epoch(harness: StageHarness) -> None:
    luma, boxes = draw_texts(("GATE 4", (40, 100)))
    harness.settle(luma, boxes, 10)
    ended, _ = harness.process(luma, regions(boxes), epoch=1)
    assert [(track.id, track.end_s) for track in ended.tracks] == [(1, pytest.approx(0.4))]
    assert set(last_of(harness.settle(luma, boxes, 10, epoch=1))) == {2}


def test_track_stage_ends_all_tracks_when_the_source_goes_down(harness: StageHarness) -> None:
    luma, boxes = draw_texts(("GATE 4", (40, 100)))
    harness.settle(luma, boxes, 10)
    gap = SourceChanged("clip", "gap", 0, 0.1, 0.2, 3)
    assert list(harness.stage.process([gap])) == [gap]
    down = SourceChanged("clip", "down", 0, 0.4, reason="The camera ended the stream.")
    ended, passed = harness.stage.process([down])
    assert isinstance(ended, Tracks)
    assert [(track.id, track.end_s) for track in ended.tracks] == [(1, pytest.approx(0.4))]
    assert passed == down
    assert set(last_of(harness.settle(luma, boxes, 10, epoch=1))) == {2}


def test_track_stage_accepts_a_source_that_was_never_up(harness: StageHarness) -> None:
    down = SourceChanged("clip", "down", 0, 0.0, reason="Nobody answers.")
    assert list(harness.stage.process([down])) == [down]


def test_track_stage_ends_all_tracks_with_the_stream(harness: StageHarness) -> None:
    luma, boxes = draw_texts(("GATE 4", (40, 100)), ("PLATFORM", (300, 250)))
    before = harness.settle(luma, boxes, 10)
    outputs, closed = harness.close(0.4)
    assert {track.id: track.end_s for message in outputs for track in message.tracks} == {1: 0.4, 2: 0.4}
    assert closed.counts["boxes"] == 2 * 10, "also in the frames before the tracks were confirmed"
    assert sum(len(message.tracks) for message in before) < 2 * 10


def test_track_stage_closes_a_stream_without_frames(harness: StageHarness) -> None:
    outputs, closed = harness.close(0.0)
    assert outputs == []
    assert closed.counts == {"boxes": 0}


def test_track_stage_keeps_streams_apart() -> None:
    harness = StageHarness("a", "b")
    one, boxes_of_one = draw_texts(("GATE 4", (40, 100)))
    other, boxes_of_other = draw_texts(("PLATFORM", (300, 250)))
    by_stream: dict[str, list[Tracks]] = {"a": [], "b": []}
    with harness.stage:
        for n in range(10):
            for stream, luma, boxes in (("a", one, boxes_of_one), ("b", other, boxes_of_other)):
                by_stream[stream] += harness.process(luma, regions(boxes) if n % 5 == 0 else None, stream=stream)
        outputs, _ = harness.close(0.4, "a")
        assert [track.end_s for track in outputs[0].tracks] == [0.4]
        after = harness.process(other, stream="b")
    for stream, (x, y, _, _) in (("a", boxes_of_one[0]), ("b", boxes_of_other[0])):
        assert {message.stamp.stream for message in by_stream[stream]} == {stream}
        (track,) = by_stream[stream][-1].tracks
        assert (track.id, track.quad[:2]) == (1, pytest.approx((x, y), abs=3))
    assert [track.end_s for track in after[0].tracks] == [None]
    assert [ring.in_use for ring in harness.frames.values()] == [0, 0]
