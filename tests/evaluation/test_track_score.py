"""CLEAR-MOT and identity measures of examples that are computed by hand; 50 moments a second."""

import pytest
from evaluation.texts import line, visible

from stream_ocr.evaluation.timed_text import TimedText
from stream_ocr.evaluation.track_score import TrackScore, track_score
from stream_ocr.evaluation.truth import Truth
from stream_ocr.events import TextEvent


def scored(events: list[TextEvent], *lines: TimedText, ignored: tuple[TimedText, ...] = ()) -> TrackScore:
    return track_score(Truth("v", 10.0, lines, ignored), events)


def test_track_score_of_correct_events_is_one() -> None:
    assert scored(visible(1, "Gate 7", 0, 4), line("gate 7", 0, 4)) == TrackScore(1.0, 1.0, 0)


def test_track_score_of_a_broken_track_is_one_switch_and_half_an_identity() -> None:
    """200 moments: 1 switch. IDTP 100, IDFN 100, IDFP 100."""
    found = scored(visible(1, "Gate", 0, 2) + visible(2, "Gate", 2, 4), line("Gate", 0, 4))
    assert (found.mota, found.idf1, found.id_switches) == (1 - 1 / 200, 0.5, 1)


def test_track_score_of_a_gap_is_misses_and_one_switch() -> None:
    """200 moments: 50 misses, 1 switch. IDTP 100, IDFN 100, IDFP 50."""
    found = scored(visible(1, "Gate", 0, 2) + visible(2, "Gate", 3, 4), line("Gate", 0, 4))
    assert found.mota == pytest.approx(1 - 51 / 200)
    assert found.idf1 == pytest.approx(200 / 350)
    assert found.id_switches == 1


def test_track_score_counts_the_time_of_a_late_start_and_a_late_end() -> None:
    """100 moments: 25 misses, 25 false positives. IDTP 75, IDFN 25, IDFP 25."""
    found = scored(visible(1, "Gate", 1.5, 3.5), line("Gate", 1, 3))
    assert (found.mota, found.idf1, found.id_switches) == (0.5, 0.75, 0)


def test_track_score_counts_a_misread_word_as_missed_and_false() -> None:
    """2 words for 100 moments: 100 misses, 100 false positives."""
    found = scored(visible(1, "Gate 1", 0, 2), line("Gate 7", 0, 2))
    assert (found.mota, found.idf1) == (0.0, 0.5)


def test_mota_is_negative_if_most_is_false() -> None:
    """50 true moments, 50 misses, 100 false positives."""
    found = scored(visible(1, "Brick", 0, 2, x=400), line("Gate", 0, 1))
    assert (found.mota, found.idf1) == (-2.0, 0.0)


def test_track_score_counts_a_second_track_of_a_word_as_false() -> None:
    """200 moments: 100 false positives, no switch although the first track is listed last."""
    found = scored(visible(2, "Gate", 1, 3) + visible(1, "Gate", 0, 4), line("Gate", 0, 4))
    assert (found.mota, found.idf1, found.id_switches) == (0.5, 400 / 500, 0)


def test_track_score_tells_two_equal_words_side_by_side_apart() -> None:
    events = visible(1, "Exit", 0, 4, x=100) + visible(2, "Exit", 1, 4, x=190)
    found = scored(events, line("Exit", 0, 4, x=100), line("Exit", 1, 4, x=190))
    assert (found.mota, found.idf1, found.id_switches) == (1.0, 1.0, 0)


def test_track_score_excuses_hard_words_and_ignored_places() -> None:
    events = visible(1, "Gate", 0, 2) + visible(2, "tinv", 0, 2, x=400) + visible(3, "0815", 3, 4)
    lines = line("Gate", 0, 2), line("tiny", 0, 2, x=400, hard=True)
    assert scored(events, *lines, ignored=(line("", 3, 4),)) == TrackScore(1.0, 1.0, 0)


def test_track_score_is_undefined_without_words() -> None:
    assert scored([]) == TrackScore(None, None, 0)
    assert scored(visible(1, "Brick", 0, 1)) == TrackScore(None, 0.0, 0)
    assert scored([], line("Gate", 0, 1)) == TrackScore(0.0, 0.0, 0)
    assert TrackScore(1 / 3, None, 2).metrics() == {"mota": 0.3333, "idf1": None, "id_switches": 2}
