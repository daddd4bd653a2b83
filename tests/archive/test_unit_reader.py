"""Units read in this process."""

import pytest

from stream_ocr.archive.output import EVENTS, Output
from stream_ocr.archive.sources import Source, Sources
from stream_ocr.archive.unit import Planner
from stream_ocr.archive.unit_reader import UnitReader
from stream_ocr.errors import SinkError


@pytest.fixture
def output(tmp_path):
    output = Output(tmp_path / "out")
    output.prepare()
    return output


@pytest.fixture
def reader(output):
    reader = UnitReader(output, force=True)
    yield reader
    reader.close()


def test_events_do_not_depend_on_what_was_read_before(films, settings, output, reader, serial, union):
    units = [Planner(settings).plan(source) for source in Sources([str(films)])]
    for unit in (*units, units[0]):
        assert reader.read(unit).frames == 25
    assert union(output.folder) == serial


def test_a_damaged_file_is_a_failure_with_what_was_read(truncated, films, settings, output, reader):
    planner = Planner(settings)
    result = reader.read(planner.plan(Source(str(truncated), "damaged.mp4")))
    assert "damaged.mp4' breaks off" in result.failure
    assert b"Good morning" in (result.attempt / EVENTS).read_bytes()
    assert not output.unit_folder("damaged.mp4").exists()
    assert not reader.read(planner.plan(Source(str(films / "b/third.mp4"), "third.mp4"))).failure


def test_events_do_not_depend_on_damaged_files_before(
    films, truncated, settings, output, reader, serial, union, tmp_path
):
    planner, text = Planner(settings), tmp_path / "text.mp4"
    text.write_text("no video")
    for source in Sources([str(films)]):
        for damaged in (truncated, text):
            assert reader.read(planner.plan(Source(str(damaged), source.stream))).failure
        assert reader.read(planner.plan(source)).frames == 25
    assert union(output.folder) == serial


def test_settings_of_a_file_are_used_for_it_alone(films, settings, output, reader, union):
    planner, address = Planner(settings), str(films / "b/third.mp4")
    ignoring = {"events": {"min_confidence": 1.0}}
    for source in (Source(address, "silent", ignoring), Source(address, "plain")):
        reader.read(planner.plan(source))
    found = union(output.folder)
    assert found["silent"] == b""
    assert b"Mind the gap" in found["plain"]


def test_an_output_that_cannot_be_written_is_no_failure_of_the_file(films, settings, output, reader, monkeypatch):
    unit = Planner(settings).plan(Source(str(films / "b/third.mp4"), "third.mp4"))
    with pytest.raises(SinkError, match=r"none/events\.jsonl cannot be written"):
        UnitReader(_WithoutAttempts(output.folder)).read(unit)
    assert output.failure(unit) is None


class _WithoutAttempts(Output):
    """An output whose attempts lie in a folder that does not exist."""

    def new_attempt(self):
        return self.folder / "none"
