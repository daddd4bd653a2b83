import csv

import pytest

from stream_ocr.errors import SinkError
from stream_ocr.events import TextEvent
from stream_ocr.sinks import CsvSink
from stream_ocr.sinks.csv import HEADER, escape_formula
from stream_ocr.testing import text_event


def test_csv_sink_writes_one_quoted_row_per_text(tmp_path):
    file = tmp_path / "texts.csv"
    fields = {"id": "", "stream": "a", "track": 1, "confidence": 0.9, "size": (9, 9)}
    quad = ((0, 0), (4, 0), (4, 2), (0, 2))
    sink = CsvSink(file)
    sink.open()
    sink.write(TextEvent(seq=0, kind="appeared", text='say "hi", you', start=1.0, polygon=quad, **fields))
    sink.write(TextEvent(seq=1, kind="changed", text="bye", start=2.0, polygon=quad, **fields))
    sink.write(TextEvent(seq=2, kind="ended", text="bye", start=2.0, end=3.5, polygon=quad, **fields))
    sink.close()
    with file.open(newline="") as lines:
        rows = list(csv.reader(lines))
    assert tuple(rows[0]) == HEADER
    assert [row[2:5] for row in rows[1:]] == [["1.0", "2.0", 'say "hi", you'], ["2.0", "3.5", "bye"]]
    assert rows[1][6:] == ["0.0", "0.0", "4.0", "0.0", "4.0", "2.0", "0.0", "2.0"]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("=1+1", "'=1+1"),
        ("+41 44 123", "'+41 44 123"),
        ("-5 °C", "'-5 °C"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("  =HYPERLINK(1)", "'  =HYPERLINK(1)"),
        ("\t=1", "'\t=1"),
        ("＝1+1", "'＝1+1"),
        ("%0A=1", "'%0A=1"),
        ("|cmd", "'|cmd"),
        ("GATE = 4", "GATE = 4"),
        ("'=1", "'=1"),
        ("12:01", "12:01"),
        ("", ""),
    ],
)
def test_escape_formula(text, shown):
    assert escape_formula(text) == shown


def test_csv_sink_escapes_formulas(tmp_path):
    sink = CsvSink(tmp_path / "a.csv")
    sink.open()
    sink.write(text_event(text="=cmd|' /C calc'!A0", stream="@stream"))
    sink.close()
    with (tmp_path / "a.csv").open(newline="") as lines:
        row = list(csv.reader(lines))[1]
    assert (row[0], row[4]) == ("'@stream", "'=cmd|' /C calc'!A0")


def test_open_reports_a_full_disk():
    with pytest.raises(SinkError, match=r"/dev/full cannot be written: No space left on device\."):
        CsvSink("/dev/full").open()
