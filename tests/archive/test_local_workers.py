"""Real processes that read real clips."""

import psutil
import pytest

from stream_ocr.archive.local_workers import LocalWorkers
from stream_ocr.archive.output import EVENTS, Output
from stream_ocr.archive.run import ArchiveRun
from stream_ocr.archive.sources import Sources
from stream_ocr.archive.unit import Planner


@pytest.fixture
def output(tmp_path):
    output = Output(tmp_path / "out", (EVENTS, "subtitles.srt"))
    output.prepare()
    return output


def read(output, settings, *names, count=1):
    with LocalWorkers(count, output) as workers:
        run = ArchiveRun(Sources([str(name) for name in names]), Planner(settings), output, workers)
        return {outcome.stream: outcome for outcome in run.outcomes()}


def test_the_union_of_all_units_equals_a_serial_run(films, settings, output, serial, union):
    outcomes = read(output, settings, films, count=2)
    assert {stream: outcome.status for stream, outcome in outcomes.items()} == dict.fromkeys(serial, "read")
    assert all(outcome.frames == 25 for outcome in outcomes.values())
    assert union(output.folder) == serial
    assert "Mind the gap" in (output.unit_folder("b/third.mp4") / "subtitles.srt").read_text()
    assert [*(output.folder / "attempts").iterdir()] == []


def test_a_killed_process_is_replaced_and_its_file_read_again(films, settings, output, serial, union):
    with LocalWorkers(1, output) as workers:
        run = ArchiveRun(Sources([str(films)]), Planner(settings), output, workers)
        outcomes = run.outcomes()
        first = next(outcomes)
        (process,) = [each for each in psutil.Process().children() if "spawn_main" in " ".join(each.cmdline())]
        process.kill()
        rest = list(outcomes)
    assert {outcome.status for outcome in (first, *rest)} == {"read"}
    assert union(output.folder) == serial


def test_leaving_kills_what_still_reads(films, settings, output):
    with LocalWorkers(1, output) as workers:
        (unit, *_) = (Planner(settings).plan(source) for source in Sources([str(films)]))
        workers.start(unit)
    assert not output.is_done(unit)
