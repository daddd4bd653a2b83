"""The judgement of `make soak`: it must see every mistake that a run could make."""

import struct
from datetime import UTC, datetime

import pytest
import soak_texts
from soak_faults import Fault
from soak_truth import Connection, Showing, read_record

from stream_ocr.events import SourceEvent, TextEvent
from stream_ocr.synthetic.scene import Text

ORIGIN_S = 1_700_000_000.0
UP_S = 5.0
SQUARE = ((10.0, 10.0), (110.0, 10.0), (110.0, 30.0), (10.0, 30.0))
SHOWING = Showing("GATE 12", 1.0, 4.0, ORIGIN_S + UP_S + 1.0, ORIGIN_S + UP_S + 4.0, is_complete=True)


def text(kind="appeared", text="GATE 12", start=UP_S + 1.0, *, track=1, emitted_s=None, end=None) -> TextEvent:
    emitted = datetime.fromtimestamp(ORIGIN_S + (start + 0.3 if emitted_s is None else emitted_s), UTC)
    values = {"confidence": 0.9, "polygon": SQUARE, "size": (640, 360), "emitted_utc": emitted}
    name = f"{track}-{kind}-{text}-{start}"
    return TextEvent(id=name, seq=0, kind=kind, stream="gate", track=track, text=text, start=start, end=end, **values)


def source(kind, start, **more) -> SourceEvent:
    return SourceEvent(id=f"{kind}-{start}", seq=0, kind=kind, stream="gate", start=start, **more)


def judged(*events, showing=SHOWING, faults=()):
    connection = Connection(ORIGIN_S + UP_S, (showing,))
    all_events = [source("source.up", UP_S), *events, source("source.down", UP_S + 20)]
    return soak_texts.judge(all_events, [connection], ["GATE 12"], faults, ORIGIN_S)


def fault(name="kill -9 of detect", at_s=2.0, **more) -> Fault:
    return Fault(name, ORIGIN_S + UP_S + at_s, ORIGIN_S + UP_S + at_s + 1.0, **more)


def test_text_in_time_is_right():
    verdict = judged(text(), text("ended", end=UP_S + 4.0))
    assert (verdict.judged, verdict.right, verdict.late, verdict.false) == (1, 1, [], [])
    assert verdict.start_errors_s == [0.0]
    assert verdict.delays_s == pytest.approx([0.1], abs=1e-5)


@pytest.mark.parametrize(
    ("events", "reason"),
    [
        ((), "not reported"),
        ((text(text="GATE 1Z"),), "read as 'GATE 1Z'"),
        ((text(), text("updated", "GATE 1Z")), "read as 'GATE 1Z'"),
        ((text(), text(track=2, start=UP_S + 2)), "reported as 2 tracks"),
        ((text(start=UP_S + 0.5),), "not reported"),
    ],
)
def test_text_that_is_missing_wrong_or_doubled_is_not_right(events, reason):
    verdict = judged(*events)
    assert (verdict.judged, verdict.right) == (1, 0)
    assert verdict.not_right[0].endswith(reason)


def test_text_is_right_once_its_last_reading_is_and_emitted_with_that_reading():
    verdict = judged(text(text="GATE 1Z"), text("updated", emitted_s=UP_S + 3.0))
    assert verdict.right == 1
    assert verdict.delays_s == pytest.approx([1.8], abs=1e-5)
    assert len(verdict.late) == 1


def test_step_of_the_wall_clock_is_no_delay():
    verdict = judged(text(emitted_s=UP_S + 1.3 + 3600))
    assert verdict.delays_s == pytest.approx([0.1], abs=1e-5)


def test_late_text_counts_unless_a_fault_kept_it_back():
    late = text(emitted_s=UP_S + 3.0)
    assert len(judged(late).late) == 1
    assert judged(late, faults=[fault(delays=True, at_s=1.0)]).without_delay == 1
    assert len(judged(late, faults=[fault(delays=True, at_s=1.0, stream="yard")]).late) == 1
    assert len(judged(late, faults=[fault("kill -9 of web", at_s=1.0)]).late) == 1


def test_other_text_is_false():
    assert len(judged(text(), text(text="EXIT", track=2)).false) == 1


def test_text_in_a_gap_is_excluded_only_if_a_fault_explains_the_gap():
    gap = source("source.gap", UP_S + 2.0, end=UP_S + 3.0, frames=25, reason="The detect worker was replaced.")
    verdict = judged(gap, faults=[fault(hides="frames")])
    assert (verdict.judged, sum(verdict.excluded.values()), verdict.gaps) == (0, 1, [])
    verdict = judged(gap)
    assert (verdict.judged, verdict.right, len(verdict.gaps)) == (1, 0, 1)
    verdict = judged(text(), faults=[fault(hides="frames")])
    assert (verdict.judged, verdict.right) == (1, 1), "nothing was lost, so the fault excuses nothing"


@pytest.mark.parametrize(
    ("showing", "reason"),
    [
        (Showing("GATE 12", 1.0, 4.0, 0.0, 0.0, is_complete=False), "did not send"),
        (Showing("GATE 12", 18.0, 21.0, 0.0, 0.0, is_complete=True), "connection ended"),
    ],
)
def test_text_that_was_not_shown_completely_is_excluded(showing, reason):
    verdict = judged(showing=showing)
    assert verdict.judged == 0
    assert reason in next(iter(verdict.excluded))


def test_connection_that_the_run_did_not_hold_is_excluded():
    connection = Connection(ORIGIN_S + UP_S + 100, (SHOWING,))
    verdict = soak_texts.judge([source("source.up", UP_S)], [connection], ["GATE 12"], [], ORIGIN_S)
    assert (verdict.judged, verdict.shown, sum(verdict.excluded.values())) == (0, 1, 1)


def test_tracks_end_once():
    whole = [text(), text("ended", end=9.0)]
    assert soak_texts.tracks_that_do_not_end_once(whole, 0) == []
    assert len(soak_texts.tracks_that_do_not_end_once(whole[:1], 0)) == 1
    assert len(soak_texts.tracks_that_do_not_end_once([text(), *whole], 0)) == 1
    assert soak_texts.tracks_that_do_not_end_once([text(), *whole], 1) == []


def test_record_of_a_camera_becomes_showings(tmp_path):
    """A clip of 2 s with a text from 0.4 to 0.8 s is played twice to one viewer; a frame is damaged the second time."""
    texts = [Text("GATE 12", 0.4, 0.8, (10, 10))]
    with (tmp_path / "record").open("wb") as file:
        for n in range(100):
            is_whole = n != 50 + 12
            file.write(struct.pack("<IIddd", 7, is_whole, ORIGIN_S + n / 25, 100 + n / 25, n % 50 / 25))
    (connection,) = read_record(tmp_path / "record", texts)
    assert connection.wall_s == ORIGIN_S
    assert [showing.is_complete for showing in connection.showings] == [True, False]
    first, second = connection.showings
    assert (first.start_s, first.end_s) == pytest.approx((0.4, 0.8))
    assert first.wall_s == pytest.approx(ORIGIN_S + 0.4)
    assert (second.start_s, second.end_s) == pytest.approx((2.4, 2.8))
    assert read_record(tmp_path / "missing", texts) == []
