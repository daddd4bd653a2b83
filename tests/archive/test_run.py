"""Order, retries and quarantine, with workers that follow a script."""

from collections import Counter, defaultdict

import pytest

from stream_ocr.archive.output import EVENTS, Output
from stream_ocr.archive.run import ArchiveRun
from stream_ocr.archive.sources import Sources
from stream_ocr.archive.unit import Planner
from stream_ocr.archive.unit_reader import UnitResult
from stream_ocr.archive.workers import Finished

FAIL, DIE, LOSE = "fail", "die", "lose"


class ScriptedWorkers:
    """Workers that publish empty outputs, after the faults in the script of a stream."""

    def __init__(self, output: Output, script: dict[str, list[str]], count: int = 2) -> None:
        self.started: Counter[str] = Counter()
        self._output, self._script, self._count = output, defaultdict(list, script), count
        self._units = []

    def __enter__(self):
        return self

    def __exit__(self, *_error):
        pass

    @property
    def has_room(self):
        return len(self._units) < self._count

    @property
    def is_busy(self):
        return bool(self._units)

    def start(self, unit):
        assert self.has_room
        self.started[unit.stream] += 1
        self._units.append(unit)

    def wait(self):
        unit = self._units.pop(0)
        attempt = self._output.new_attempt()
        (attempt / EVENTS).write_text("")
        fault = self._script[unit.stream].pop(0) if self._script[unit.stream] else ""
        if fault == FAIL:
            return [Finished(unit, UnitResult(failure="It breaks off.", attempt=attempt))]
        if fault:
            return [Finished(unit, None, lost=fault == LOSE)]
        self._output.publish(unit, attempt, {})
        return [Finished(unit, UnitResult(1.0, 25))]


@pytest.fixture
def archive(tmp_path, settings):
    for name in "abcd":
        (tmp_path / f"{name}.mp4").write_bytes(b"video")
    output = Output(tmp_path / "out")
    output.prepare()

    def run(script=(), names="*.mp4", **options):
        workers = ScriptedWorkers(output, dict(script))
        run = ArchiveRun(Sources([str(tmp_path / names)]), Planner(settings), output, workers, **options)
        return {outcome.stream: outcome for outcome in run.outcomes()}, workers.started

    return run


def statuses(outcomes):
    return {stream[0]: outcome.status for stream, outcome in outcomes.items()}


def test_a_second_run_skips_what_is_done_and_force_does_not(archive):
    assert statuses(archive()[0]) == dict.fromkeys("abcd", "read")
    outcomes, started = archive()
    assert statuses(outcomes) == dict.fromkeys("abcd", "skipped")
    assert not started
    assert statuses(archive(force=True)[0]) == dict.fromkeys("abcd", "read")


def test_a_file_that_fails_once_is_read_again(archive):
    outcomes, started = archive({"b.mp4": [FAIL]})
    assert statuses(outcomes) == dict.fromkeys("abcd", "read")
    assert started["b.mp4"] == 2


def test_a_file_that_fails_twice_is_quarantined_for_later_runs_too(archive):
    outcomes, started = archive({"b.mp4": [FAIL, FAIL]})
    assert statuses(outcomes) == {"a": "read", "b": "failed", "c": "read", "d": "read"}
    assert outcomes["b.mp4"].sentence == "It breaks off."
    assert started["b.mp4"] == 2
    outcomes, started = archive()
    assert (outcomes["b.mp4"].status, outcomes["b.mp4"].sentence) == ("failed", "It breaks off.")
    assert not started
    assert archive(force=True)[0]["b.mp4"].status == "read"


def test_a_file_that_kills_its_process_every_time_is_quarantined(archive):
    outcomes, started = archive({"b.mp4": [DIE] * 9})
    assert outcomes["b.mp4"].status == "failed"
    assert "process that read it died" in outcomes["b.mp4"].sentence
    assert started["b.mp4"] == 4


def test_the_loss_of_a_machine_is_no_failure_of_its_files(archive):
    outcomes, started = archive({"b.mp4": [LOSE] * 9})
    assert outcomes["b.mp4"].status == "read"
    assert started["b.mp4"] == 10


def test_a_file_that_disappears_fails_and_the_run_goes_on(archive, tmp_path):
    (tmp_path / "films.txt").write_text("none.mp4\na.mp4\n")
    outcomes, _ = archive(names="films.txt")
    assert statuses(outcomes) == {"n": "failed", "a": "read"}
    assert "There is no file" in outcomes["none.mp4"].sentence


def test_a_stop_lets_started_units_finish(archive):
    outcomes, started = archive(stop=iter([False, False, *[True] * 9]).__next__)
    assert statuses(outcomes) == {"a": "read", "b": "read"}
    assert started.total() == 2
