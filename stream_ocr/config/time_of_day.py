"""Hours of the day, as in 06:00-22:30."""

import re
from datetime import time
from typing import Annotated

from pydantic import AfterValidator

_SPAN = re.compile(r"(?:[01][0-9]|2[0-3]):[0-5][0-9]-(?:(?:[01][0-9]|2[0-3]):[0-5][0-9]|24:00)")


def _span(value: str) -> str:
    if _SPAN.fullmatch(value) is None:
        raise ValueError(f"{value!r} is no span of the day; write it as in 06:00-22:30")
    return value


Hours = Annotated[str, AfterValidator(_span)]


def within(hours: Hours, now: time) -> bool:
    """Whether a time of day lies in a span; one that ends no later than it begins passes midnight."""
    first, last = (int(end[:2]) * 60 + int(end[3:]) for end in hours.split("-"))
    minute = now.hour * 60 + now.minute
    return first <= minute < last if first < last else minute >= first or minute < last
