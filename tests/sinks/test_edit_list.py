"""Lists for video editors."""

import csv
import re

import pytest

from stream_ocr.events import TextEvent
from stream_ocr.sinks.base import Sinks
from stream_ocr.sinks.edit_list import EdlSink, SceneSink
from stream_ocr.testing import text_event

EDIT = re.compile(r"(\d{3})  AX       V     C        ((?:\d\d:\d\d:\d\d:\d\d ?){4})$")


def events() -> list[TextEvent]:
    """Two slides, and a logo over both."""
    return [
        text_event(0, track=0, text="CHANNEL", start=0.0, overlay=True),
        text_event(1, track=1, text="First slide", start=1.0),
        text_event(2, track=1, text="Second <b> slide", kind="changed", start=3.48),
        text_event(3, track=1, text="Second <b> slide", kind="ended", start=3.48, end=5.0),
        text_event(4, track=0, text="CHANNEL", kind="ended", start=0.0, end=6.0, overlay=True),
    ]


def write(sink, origin_s: float = 0.0) -> None:
    with Sinks([sink]) as sinks:
        sinks.set_origin("cam-1", origin_s)
        for event in events():
            sinks.write(event)


def test_edl_has_an_edit_for_each_text(tmp_path):
    write(EdlSink(tmp_path / "film.edl", 25.0))
    data = (tmp_path / "film.edl").read_bytes()
    assert data.count(b"\n") == data.count(b"\r\n"), "lines end as CMX 3600 asks"
    lines = data.decode().split("\r\n")
    assert lines[:2] == ["TITLE: film", "FCM: NON-DROP FRAME"]
    edits = [EDIT.fullmatch(line).groups() for line in lines if " AX " in line]
    assert edits == [
        ("001", "00:00:00:00 00:00:06:00 00:00:00:00 00:00:06:00"),
        ("002", "00:00:01:00 00:00:03:12 00:00:01:00 00:00:03:12"),
        ("003", "00:00:03:12 00:00:05:00 00:00:03:12 00:00:05:00"),
    ]
    comments = [line for line in lines if line.startswith("* COMMENT")]
    assert comments[1] == "* COMMENT: First slide"


@pytest.mark.parametrize(("fps", "timecode"), [(29.97, "00:00:03:14"), (24.0, "00:00:03:12"), (50.0, "00:00:03:24")])
def test_edl_counts_frames_of_the_video(tmp_path, fps, timecode):
    write(EdlSink(tmp_path / "film.edl", fps))
    assert f"V     C        {timecode} " in (tmp_path / "film.edl").read_text()


def test_edl_counts_from_the_start_of_the_film(tmp_path):
    write(EdlSink(tmp_path / "film.edl", 25.0), origin_s=1.0)
    assert "C        00:00:00:00 00:00:02:12" in (tmp_path / "film.edl").read_text()


def test_scenes_are_those_of_pyscenedetect(tmp_path):
    write(SceneSink(tmp_path / "scenes.csv", 25.0))
    with (tmp_path / "scenes.csv").open(newline="") as file:
        cuts, header, *rows = csv.reader(file)
    assert cuts == ["Timecode List:", "00:00:01.000", "00:00:03.480"]
    assert header[:4] == ["Scene Number", "Start Frame", "Start Timecode", "Start Time (seconds)"]
    assert [row[:3] + row[4:6] for row in rows] == [
        ["1", "1", "00:00:00.000", "25", "00:00:01.000"],
        ["2", "26", "00:00:01.000", "87", "00:00:03.480"],
        ["3", "88", "00:00:03.480", "125", "00:00:05.000"],
    ]
    assert rows[1][7:] == ["62", "00:00:02.480", "2.480"]


def scenes(path) -> list[tuple[str, str]]:
    """Return the first and last frame of each scene in a list."""
    with path.open(newline="") as file:
        return [(row[1], row[4]) for row in list(csv.reader(file))[2:]]


def test_scenes_start_at_cuts_as_well(tmp_path):
    """A change of a text near a cut is one with it, and the last scene ends with the film."""
    write(SceneSink(tmp_path / "scenes.csv", 25.0, cuts_s=[2.0, 3.4, 7.0], end_s=8.0))
    assert scenes(tmp_path / "scenes.csv") == [
        ("1", "25"), ("26", "50"), ("51", "85"), ("86", "125"), ("126", "175"), ("176", "200"),
    ]  # fmt: skip


def test_scenes_with_cuts_count_from_the_start_of_the_film_and_end_with_it(tmp_path):
    write(SceneSink(tmp_path / "scenes.csv", 25.0, cuts_s=[3.0], end_s=4.0), origin_s=1.0)
    assert scenes(tmp_path / "scenes.csv") == [("1", "50"), ("51", "62"), ("63", "75")]


def test_scenes_of_a_film_without_text_are_its_shots(tmp_path):
    with Sinks([SceneSink(tmp_path / "scenes.csv", 25.0, cuts_s=[2.0], end_s=3.0)]):
        pass
    assert scenes(tmp_path / "scenes.csv") == [("1", "50"), ("51", "75")]


def test_lists_of_no_text_are_empty(tmp_path):
    for sink in (EdlSink(tmp_path / "film.edl", 25.0), SceneSink(tmp_path / "scenes.csv", 25.0)):
        with Sinks([sink]):
            pass
    assert (tmp_path / "film.edl").read_text().count(" AX ") == 0
    assert len((tmp_path / "scenes.csv").read_text().splitlines()) == 2
