"""Remote files, on fsspec's file system in memory."""

import fsspec
import pytest

from stream_ocr.archive import remote
from stream_ocr.archive.sources import Sources
from stream_ocr.errors import SourceError


@pytest.fixture
def bucket():
    system = fsspec.filesystem("memory")
    for name in ("films/x/1.mp4", "films/y/1.mp4", "films/notes.doc"):
        system.pipe(f"/{name}", name.encode())
    yield "memory://films"
    system.rm("/films", recursive=True)


def streams(*names):
    return [source.stream for source in Sources(names)]


def test_folders_patterns_and_files(bucket):
    assert streams(bucket) == ["x/1.mp4", "y/1.mp4"]
    assert streams(f"{bucket}/*/1.mp4") == ["x/1.mp4", "y/1.mp4"]
    assert streams(f"{bucket}/x/1.mp4") == ["1.mp4"]


def test_the_content_id_changes_with_the_content(bucket):
    (before, other), name = Sources([bucket]), f"{bucket}/x/1.mp4"
    assert remote.content_id(name) == before.content_id != other.content_id
    fsspec.filesystem("memory").pipe("/films/x/1.mp4", b"longer than before")
    assert remote.content_id(name) != before.content_id


def test_files_are_fetched_and_removed_again(bucket):
    with remote.fetched(f"{bucket}/x/1.mp4") as path:
        assert path.name == "1.mp4"
        assert path.read_bytes() == b"films/x/1.mp4"
    assert not path.parent.exists()


def test_missing_files_and_unknown_protocols_are_one_sentence(bucket):
    with (
        pytest.raises(SourceError, match=r"There is nothing at memory://films/none\.mp4"),
        remote.fetched(f"{bucket}/none.mp4"),
    ):
        pass
    with pytest.raises(
        SourceError, match=r"nowhere://host/a cannot be read \(ValueError: Protocol not known"
    ) as caught:
        remote.content_id("nowhere://user:secret@host/a?token=1")
    assert "secret" not in str(caught.value)
