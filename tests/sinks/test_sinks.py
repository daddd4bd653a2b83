import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from stream_ocr.errors import EventsLostError, SinkError
from stream_ocr.events import TextEvent, parse, read_jsonl
from stream_ocr.sinks import Sinks, open_sinks
from stream_ocr.sinks.console import is_printable
from stream_ocr.testing import text_event


def event(seq=0) -> TextEvent:
    return TextEvent(
        id="",
        seq=seq,
        kind="appeared",
        stream="a",
        track=1,
        text="GATE",
        confidence=0.9,
        start=float(seq),
        polygon=((0, 0), (1, 0), (1, 1), (0, 1)),
        size=(10, 10),
    )


class Memory:
    """Keeps events; fails at a given event, on opening or on closing."""

    def __init__(self, name: str, fails_at: int | None = None, fails: str = "write") -> None:
        self.name, self.fails_at, self.fails = name, fails_at, fails
        self.events: list[TextEvent] = []
        self.closed = 0

    def open(self) -> None:
        if self.fails == "open":
            raise SinkError(f"{self.name} cannot be opened.")

    def write(self, event: TextEvent) -> None:
        if event.seq == self.fails_at:
            raise RuntimeError("it broke")
        self.events.append(event)

    def close(self) -> None:
        self.closed += 1
        if self.fails == "close":
            raise OSError(28, os.strerror(28))


def test_sinks_report_a_broken_sink_once_and_keep_writing_to_the_others():
    broken, whole = Memory("broken", fails_at=1), Memory("whole")
    with capture_logs() as logs, Sinks([broken, whole]) as sinks:
        for seq in range(4):
            sinks.write(event(seq))
    assert [e.seq for e in whole.events] == [0, 1, 2, 3]
    assert [e.seq for e in broken.events] == [0]
    assert sinks.lost == {"broken": 3}
    assert sinks.failures == 1
    assert [(log["sink"], log["reason"]) for log in logs] == [("broken", "it broke")]
    assert broken.closed == whole.closed == 1


def test_sinks_report_a_sink_that_fails_on_close():
    broken, whole = Memory("broken", fails="close"), Memory("whole")
    with capture_logs() as logs, Sinks([whole, broken]) as sinks:
        sinks.write(event())
    assert sinks.lost == {"broken": 0}
    assert whole.closed == 1
    assert [log["reason"] for log in logs] == ["No space left on device"]


def test_sinks_close_open_sinks_when_another_cannot_be_opened():
    first = Memory("first")
    with pytest.raises(SinkError, match="second cannot be opened"), Sinks([first, Memory("second", fails="open")]):
        pass
    assert first.closed == 1


def test_jsonl_sink_writes_every_event_immediately(tmp_path):
    file = tmp_path / "events.jsonl"
    with open_sinks([file]) as sinks:
        for seq in range(3):
            sinks.write(event(seq))
            assert [e.seq for e in read_jsonl(file)] == list(range(seq + 1))


@pytest.mark.parametrize("name", ["events.doc", "events", "clip.mp4"])
def test_open_sinks_rejects_unknown_suffix(tmp_path, name):
    with pytest.raises(SinkError, match=r"use \.jsonl, \.csv, \.parquet, \.srt, \.vtt, \.ass or \.txt"):
        open_sinks([tmp_path / name])


@pytest.mark.parametrize("suffix", [".jsonl", ".csv", ".srt", ".vtt"])
def test_open_sinks_rejects_unwritable_path(tmp_path, suffix):
    (tmp_path / f"folder{suffix}").mkdir()
    with pytest.raises(SinkError, match="is a directory"), open_sinks([tmp_path / f"folder{suffix}"]):
        pass
    with pytest.raises(SinkError, match="no directory"), open_sinks([tmp_path / "none" / f"events{suffix}"]):
        pass


def test_open_sinks_rejects_duplicate_output(tmp_path):
    with pytest.raises(SinkError, match="given twice"):
        open_sinks([tmp_path / "a.srt", str(tmp_path / "a.srt")])


WRITER = """
    import sys
    sys.path.insert(0, {tests!r})
    from test_sinks import event
    from stream_ocr import logging_config
    from stream_ocr.config.settings import Settings
    from stream_ocr.sinks import open_sinks
    logging_config.configure(Settings())
    with open_sinks(["-", {other!r}]) as sinks:
        for seq in range(2000):
            sinks.write(event(seq))
    print(sinks.lost["-"] > 0, file=sys.stderr)
"""


def test_closed_pipe_disables_only_the_standard_output_sink(tmp_path):
    other = tmp_path / "events.jsonl"
    program = textwrap.dedent(WRITER).format(tests=str(Path(__file__).parent), other=str(other))
    writer = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    with writer:
        assert writer.stdout.readline().startswith(b'{"schema":2')
        writer.stdout.close()
        errors = writer.stderr.read().decode()
    assert writer.returncode == 0, errors
    assert errors.strip().endswith("True")
    assert errors.count("Broken pipe") == 1
    assert len(list(read_jsonl(other))) == 2000


class Leaky(Memory):
    """Loses two events for each odd ``seq``."""

    def write(self, event: TextEvent) -> None:
        if event.seq % 2:
            raise EventsLostError("no room", 2)
        super().write(event)


def test_sinks_log_lost_events_first_and_in_total():
    leaky = Leaky("leaky")
    with capture_logs() as logs, Sinks([leaky]) as sinks:
        for seq in (1, 3, 5, 6, 7):
            sinks.write(event(seq))
    assert sinks.lost == {"leaky": 8}
    assert sinks.failures == 1
    assert [e.seq for e in leaky.events] == [6]
    assert [(log["reason"], log["lost"]) for log in logs] == [("no room", 2), ("total", 8)]


TALKER = """
    from stream_ocr.sinks import open_sinks
    from stream_ocr.testing import text_event
    with open_sinks(["-"]) as sinks:
        sinks.write(text_event(text={text!a}))
"""


def test_jsonl_sink_escapes_control_characters_on_a_terminal():
    text = '\u202egnp.exe \x9b2J a\u200bb \U000e0041 " \\ 日本 é €'
    master, slave = os.openpty()
    program = textwrap.dedent(TALKER).format(text=text)
    done = subprocess.run([sys.executable, "-c", program], stdout=slave, stderr=subprocess.PIPE, check=False)
    os.close(slave)
    assert done.returncode == 0, done.stderr
    shown = os.read(master, 1 << 16).decode()
    os.close(master)
    assert parse(shown) == text_event(text=text)
    assert all(is_printable(char) for char in shown.rstrip("\r\n"))
    assert "日本 é €" in shown
