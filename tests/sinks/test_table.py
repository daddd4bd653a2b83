import csv

from stream_ocr.events import TextEvent
from stream_ocr.sinks import CsvSink
from stream_ocr.sinks.table import HEADER


def test_one_row_per_text_with_everything_quoted_that_needs_it(tmp_path):
    file = tmp_path / "texts.csv"
    facts = {"id": "", "stream": "a", "track": 1, "confidence": 0.9, "size": (9, 9)}
    place = ((0, 0), (4, 0), (4, 2), (0, 2))
    sink = CsvSink(file)
    sink.open()
    sink.write(TextEvent(seq=0, kind="appeared", text='say "hi", you', start=1.0, polygon=place, **facts))
    sink.write(TextEvent(seq=1, kind="changed", text="bye", start=2.0, polygon=place, **facts))
    sink.write(TextEvent(seq=2, kind="ended", text="bye", start=2.0, end=3.5, polygon=place, **facts))
    sink.close()
    with file.open(newline="") as lines:
        rows = list(csv.reader(lines))
    assert tuple(rows[0]) == HEADER
    assert [row[2:5] for row in rows[1:]] == [["1.0", "2.0", 'say "hi", you'], ["2.0", "3.5", "bye"]]
    assert rows[1][6:] == ["0.0", "0.0", "4.0", "0.0", "4.0", "2.0", "0.0", "2.0"]
