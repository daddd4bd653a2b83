"""What the track stage makes of frames and detections: tracks, crops, and slots that are given back."""

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
from stream_ocr.stages.track import MOST_CROPS, TrackStage
from stream_ocr.testing import grey_frame

SIZE = (640, 360)
CROP_SIZE = (400, 32)
SETTINGS = Settings.load(overrides=["tracking.birth_score=0.6", "recognition.margin=0.1"])

Box = tuple[int, int, int, int]


def picture(*texts: tuple[str, tuple[int, int]], size: tuple[int, int] = SIZE) -> tuple[np.ndarray, list[Box]]:
    """White texts on grey with their left bottom corners at given places, and their boxes."""
    luma = np.full((size[1], size[0]), 60, np.uint8)
    boxes = []
    for text, (x, y) in texts:
        cv2.putText(luma, text, (x, y), cv2.FONT_HERSHEY_SIMPLEX, 0.6, 235, 2, cv2.LINE_AA)
        (width, height), _ = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, 0.6, 2)
        boxes.append((x - 3, y - height - 3, width + 6, height + 6))
    return luma, boxes


def regions(boxes: Sequence[Box], score: float = 0.9) -> tuple[Detection, ...]:
    return tuple(Detection(to_flat(rectangle(*box)), score) for box in boxes)


class Follower:
    """A track stage and its rings; each frame that is shown lasts 1/25 s. Crops are given back by ``give_back``."""

    def __init__(self, *streams: str) -> None:
        self.frames = {stream: Ring.anonymous(2, byte_count((960, 540))) for stream in streams or ("clip",)}
        self.crops = Ring.anonymous(MOST_CROPS + 1, CROP_SIZE[0] * CROP_SIZE[1])
        self.stage = TrackStage(SETTINGS, self.frames, self.crops, CROP_SIZE)
        self._count = dict.fromkeys(self.frames, 0)

    def frame(
        self, luma: np.ndarray | None, *, stream: str = "clip", epoch: int = 0, damaged: bool = False, looked: bool
    ) -> FrameRef:
        """A frame; None is a picture like the one before."""
        slot: SlotRef | None = None
        if luma is not None:
            claim = self.frames[stream].claim(timeout_s=0)
            assert claim is not None, "slots are given back frame by frame"
            write_frame(grey_frame(luma), claim[1])
            slot = self.frames[stream].commit(claim[0])
            self.size = luma.shape[1], luma.shape[0]
        seq, self._count[stream] = self._count[stream], self._count[stream] + 1
        look = "skip" if luma is None else "detect" if looked else "track"
        return FrameRef(Stamp(stream, epoch, seq, seq, (1, 25), 1, 0), self.size, look, slot, True, damaged, False)

    def show(
        self,
        luma: np.ndarray | None,
        found: Sequence[Detection] | None = None,
        *,
        stream: str = "clip",
        epoch: int = 0,
        damaged: bool = False,
    ) -> list[Tracks]:
        """What is said of one more frame."""
        ref = self.frame(luma, stream=stream, epoch=epoch, damaged=damaged, looked=found is not None)
        said = list(self.stage.process([Detections(ref, None if found is None else tuple(found))]))
        assert all(isinstance(message, Tracks) for message in said)
        return said

    def close(self, end_s: float, stream: str = "clip") -> tuple[list[Tracks], StreamClosed]:
        *said, closed = self.stage.close(StreamClosed(stream, "end", 0.0, end_s, {}))
        assert isinstance(closed, StreamClosed)
        return said, closed

    def give_back(self, said: Sequence[Tracks]) -> list[CropRef]:
        """The crops of messages; their slots are free again."""
        crops = [track.crop for message in said for track in message.tracks if track.crop is not None]
        for crop in crops:
            self.crops.release(crop.slot)
        return crops

    def settle(self, luma: np.ndarray, boxes: Sequence[Box], frames: int = 8, **given: object) -> list[Tracks]:
        """Show one picture for a while; the detector looks at every fifth frame."""
        said = []
        for n in range(frames):
            told = self.show(luma, regions(boxes) if n % 5 == 0 else None, **given)
            self.give_back(told)
            said += told
        return said


@pytest.fixture
def follower() -> Iterator[Follower]:
    follower = Follower()
    with follower.stage:
        yield follower
    assert [ring.in_use for ring in follower.frames.values()] == [0]
    assert follower.crops.in_use == 0


def last_of(said: Sequence[Tracks]) -> dict[int, TrackState]:
    return {track.id: track for message in said for track in message.tracks}


def test_every_frame_is_answered_with_all_that_is_there(follower: Follower) -> None:
    luma, boxes = picture(("GATE 4", (40, 100)), ("PLATFORM", (300, 250)))
    said = follower.settle(luma, boxes, 10)
    assert [message.stamp.seq for message in said] == list(range(10))
    assert {message.size for message in said} == {SIZE}
    assert [len(message.tracks) for message in said[-3:]] == [2, 2, 2]
    for track, box in zip(said[-1].tracks, boxes, strict=True):
        assert np.reshape(track.quad, (4, 2)) == pytest.approx(rectangle(*box), abs=3)
        assert (track.start_s, track.end_s) == (0.0, None)
    assert {track.id for track in said[-1].tracks} == {1, 2}


def test_a_text_that_goes_is_mentioned_once_more_with_its_end(follower: Follower) -> None:
    luma, boxes = picture(("GATE 4", (40, 100)))
    follower.settle(luma, boxes, 10)
    said = follower.settle(picture()[0], [], 40)
    ends = [track.end_s for message in said for track in message.tracks if track.end_s is not None]
    assert ends == [pytest.approx(0.4)]
    assert said[-1].tracks == ()


def test_a_weak_region_starts_no_track(follower: Follower) -> None:
    luma, boxes = picture(("GATE 4", (40, 100)))
    said = [message for _ in range(10) for message in follower.show(luma, regions(boxes, score=0.55))]
    assert last_of(said) == {}


def test_crops_are_upright_cuts_as_high_as_the_recogniser_wants(follower: Follower) -> None:
    luma, boxes = picture(("GATE 4", (40, 100)), ("A LINE THAT IS LONGER THAN THE RECOGNISER READS", (20, 200)))
    crops = []
    for n in range(8):
        said = follower.show(luma, regions(boxes) if n % 5 == 0 else None)
        for message in said:
            for track in message.tracks:
                if track.crop is not None:
                    count = track.crop.width * track.crop.height
                    pixels = np.frombuffer(follower.crops.view(track.crop.slot), np.uint8, count)
                    crops.append((track.id, pixels.reshape(track.crop.height, track.crop.width).copy()))
        follower.give_back(said)
    assert [track for track, _ in crops] == [1, 2], "each is read once while nothing changes"
    short, long = (pixels for _, pixels in crops)
    height = boxes[0][3]
    assert short.shape == (32, pytest.approx(32 * (boxes[0][2] + 0.2 * height) / (1.2 * height), abs=8))
    assert long.shape == (32, CROP_SIZE[0])
    for pixels in (short, long):
        assert np.ptp(pixels) > 150
        assert pixels[:2].max() < 120, "the margin is free"


def test_crops_of_a_frame_are_limited_and_the_others_come_with_the_next(follower: Follower) -> None:
    texts = [(f"{row}{column}X", (10 + 70 * column, 30 + 40 * row)) for row in range(8) for column in range(9)]
    luma, boxes = picture(*texts)
    counts, seen = [], set()
    for n in range(10):
        said = follower.show(luma, regions(boxes) if n % 5 == 0 else None)
        seen |= {track.id for message in said for track in message.tracks if track.crop is not None}
        counts.append(len(follower.give_back(said)))
    assert len(texts) > MOST_CROPS
    assert max(counts) == MOST_CROPS
    assert seen == set(range(1, len(texts) + 1))
    assert sum(counts) == len(texts)


def test_a_changed_text_is_read_again(follower: Follower) -> None:
    luma, boxes = picture(("12:01", (40, 100)))
    follower.settle(luma, boxes, 10)
    other, _ = picture(("12:02", (40, 100)))
    crops = []
    for n in range(10):
        said = follower.show(other, regions(boxes) if n % 5 == 0 else None)
        crops += [
            (track.id, track.revision, track.start_s) for m in said for track in m.tracks if track.crop is not None
        ]
        follower.give_back(said)
    assert crops == [(1, 1, pytest.approx(0.4))]


def test_frames_in_which_nothing_changed_carry_the_tracks_on(follower: Follower) -> None:
    luma, boxes = picture(("GATE 4", (40, 100)))
    before = follower.settle(luma, boxes, 10)[-1]
    said = [message for _ in range(50) for message in follower.show(None)]
    follower.give_back(said)
    assert [message.stamp.seq for message in said] == list(range(10, 60))
    assert {tuple(track.id for track in message.tracks) for message in said} == {(1,)}
    assert np.array(said[-1].tracks[0].quad) == pytest.approx(np.array(before.tracks[0].quad), abs=0.5)


def test_damaged_frames_make_no_new_text_and_end_none(follower: Follower) -> None:
    luma, boxes = picture(("GATE 4", (40, 100)))
    follower.settle(luma, boxes, 10)
    said = [message for _ in range(40) for message in follower.show(None, damaged=True)]
    assert {(track.id, track.end_s, track.crop) for message in said for track in message.tracks} == {(1, None, None)}
    assert set(last_of(follower.settle(luma, boxes, 10))) == {1}


def test_another_size_ends_all_tracks(follower: Follower) -> None:
    luma, boxes = picture(("GATE 4", (40, 100)))
    follower.settle(luma, boxes, 10)
    larger, boxes = picture(("GATE 4", (40, 100)), size=(960, 540))
    ended, first = follower.show(larger, regions(boxes))
    assert [(track.id, track.end_s) for track in ended.tracks] == [(1, pytest.approx(0.4))]
    assert (ended.size, ended.stamp.seq) == (SIZE, 9)
    assert (first.size, first.tracks) == ((960, 540), ())
    said = follower.settle(larger, boxes, 10)
    assert set(last_of(said)) == {2}
    assert last_of(said)[2].start_s == pytest.approx(0.4)


def test_another_epoch_ends_all_tracks(follower: Follower) -> None:
    luma, boxes = picture(("GATE 4", (40, 100)))
    follower.settle(luma, boxes, 10)
    ended, _ = follower.show(luma, regions(boxes), epoch=1)
    assert [(track.id, track.end_s) for track in ended.tracks] == [(1, pytest.approx(0.4))]
    assert set(last_of(follower.settle(luma, boxes, 10, epoch=1))) == {2}


def test_a_source_that_goes_down_ends_all_tracks_and_ids_go_on(follower: Follower) -> None:
    luma, boxes = picture(("GATE 4", (40, 100)))
    follower.settle(luma, boxes, 10)
    gap = SourceChanged("clip", "gap", 0, 0.1, 0.2, 3)
    assert list(follower.stage.process([gap])) == [gap]
    down = SourceChanged("clip", "down", 0, 0.4, reason="The camera ended the stream.")
    ended, passed = follower.stage.process([down])
    assert isinstance(ended, Tracks)
    assert [(track.id, track.end_s) for track in ended.tracks] == [(1, pytest.approx(0.4))]
    assert passed == down
    assert set(last_of(follower.settle(luma, boxes, 10, epoch=1))) == {2}


def test_a_source_that_was_never_up_can_go_down(follower: Follower) -> None:
    down = SourceChanged("clip", "down", 0, 0.0, reason="Nobody answers.")
    assert list(follower.stage.process([down])) == [down]


def test_the_end_of_a_stream_ends_all_tracks(follower: Follower) -> None:
    luma, boxes = picture(("GATE 4", (40, 100)), ("PLATFORM", (300, 250)))
    told = follower.settle(luma, boxes, 10)
    said, closed = follower.close(0.4)
    assert {track.id: track.end_s for message in said for track in message.tracks} == {1: 0.4, 2: 0.4}
    assert closed.counts["boxes"] == 2 * 10, "also in the frames before the first one that tells of them"
    assert sum(len(message.tracks) for message in told) < 2 * 10


def test_the_end_of_a_stream_that_never_began(follower: Follower) -> None:
    said, closed = follower.close(0.0)
    assert said == []
    assert closed.counts == {"boxes": 0}


def test_streams_have_texts_of_their_own() -> None:
    follower = Follower("a", "b")
    one, boxes_of_one = picture(("GATE 4", (40, 100)))
    other, boxes_of_other = picture(("PLATFORM", (300, 250)))
    told: dict[str, list[Tracks]] = {"a": [], "b": []}
    with follower.stage:
        for n in range(10):
            for stream, luma, boxes in (("a", one, boxes_of_one), ("b", other, boxes_of_other)):
                told[stream] += follower.show(luma, regions(boxes) if n % 5 == 0 else None, stream=stream)
        said, _ = follower.close(0.4, "a")
        assert [track.end_s for track in said[0].tracks] == [0.4]
        after = follower.show(other, stream="b")
    for stream, (x, y, _, _) in (("a", boxes_of_one[0]), ("b", boxes_of_other[0])):
        assert {message.stamp.stream for message in told[stream]} == {stream}
        (track,) = told[stream][-1].tracks
        assert (track.id, track.quad[:2]) == (1, pytest.approx((x, y), abs=3))
    assert [track.end_s for track in after[0].tracks] == [None]
    assert [ring.in_use for ring in follower.frames.values()] == [0, 0]
