from pathlib import Path

import pytest

from stream_ocr.errors import SourceError
from stream_ocr.sources.file_check import check_file


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("http://example.org/a.mp4", "'http://example.org/a.mp4'"),
        ("rtsp://user:s3cr3t@10.0.0.1/live", "'rtsp://10.0.0.1/live'"),
        ("s3://bucket/\x1b.mp4", r"'s3://bucket/\x1b.mp4'"),
    ],
)
def test_an_address_is_named_as_such(address: str, shown: str) -> None:
    with pytest.raises(SourceError) as caught:
        check_file(Path(address))
    assert str(caught.value).startswith(f"{shown} is an address")
