"""Faults while events are published, with the logs of all processes checked afterwards. `make history` does 200."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from history_check import History, Life, Seen, check

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


def history(acknowledged="0a+ 1b+ 2c+", stored="0a 1b 2c", damaged="", lives=((-1, "0a+ 1b+ 2c+"),)):
    """Build a history of one client. An event is its number, its id, and + if it was durable."""
    return History(
        seen(acknowledged),
        {one.seq: one.id for one in seen(stored)},
        set(damaged),
        {"client": [Life(position, seen(events)) for position, events in lives]},
    )


def seen(events):
    return [Seen(int(word[0]), word[1], word.endswith("+")) for word in events.split()]


@pytest.mark.parametrize(
    "kept",
    [
        history(),
        history(damaged="b", stored="0a 2c"),
        history(acknowledged="0a+ 1b 1c+", stored="0a 1c", lives=[(-1, "0a+ 1b 1c+")]),  # b was never stored
        history(lives=[(-1, "0a+ 1b+"), (0, "1b+ 2c+")]),  # killed before the cursor was written
        history(acknowledged="0a+ 1b 2c", lives=[(-1, "0a+ 2c 1b")]),  # joined while the disk was full
    ],
)
def test_check_accepts_a_history_that_keeps_all_promises(kept):
    assert check(kept) == []


@pytest.mark.parametrize(
    ("broken", "violation"),
    [
        (history(stored="0a 2c"), "1 gaps in the numbers"),
        (history(stored="0a 1b"), "acknowledged as durable and is not stored"),
        (history(acknowledged="0a+ 1b+ 1c+"), "number 1 was given to 2 durable events"),
        (history(lives=[(-1, "0a+ 2c+")]), "stored event 1 (b) was not received"),
        (history(lives=[(-1, "0a+ 1b+ 1b+ 2c+")]), "received twice"),
        (history(lives=[(-1, "0a+ 2c+ 1b+")]), "received after a later one"),
        (history(lives=[(-1, "0a+ 1b+"), (1, "1b+ 2c+")]), "although the cursor was at 1"),
        (history(lives=[(-1, "0a+ 1x+ 1b+ 2c+")]), "received as durable and is not stored"),
    ],
)
def test_check_finds_a_broken_promise(broken, violation):
    assert any(violation in each for each in check(broken))


@pytest.mark.slow
def test_history_under_each_kind_of_fault_keeps_all_promises():
    ran = subprocess.run(
        [sys.executable, BENCHMARKS / "history.py", "--faults", "12"], capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    figures = json.loads(ran.stdout)
    assert sum(figures["faults"].values()) == 12
    assert figures["stored"] > 100
    assert figures["violations"] == []
