"""The table of faults in docs/cameras.md names tests that exist."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
FAULTS = [*range(1, 18), 20, 21, 25, 26, 33]


def test_every_fault_has_its_tests() -> None:
    rows = re.findall(r"^\| (\d+) \|.*$", text := (ROOT / "docs" / "cameras.md").read_text(), re.MULTILINE)
    assert [int(number) for number in rows] == FAULTS
    named = set(re.findall(r"`(test_\w+)`", text))
    there = {
        name
        for path in ROOT.glob("tests/**/test_*.py")
        for name in re.findall(r"^def (test_\w+)", path.read_text(), re.M)
    }
    assert named - there == set()
