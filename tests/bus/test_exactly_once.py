"""The publisher is killed between commit and publish, and at random. `make kills` does it fifty times."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "subscribe.py"


@pytest.mark.slow
def test_subscription_yields_each_committed_event_once_however_often_the_publisher_is_killed():
    ran = subprocess.run([sys.executable, BENCHMARK, "kills", "--rounds", "5"], capture_output=True, text=True)
    assert ran.stdout, ran.stderr
    figures = json.loads(ran.stdout)["kills"]
    assert sum(figures.pop("kills").values()) == 5
    assert figures.pop("committed") > 0
    assert figures == dict.fromkeys(figures, True)
    assert ran.returncode == 0
