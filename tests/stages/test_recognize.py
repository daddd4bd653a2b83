"""Recognize stage: readings from tracks and their crops."""

from collections.abc import Iterator, Sequence
from itertools import count
from pathlib import Path

import cv2
import numpy as np
import pytest

from stream_ocr.config.settings import Settings
from stream_ocr.core.geometry import rectangle, to_flat
from stream_ocr.core.messages import CropRef, Reading, Readings, Stamp, StreamClosed, Tracks, TrackState
from stream_ocr.models.recognition.charset import DEFAULT
from stream_ocr.models.recognition.ctc import NO_TEXT, Decoded, DecodeFn
from stream_ocr.runtime.shm_ring import Ring
from stream_ocr.stages.recognize import RecognizeStage

TEXTS = ("", "GATE 4", "GATE A", "PLATFORM", "12:01", "12:02")


class Listed:
    """A recogniser whose reading is given by the pixels of a crop: all are the index of its text in ``TEXTS``."""

    charset = DEFAULT

    def __init__(self, confidence: float = 0.8) -> None:
        self.confidence = confidence
        self.batches: list[int] = []

    def read(self, crops: Sequence[np.ndarray], transcribe: DecodeFn | None = None) -> list[Decoded]:
        assert transcribe is None  # as no source has a vocabulary of its own
        self.batches.append(len(crops))
        assert all(crop.dtype == np.uint8 and np.ptp(crop) == 0 for crop in crops)
        return [self._decoded(TEXTS[crop[0, 0]]) for crop in crops]

    def _decoded(self, text: str) -> Decoded:
        return Decoded(text, self.confidence, (self.confidence,) * len(text)) if text else NO_TEXT


class Reader:
    """A stage, its ring, and messages for it."""

    def __init__(self, confidence: float = 0.8, *settings: str) -> None:
        self.crops = Ring.anonymous(8, 4096)
        self.recognizer = Listed(confidence)
        self.stage = RecognizeStage(Settings.load(None, settings), self.crops, self.recognizer)
        self._seq = count()

    def track(
        self,
        shows: str | None = None,
        *,
        track: int = 1,
        revision: int = 0,
        start_s: float = 0.0,
        end_s: float | None = None,
        height: float = 20,
    ) -> TrackState:
        """A track; with a crop that shows a text where one is given."""
        quad = to_flat(rectangle(10, 20, 100, height))
        crop = None if shows is None else self._crop(TEXTS.index(shows))
        return TrackState(track, quad, revision, start_s, quad, end_s, crop)

    def read(self, *tracks: TrackState, stream: str = "clip") -> list[Reading]:
        """Return the readings of one more frame."""
        stamp = Stamp(stream, 0, next(self._seq), 0, (1, 25), 1, 0)
        (message,) = self.stage.process([Tracks(stamp, (640, 360), tracks)])
        assert isinstance(message, Readings)
        assert (message.stamp, message.size) == (stamp, (640, 360))
        assert self.crops.in_use == 0
        return list(message.readings)

    def closed(self, stream: str = "clip") -> StreamClosed:
        (closed,) = self.stage.close(StreamClosed(stream, "end", 0.0, 1.0, {"boxes": 9}))
        assert isinstance(closed, StreamClosed)
        return closed

    def _crop(self, number: int) -> CropRef:
        claim = self.crops.claim(timeout_s=0)
        assert claim is not None
        np.frombuffer(claim[1], np.uint8)[:] = 255  # of whatever was there before
        np.frombuffer(claim[1], np.uint8, 30 * 32)[:] = number
        return CropRef(self.crops.commit(claim[0]), 30, 32)


@pytest.fixture
def reader() -> Iterator[Reader]:
    reader = Reader()
    with reader.stage:
        yield reader


def texts(readings: Sequence[Reading]) -> list[str]:
    return [reading.text for reading in readings]


def test_recognize_stage_reads_a_crop_and_releases_its_slot(reader: Reader) -> None:
    track = reader.track("GATE 4", track=7, revision=3, start_s=1.5)
    (reading,) = reader.read(track)
    assert (reading.text, reading.confidence, reading.char_confidences, reading.crops_read) == (
        "GATE 4",
        0.8,
        (0.8,) * 6,
        1,
    )
    assert (reading.track, reading.revision, reading.start_s, reading.end_s) == (7, 3, 1.5, None)
    assert (reading.quad, reading.start_quad) == (track.quad, track.start_quad)


def test_recognize_stage_yields_an_empty_reading_for_an_unread_track(reader: Reader) -> None:
    (reading,) = reader.read(reader.track())
    assert (reading.text, reading.confidence, reading.char_confidences, reading.crops_read) == ("", 0.0, (), 0)


def test_recognize_stage_yields_the_best_reading_with_every_frame(reader: Reader) -> None:
    reader.read(reader.track("GATE 4"))
    assert [texts(reader.read(reader.track())) for _ in range(3)] == [["GATE 4"]] * 3
    assert reader.recognizer.batches == [1]


def test_recognize_stage_reads_all_crops_of_a_frame_together_in_order(reader: Reader) -> None:
    wanted = ["PLATFORM", "", "12:01", "GATE 4"]
    tracks = [reader.track(text or None, track=n) for n, text in enumerate(wanted)]
    assert texts(reader.read(*tracks)) == wanted
    assert reader.recognizer.batches == [3]


def test_looks_are_fused(reader: Reader) -> None:
    readings = [reader.read(reader.track(text))[0] for text in ("GATE A", "GATE 4", "GATE 4")]
    assert [reading.text for reading in readings] == ["GATE A", "GATE A", "GATE 4"]
    assert [reading.crops_read for reading in readings] == [1, 2, 3]


def test_recognize_stage_yields_the_crop_of_a_text_once_if_the_store_keeps_crops(
    reader: Reader, tmp_path: Path
) -> None:
    assert reader.read(reader.track("GATE 4"))[0].crop is None
    keeping = Reader(0.8, f"store.path={tmp_path}/events.db", "store.crops=true")
    with keeping.stage:
        shown = [keeping.read(keeping.track(text))[0].crop for text in ("GATE A", None, "GATE 4", "GATE 4")]
        assert [crop is not None for crop in shown] == [True, False, False, True], "none of a reading that was outvoted"
        assert keeping.read(keeping.track("12:01", revision=1))[0].crop is not None
    for crop, text in ((shown[0], "GATE A"), (shown[3], "GATE 4")):
        pixels = cv2.imdecode(np.frombuffer(crop or b"", np.uint8), cv2.IMREAD_GRAYSCALE)
        assert pixels.shape == (32, 30)
        assert np.abs(pixels.astype(int) - TEXTS.index(text)).max() <= 3


def test_recognize_stage_weighs_larger_crops_more(reader: Reader) -> None:
    reader.read(reader.track("GATE A", height=12))
    assert texts(reader.read(reader.track("GATE 4", height=30))) == ["GATE 4"]


def test_looks_that_can_change_nothing_are_given_back_unread() -> None:
    reader = Reader(confidence=0.99)
    with reader.stage:
        readings = [reader.read(reader.track("GATE 4"))[0] for _ in range(4)]
    assert reader.recognizer.batches == [1]
    assert {(reading.text, reading.crops_read) for reading in readings} == {("GATE 4", 1)}
    assert reader.closed().counts == {"boxes": 9, "crops_read": 1, "second_readings": 0}


def test_recognize_stage_reads_every_crop_with_reread_always() -> None:
    reader = Reader(0.99, "recognition.reread=always")
    with reader.stage:
        readings = [reader.read(reader.track("GATE 4"))[0] for _ in range(4)]
    assert [reading.crops_read for reading in readings] == [1, 2, 3, 4]


def test_another_text_in_the_same_place_is_read_for_itself(reader: Reader) -> None:
    reader.read(reader.track("12:01"))
    reader.read(reader.track("12:01"))
    (unread,) = reader.read(reader.track(revision=1, start_s=1.0))
    assert (unread.text, unread.revision) == ("12:01", 0), "it may be the same text"
    (reading,) = reader.read(reader.track("12:02", revision=1, start_s=1.0))
    assert (reading.text, reading.crops_read) == ("12:02", 1)


def test_recognize_stage_forgets_a_reading_after_the_end_of_its_text(reader: Reader) -> None:
    reader.read(reader.track("GATE 4"))
    (reading,) = reader.read(reader.track(end_s=2.0))
    assert (reading.text, reading.end_s) == ("GATE 4", 2.0)
    reader.read()
    assert texts(reader.read(reader.track())) == [""]


def test_streams_do_not_mix(reader: Reader) -> None:
    reader.read(reader.track("GATE 4"), stream="a")
    assert texts(reader.read(reader.track("PLATFORM"), stream="b")) == ["PLATFORM"]
    assert texts(reader.read(reader.track(), stream="a")) == ["GATE 4"]
    assert reader.closed("a").counts["crops_read"] == 1
    assert texts(reader.read(reader.track(), stream="b")) == ["PLATFORM"]
    assert texts(reader.read(reader.track(), stream="a")) == [""]
    assert reader.closed("b").counts["crops_read"] == 1


def test_recognize_stage_yields_readings_frame_by_frame(reader: Reader) -> None:
    batch = [
        Tracks(Stamp("clip", 0, n, n, (1, 25), 1, 0), (640, 360), (reader.track("GATE 4" if n == 1 else None),))
        for n in range(3)
    ]
    messages = [message for message in reader.stage.process(batch) if isinstance(message, Readings)]
    assert [message.stamp.seq for message in messages] == [0, 1, 2]
    assert [texts(message.readings) for message in messages] == [[""], ["GATE 4"], ["GATE 4"]]
    assert reader.crops.in_use == 0


def test_recognize_stage_closes_a_stream_without_frames(reader: Reader) -> None:
    assert reader.closed().counts == {"boxes": 9, "crops_read": 0, "second_readings": 0}
