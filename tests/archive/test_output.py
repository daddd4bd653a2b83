import json
import os

import pytest

from stream_ocr.archive.output import EVENTS, Output
from stream_ocr.archive.unit import Unit
from stream_ocr.errors import SinkError


@pytest.fixture
def output(tmp_path):
    output = Output(tmp_path / "out")
    output.prepare()
    return output


def unit(stream="a/film.mp4", key="1"):
    return Unit("/films/film.mp4", stream, {}, key)


def attempt(output, text="{}\n"):
    folder = output.new_attempt()
    (folder / EVENTS).write_text(text)
    return folder


def test_a_published_unit_is_done_until_its_key_changes(output):
    assert not output.is_done(unit())
    assert output.publish(unit(), attempt(output), {"frames": 3})
    assert output.is_done(unit())
    assert not output.is_done(unit(key="2"))
    record = json.loads((output.unit_folder("a/film.mp4") / "unit.json").read_text())
    assert record == {"key": "1", "stream": "a/film.mp4", "frames": 3}


def test_a_second_finisher_discards_its_output(output):
    output.publish(unit(), attempt(output, "first\n"), {})
    late = attempt(output, "second\n")
    assert not output.publish(unit(), late, {})
    assert (output.unit_folder("a/film.mp4") / EVENTS).read_text() == "first\n"
    assert not late.exists()


def test_another_key_and_force_replace_the_output(output):
    output.publish(unit(), attempt(output, "first\n"), {})
    assert output.publish(unit(key="2"), attempt(output, "second\n"), {})
    assert output.publish(unit(key="2"), attempt(output, "third\n"), {}, force=True)
    assert (output.unit_folder("a/film.mp4") / EVENTS).read_text() == "third\n"
    assert [*(output.folder / "attempts").iterdir()] == []


def test_a_unit_without_a_format_that_is_wanted_is_not_done(output):
    output.publish(unit(), attempt(output), {})
    assert not Output(output.folder, (EVENTS, "subtitles.srt")).is_done(unit())


def test_different_streams_have_different_folders_and_none_lies_in_another(output):
    streams = ["a/b", "a//b", "/a/b", "a", "a.ocr/b", "a%2Eocr/b", ".a", "../a", "%2Ea", "a\nb", "x" * 300, "x" * 301]
    folders = [output.unit_folder(stream) for stream in streams]
    assert len({*folders}) == len(folders)
    assert all(folder.resolve().is_relative_to(output.folder / "units") for folder in folders)
    assert not any(one in other.parents for one in folders for other in folders)
    for name in streams:
        assert output.publish(unit(name), attempt(output), {})


def test_failures_are_counted_and_keep_the_events_up_to_them(output):
    first = output.record_failure(unit(), "It breaks off.", attempt=attempt(output, "one\n"))
    second = output.record_failure(unit(), "It breaks off.", attempt=attempt(output, "two\n"))
    assert [first.is_final, second.is_final] == [False, True]
    assert output.failure(unit()) == second
    assert output.failure(unit(key="2")) is None
    (events,) = output.folder.glob("quarantine/**/events.jsonl")
    assert events.read_text() == "two\n"


def test_deaths_are_counted_apart_and_forgotten_after_success(output):
    for _ in range(3):
        assert not output.record_failure(unit(), "It died.", died=True).is_final
    assert output.record_failure(unit(), "It died.", died=True).is_final
    output.publish(unit(), attempt(output), {})
    assert output.failure(unit()) is None


def test_what_killed_processes_have_left_is_removed_a_day_later(output):
    old, new = attempt(output), attempt(output)
    for path in (old / EVENTS, old):
        os.utime(path, (1, 1))
    output.prepare()
    assert (old.exists(), new.exists()) == (False, True)


def test_a_folder_that_cannot_be_created_is_an_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(SinkError, match="file/out cannot be created: Not a directory"):
        Output(tmp_path / "file/out").prepare()
