"""Hostile inputs for every parser, the same ones in each run; ``make fuzz`` goes on with others."""

import pytest
from fuzz.targets import TARGETS, Target
from hypothesis import HealthCheck, given, settings

EXAMPLES = 250
"""Examples of a target of weight 1: about a minute in all."""


@pytest.mark.slow
@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_hostile_input_causes_documented_errors_only(target: Target) -> None:
    @settings(
        max_examples=max(round(EXAMPLES * target.weight), 10),
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(target.inputs)
    def check(value: object) -> None:
        target.check(value)

    check()
