import os
import signal
from pathlib import Path

import pytest

from stream_ocr.cli.read_files import read_files
from stream_ocr.config.settings import Settings
from stream_ocr.errors import SourceError, WorkerError
from stream_ocr.events import TextEvent, read_jsonl

SETTINGS = Settings.load(None, ["models=builtin", "device=cpu"])


def event(file, seq: int) -> TextEvent:
    return TextEvent(
        id="",
        seq=seq,
        kind="appeared",
        stream=file.name,
        track=seq,
        text=f"text {seq}",
        confidence=0.9,
        start=float(seq),
        polygon=((0, 0), (1, 0), (1, 1), (0, 1)),
        size=(9, 9),
    )


def read_three(file, stream, settings, signals, origins):
    for seq in range(3):
        yield event(file, seq)
    if file.name == "broken.mp4":
        raise SourceError(f"{file.name} breaks off.")


def test_read_files_continues_after_a_file_that_fails(tmp_path, capsys):
    files = [tmp_path / name for name in ("a.mp4", "broken.mp4", "c.mp4")]
    result = read_files(files, SETTINGS, [str(tmp_path / "events.jsonl")], read_three)
    assert result.code == 1
    assert [e.stream for e in read_jsonl(tmp_path / "events.jsonl")] == [file.name for file in files for _ in range(3)]
    assert capsys.readouterr().err.count("broken.mp4 breaks off.\n") == 1


def test_read_files_prints_events_without_outputs(tmp_path, capsys):
    assert read_files([tmp_path / "a.mp4"], SETTINGS, [], read_three).code == 0
    assert [line.split()[-1] for line in capsys.readouterr().out.splitlines()] == ["0", "1", "2"]


def test_signals_remember_an_early_signal(tmp_path):
    stopped = []

    def slow_to_start(file, stream, settings, signals, origins):
        os.kill(os.getpid(), signal.SIGINT)
        with signals.stopping_with(lambda: stopped.append(file.name)):
            yield from ()

    assert read_files([tmp_path / "a.mp4"], SETTINGS, [], slow_to_start).code == 130
    assert stopped == ["a.mp4"]


def test_signals_keep_ignored_signals_ignored(tmp_path, capsys):
    def interrupted(file, stream, settings, signals, origins):
        os.kill(os.getpid(), signal.SIGINT)
        yield from read_three(file, stream, settings, signals, origins)

    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        assert read_files([tmp_path / "a.mp4"], SETTINGS, [], interrupted).code == 0
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)
    assert len(capsys.readouterr().out.splitlines()) == 3


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_first_signal_stops_gracefully_and_keeps_events(tmp_path, number):
    stopped = []

    def interrupted(file, stream, settings, signals, origins):
        with signals.stopping_with(lambda: stopped.append(file.name)):
            yield event(file, 0)
            os.kill(os.getpid(), number)
            yield event(file, 1)  # already in flight

    before = signal.getsignal(number)
    result = read_files(
        [tmp_path / "a.mp4", tmp_path / "b.mp4"], SETTINGS, [str(tmp_path / "events.jsonl")], interrupted
    )
    assert result.code == 128 + number
    assert stopped == ["a.mp4"]
    assert [e.seq for e in read_jsonl(tmp_path / "events.jsonl")] == [0, 1]
    assert signal.getsignal(number) is before


def test_second_signal_stops_at_once_and_cleans_up(tmp_path):
    closed = []

    def stubborn(file, stream, settings, signals, origins):
        try:
            yield event(file, 0)
            os.kill(os.getpid(), signal.SIGINT)
            os.kill(os.getpid(), signal.SIGINT)
            yield event(file, 1)
        finally:
            closed.append(file.name)

    with pytest.raises(KeyboardInterrupt):
        read_files([tmp_path / "a.mp4"], SETTINGS, [str(tmp_path / "events.jsonl")], stubborn)
    assert closed == ["a.mp4"]
    assert len(list(read_jsonl(tmp_path / "events.jsonl"))) == 1


def test_read_files_keeps_events_when_a_worker_dies(tmp_path):
    def dying(file, stream, settings, signals, origins):
        yield event(file, 0)
        raise WorkerError("The detect worker was killed.")

    outputs = [str(tmp_path / "events.jsonl"), str(tmp_path / "subtitles.srt")]
    with pytest.raises(WorkerError):
        read_files([tmp_path / "a.mp4", tmp_path / "b.mp4"], SETTINGS, outputs, dying)
    assert len(list(read_jsonl(tmp_path / "events.jsonl"))) == 1


def test_read_files_reports_a_broken_sink(tmp_path, capsys):
    if not Path("/dev/full").exists():
        pytest.skip("needs /dev/full")
    outputs = [str(tmp_path / name) for name in ("full.jsonl", "full.srt", "whole.jsonl")]
    for output in outputs[:2]:
        Path(output).symlink_to("/dev/full")
    result = read_files([tmp_path / "a.mp4"], SETTINGS, outputs, read_three)
    assert result.code == 1
    assert len(list(read_jsonl(tmp_path / "whole.jsonl"))) == 3
    errors = capsys.readouterr().err
    assert "full.jsonl could not be written; 3 events are missing there." in errors
    assert "full.srt could not be written; it is not complete." in errors


def test_files_with_the_same_name_get_distinct_streams(tmp_path):
    files = [tmp_path / "a" / "clip.mp4", tmp_path / "b" / "clip.mp4", tmp_path / "other.mp4", tmp_path / "other.mp4"]
    names = []

    def named(file, stream, settings, signals, origins):
        names.append(stream)
        yield from ()

    read_files(files, SETTINGS, [], named)
    assert len(set(names)) == 4
    assert names[2] != names[3]
