"""Readings of one track, with crops that are drawn and readings that are scripted."""

from collections.abc import Callable

import numpy as np
import pytest

from stream_ocr.core.geometry import rectangle, to_flat
from stream_ocr.core.messages import TrackState
from stream_ocr.models.recognition.ctc import Decoded, make_decoded
from stream_ocr.readings.second_reader import Crop
from stream_ocr.readings.track_readings import TrackReadings
from stream_ocr.readings.voting import Vote

QUAD = to_flat(rectangle(20, 300, 200, 20))


def state(revision: int = 0, start_s: float = 0.0) -> TrackState:
    return TrackState(1, QUAD, revision, start_s, QUAD, None, None)


def decoded(text: str, confidence: float, unsure: dict[int, float] | None = None) -> Decoded:
    """Return a reading. unsure: confidence of single characters, by index."""
    return make_decoded(text, [(unsure or {}).get(n, confidence) for n in range(len(text))])


class Track:
    """A track whose crops are read as a script says; a text is what is drawn."""

    def __init__(self, draw_crop: Callable[..., np.ndarray]) -> None:
        self._draw_crop = draw_crop
        self.readings: TrackReadings | None = None
        self.skipped = 0

    def read(
        self,
        drawn: str,
        read: Decoded,
        revision: int = 0,
        start_s: float = 0.0,
        *,
        behind: np.ndarray | None = None,
        quality: int = 80,
    ) -> tuple[str, int, float]:
        """Read a crop if that may help; return text, revision and start of the track's reading."""
        now = state(revision, start_s)
        self.readings = self.readings or TrackReadings(now)
        crop = Crop(self._draw_crop(drawn, behind=behind, quality=quality), 0.28)
        if self.readings.shows_new_text(now, crop) or not self.readings.votes or not self.readings.votes.agreeing > 1:
            self.readings.add([Vote(read, float(np.prod(read.char_confidences)))], 20.0, now, crop)
        else:
            self.skipped += 1
        reading = self.readings.reading(now, None)
        return reading.text, reading.revision, reading.start_s


@pytest.fixture
def track(draw_crop: Callable[..., np.ndarray]) -> Track:
    return Track(draw_crop)


def test_track_readings_count_another_reading_of_the_same_pixels_as_a_vote(track) -> None:
    assert track.read("CNBC WORLD", decoded("CNBC WORLD", 0.97)) == ("CNBC WORLD", 0, 0.0)
    misread = decoded("CNEC WORLD", 0.95)
    assert track.read("CNBC WORLD", misread, 1, 2.0, quality=60) == ("CNBC WORLD", 0, 0.0)
    assert track.readings is not None
    assert len(track.readings.votes) == 2
    assert track.read("CNBC WORLD", misread, 2, 3.0, quality=70) == ("CNEC WORLD", 0, 0.0), "two votes to one"


def test_track_readings_need_no_further_crop_of_the_same_text_once_they_agree(track) -> None:
    for revision in range(6):
        result = track.read("CAM 04 12:01", decoded("CAM 04 12:01", 0.9), revision, revision, quality=60 + revision)
        assert result == ("CAM 04 12:01", 0, 0.0)
    assert track.skipped == 4


@pytest.mark.parametrize(
    ("before", "after"),
    [("12:00:08", "12:00:09"), ("HOME 3 : 2", "HOME 3 : 3"), ("LEFT", "LIFT"), ("Score A", "Score B")],
)
def test_track_readings_start_another_text_when_a_letter_visibly_changes(track, before, after) -> None:
    track.read(before, decoded(before, 0.95))
    assert track.read(after, decoded(after, 0.95), 1, 2.0) == (after, 1, 2.0)


def test_track_readings_start_another_text_when_a_whole_line_changes(track, film) -> None:
    track.read("Nobody knows when", decoded("Nobody knows when", 0.97), behind=film(1))
    after = "The train is late"
    assert track.read(after, decoded(after, 0.85), 1, 2.0, behind=film(2)) == (after, 1, 2.0)


def test_track_readings_count_an_unsure_letter_over_film_as_a_vote(track, film) -> None:
    line = "ATP TENNIS TV"
    track.read(line, decoded(line, 0.97), behind=film(1))
    misread = decoded("ATR TENNIS TV", 0.98)
    assert track.read(line, misread, 1, 2.0, behind=film(2))[1:] == (0, 0.0)


def test_track_readings_date_a_tick_to_its_frame_once_it_is_read_surely(track) -> None:
    unsure = decoded("12:00:09", 0.97, {7: 0.6})
    track.read("12:00:08", decoded("12:00:08", 0.97))
    assert track.read("12:00:09", unsure, 1, 1.0) == ("12:00:08", 0, 0.0), "it may be the same"
    assert track.read("12:00:09", decoded("12:00:09", 0.97), 1, 1.0) == ("12:00:09", 1, 1.0)


def test_track_readings_continue_a_text_whose_pixels_changed_but_not_its_reading(track, film) -> None:
    track.read("GATE 4", decoded("GATE 4", 0.97), behind=film(1))
    assert track.read("GATE 4", decoded("GATE4", 0.9), 1, 2.0, behind=film(2)) == ("GATE 4", 0, 0.0)


def test_track_readings_ignore_an_illegible_revision(track) -> None:
    track.read("GATE 4", decoded("GATE 4", 0.97))
    assert track.read("......", decoded("", 0.0), 1, 2.0) == ("", 1, 2.0)
    assert track.read("GATE 4", decoded("GATE 4", 0.97), 2, 3.0) == ("GATE 4", 2, 3.0)


def test_track_readings_date_every_tick_of_a_clock_despite_unsure_digits(track) -> None:
    def read(second: int, text: str, sure: float) -> tuple[str, int, float]:
        return track.read(f"12:00:0{second}", decoded(text, 0.97, {7: sure}), second, float(second))

    found = [read(1, "12:00:01", 0.97), read(2, "12:00:02", 0.97), read(3, "12:00:03", 0.97)]
    found += [read(4, "12:00:04", 0.6), read(5, "12:00:06", 0.55), read(6, "12:00:06", 0.97)]
    assert found == [(f"12:00:0{second}", second, float(second)) for second in range(1, 7)]


def test_track_readings_start_no_text_for_a_missed_colon(track, film) -> None:
    track.read("10:48:03", decoded("10:48:03", 0.97), behind=film(1))
    assert track.read("10:48:03", decoded("1048:03", 0.95), 1, 2.0, behind=film(2)) == ("10:48:03", 0, 0.0)
