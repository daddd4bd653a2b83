import datetime
from itertools import pairwise
from typing import Any

import pytest
import yaml

from stream_ocr.config import bounded_yaml

LETTERS = "abcdefghi"


def bomb(item: str) -> str:
    """Return a document whose last value has 9⁸ items once its aliases are expanded."""
    steps = pairwise(LETTERS)
    return f"a: &a {item}\n" + "".join(f"{new}: &{new} [{', '.join([f'*{old}'] * 9)}]\n" for old, new in steps)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a: {b: [1, 0x1f, 1.5, true, null, ~, 'x']}", {"a": {"b": [1, 31, 1.5, True, None, None, "x"]}}),
        ("x: &x {fps: 2}\ny: {<<: *x, z: 1}\n", {"x": {"fps": 2}, "y": {"fps": 2, "z": 1}}),
        ("time: 2026-11-29\nhours: [07:00-19:30, off]", {"time": "2026-11-29", "hours": ["07:00-19:30", False]}),
        ("", None),
    ],
)
def test_parse_returns_the_value(text: str, value: Any) -> None:
    assert bounded_yaml.parse(text) == value


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a: " + "9" * 6000, "more than 64 bits"),
        ("a: 0x" + "f" * 6000, "more than 64 bits"),
        ("a: 18446744073709551616", "more than 64 bits"),
        ("a: &a {b: *a}", r"\*a stands within the value"),
        ("a: &a [*a]", r"\*a stands within the value"),
        ("[" * 3000 + "]" * 3000, "nested more than 20 deep"),
        ("- " * 3000, "nested more than 20 deep"),
        (bomb("[x]"), "more than 50000 values"),
        (bomb("{x: 1}").replace(" [", " {<<: [").replace("]\n", "]}\n"), "more than 50000 values"),
        ("a: " + "x" * 20_000_000, "longer than 100000 characters"),
        ("a: !!timestamp noon", "tag"),
        ("a: !!python/object/apply:os.system [true]", "tag"),
        ('a: "\\ud800"', "surrogates"),
        ("a: 0b_", "invalid literal"),
        ("a: 1" + ":1" * 5000 + ".5", "too large"),
        ("a: =", "value"),
        ("? [a]\n: b", "unhashable"),
        ("a: \x01", "special characters"),
        ("a: 1\n---\na: 2", "single document"),
    ],
)
def test_parse_raises_only_yaml_errors(text: str, reason: str) -> None:
    with pytest.raises(yaml.YAMLError, match=reason):
        bounded_yaml.parse(text)


def test_parse_returns_no_dates() -> None:
    assert not isinstance(bounded_yaml.parse("2026-13-45"), datetime.date)
