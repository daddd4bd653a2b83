import json
import os

import pytest

from stream_ocr.printable import encodable, escape_unprintable, path_to_text, text_to_path


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Gate 12 – été, 日本\u3000語.mp4", "Gate 12 – été, 日本\u3000語.mp4"),
        ("\x1b[31mred\x07.mp4", "\\u{1b}[31mred\\u{7}.mp4"),
        ("invoice\u202egpj.mp4", "invoice\\u{202e}gpj.mp4"),
        ("caf\udce9.mp4", "caf\\xe9.mp4"),
        ("two\nlines", "two\\u{a}lines"),
    ],
)
def test_escape_unprintable_escapes_what_a_terminal_acts_on(text: str, shown: str) -> None:
    assert escape_unprintable(text) == shown


def test_encodable_escapes_only_what_is_not_unicode() -> None:
    assert encodable("caf\udce9 \x1b été.mp4") == "caf\\xe9 \x1b été.mp4"


def test_path_to_text_keeps_bytes_that_are_not_utf8() -> None:
    path = os.fsdecode(b"k\xfcche/\xc3\xa9t\xc3\xa9.mp4")
    text = path_to_text(path)
    assert json.loads(json.dumps(text)) == text
    assert text_to_path(text) == path
