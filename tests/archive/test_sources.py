import os

import pytest

from stream_ocr.archive.sources import Source, Sources
from stream_ocr.errors import SourceError


@pytest.fixture
def folder(tmp_path):
    for name in ("x/1.mp4", "x/2.MKV", "y/1.mp4", "y/notes.doc", ".trash/3.mp4"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"video")
    return tmp_path


def streams(*names):
    return [source.stream for source in Sources([str(name) for name in names])]


def test_folders_are_searched_for_videos_in_all_folders_below(folder):
    assert streams(folder) == ["x/1.mp4", "x/2.MKV", "y/1.mp4"]


def test_streams_are_paths_below_the_folder_that_was_named(folder):
    assert streams(folder / "x", folder / "y/notes.doc") == ["1.mp4", "2.MKV", "notes.doc"]
    assert streams(f"{folder}/*/1.mp4") == ["x/1.mp4", "y/1.mp4"]
    assert streams(f"{folder}/**/*.MKV") == ["x/2.MKV"]


def test_addresses_are_absolute(folder, monkeypatch):
    monkeypatch.chdir(folder)
    assert [source.address for source in Sources(["x/*.mp4", "y/1.mp4"])] == [
        str(folder / "x/1.mp4"),
        str(folder / "y/1.mp4"),
    ]


def test_a_file_name_with_the_characters_of_a_pattern_is_a_file(folder):
    (folder / "film[1].mp4").write_bytes(b"video")
    assert streams(folder / "film[1].mp4") == ["film[1].mp4"]


def test_names_that_are_not_utf8_can_be_streams(folder):
    with open(os.fsencode(folder) + b"/x/caf\xe9.mp4", "wb") as file:  # noqa: PTH123
        file.write(b"video")
    assert "caf\\xe9.mp4" in streams(folder / "x")


@pytest.mark.parametrize("name", ["", "*.avi"])
def test_folders_and_patterns_without_videos_are_errors(tmp_path, name):
    with pytest.raises(SourceError, match=r"has no videos|No file matches"):
        list(Sources([f"{tmp_path}/{name}"]))


def test_two_files_of_one_stream_are_an_error(folder):
    with pytest.raises(SourceError, match=r"x/1\.mp4 and .*y/1\.mp4 would both be the stream '1\.mp4'"):
        Sources([str(folder / "x"), str(folder / "y")]).count()
    assert Sources([str(folder)]).count() == 3


def test_the_content_id_changes_with_size_and_modification_time(folder):
    file = folder / "x/1.mp4"
    os.utime(file, (1, 1))
    source = Source(str(file), "1.mp4")
    before = source.content_id
    assert source.content_id == before
    os.utime(file, (1, 2))
    assert source.content_id != before
    file.write_bytes(b"longer video")
    os.utime(file, (1, 1))
    assert source.content_id != before


def test_the_content_id_of_a_missing_file_is_an_error(tmp_path):
    with pytest.raises(SourceError, match="There is no file"):
        _ = Source(str(tmp_path / "none.mp4"), "none.mp4").content_id
