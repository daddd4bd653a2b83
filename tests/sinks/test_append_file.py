from pathlib import Path

import pytest

from stream_ocr.errors import SinkError
from stream_ocr.sinks.append_file import AppendFile


def opened(path) -> int:
    """Return the size of the file after opening and closing it."""
    file = AppendFile(path)
    file.close()
    return file.size


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"", b""),
        (b'{"a":1}\n', b'{"a":1}\n'),
        (b'{"a":1}\n{"b', b'{"a":1}\n'),
        (b'{"a', b""),
        (b'{"a":1}\n{"b":2}', b'{"a":1}\n{"b":2}\n'),
        (b'{"a":1}', b'{"a":1}\n'),
        (b'{"a":1}\n' + b"x" * 200_000, b'{"a":1}\n'),
        (b"\0" * 70_000, b""),
    ],
)
def test_append_file_repairs_truncated_last_line(tmp_path, before, after):
    path = tmp_path / "a.jsonl"
    path.write_bytes(before)
    assert opened(path) == len(after)
    assert path.read_bytes() == after


def test_append_file_appends_to_existing_lines(tmp_path):
    path = tmp_path / "a.jsonl"
    for line in (b"1", b"2"):
        file = AppendFile(path)
        file.append(line)
        file.close()
    assert path.read_bytes() == b"1\n2\n"


def test_append_file_rejects_second_writer(tmp_path):
    file = AppendFile(tmp_path / "a.jsonl")
    open_files = len(list(Path("/proc/self/fd").iterdir()))
    with pytest.raises(SinkError, match="in use by another writer"):
        AppendFile(tmp_path / "a.jsonl")
    assert len(list(Path("/proc/self/fd").iterdir())) == open_files
    file.close()
