"""Clocks and counters: a number that grows evenly can be predicted, which tells unsure digits.

The number is the time of day or the last whole number of a text; all else must stay the same.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

from stream_ocr.models.recognition.ctc import Decoded, make_decoded
from stream_ocr.readings.similarity import without_spaces
from stream_ocr.readings.thresholds import COUNTER

_TIME = re.compile(r"(?<!\d)(\d{1,2})([:;.])(\d{2})(?:\2(\d{2}))?(?!.*\d)")
_NUMBER = re.compile(r"\d+(?!.*\d)")
_DAY_S = 24 * 60 * 60  # after which a clock starts again


class _Number(NamedTuple):
    """The number of a text without spaces, and what stands before and after it."""

    value: int
    before: str
    digits: str
    after: str

    @property
    def parts(self) -> int:
        return len(re.findall(r"\d+", self.digits))

    def is_like(self, other: "_Number") -> bool:
        """Return True if another text differs only in the number."""
        return (self.before, self.after, self.parts) == (other.before, other.after, other.parts)

    def render(self, value: int) -> str | None:
        """Return the text, without spaces, that shows another value; None if the number has no room for it."""
        if self.parts == 3:
            value %= _DAY_S
        fields = [value]
        for _ in range(self.parts - 1):
            fields[:1] = divmod(fields[0], 60)
        shown = re.split(r"(\D)", self.digits)
        if fields[0] < 0 or len(str(fields[0])) > max(len(shown[0]), 2 if self.parts > 1 else len(str(value))):
            return None
        padded = len(shown[0]) if shown[0].startswith("0") or self.parts > 1 else 1
        shown[::2] = [f"{fields[0]:0{padded}}", *(f"{field:02}" for field in fields[1:])]
        return self.before + "".join(shown) + self.after


def predict(texts: Sequence[tuple[str, float]], time_s: float) -> str | None:
    """Return what a counter shows from ``time_s`` on, without spaces; None if it is unknown.

    texts: what it showed last and since when, in seconds, oldest first.
    """
    numbers = [_parse(text) for text, _ in texts]
    last = numbers[-1] if numbers else None
    if last is None or len(texts) < COUNTER.min_texts:
        return None
    (first, *_), starts = numbers, [start_s for _, start_s in texts]
    if first is None or starts[-1] <= starts[0] or first.value == last.value:
        return None
    rate = (last.value - first.value) / (starts[-1] - starts[0])
    for number, start_s in zip(numbers, starts, strict=True):
        if number is None or not number.is_like(last):
            return None
        if abs(number.value - last.value - rate * (start_s - starts[-1])) > COUNTER.max_deviation:
            return None
    value = last.value + rate * (time_s - starts[-1])
    return last.render(round(value)) if abs(value - round(value)) <= COUNTER.max_deviation else None


def with_prior(reading: Decoded, expected: str) -> Decoded:
    """Return a reading of a text of which ``expected`` is predicted, without spaces; unchanged if it is another one.

    Characters that agree become surer, and unsure ones that do not are corrected (Bayes).
    """
    if len(without_spaces(reading.text)) != len(expected):
        return reading
    prior, predicted = COUNTER.prior, iter(expected)
    text, confidences = "", []
    for character, sure in zip(reading.text, reading.char_confidences, strict=True):
        wanted = character if character.isspace() else next(predicted)
        agrees = wanted == character
        likelihood = sure if agrees else (1 - sure) / COUNTER.alternatives
        posterior = likelihood * prior / (likelihood * prior + (1 - sure if agrees else sure) * (1 - prior))
        if posterior < COUNTER.min_posterior:
            return reading
        text += wanted
        confidences.append(sure if character.isspace() else posterior)
    return make_decoded(text, confidences)


def _parse(text: str) -> _Number | None:
    found = _TIME.search(text) or _NUMBER.search(text)
    if found is None:
        return None
    value = 0
    for part in re.findall(r"\d+", found.group()):
        value = 60 * value + int(part)
    before, after = text[: found.start()], text[found.end() :]
    return _Number(value, without_spaces(before), found.group(), without_spaces(after))
