from pathlib import Path

import pytest

from stream_ocr.errors import SinkError
from stream_ocr.sinks.append_file import AppendFile


def opened(path) -> int:
    """The size of the file once it was opened and let go."""
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
def test_a_last_line_that_was_cut_off_is_mended(tmp_path, before, after):
    path = tmp_path / "a.jsonl"
    path.write_bytes(before)
    assert opened(path) == len(after)
    assert path.read_bytes() == after


def test_lines_are_added_to_those_that_are_there(tmp_path):
    path = tmp_path / "a.jsonl"
    for line in (b"1", b"2"):
        file = AppendFile(path)
        file.append(line)
        file.close()
    assert path.read_bytes() == b"1\n2\n"


def test_two_writers_are_one_too_many(tmp_path):
    file = AppendFile(tmp_path / "a.jsonl")
    held = len(list(Path("/proc/self/fd").iterdir()))
    with pytest.raises(SinkError, match="in use by another writer"):
        AppendFile(tmp_path / "a.jsonl")
    assert len(list(Path("/proc/self/fd").iterdir())) == held
    file.close()
