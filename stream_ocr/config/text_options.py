"""Short forms of settings that are often needed: areas, a pattern and the language of the texts."""

from collections.abc import Iterator, Sequence
from typing import Any

_LATIN = frozenset(
    ("bs", "ca", "cs", "cy", "da", "de", "en", "es", "et", "eu", "fi", "fr", "ga", "gl", "hr", "hu", "id", "is", "it")
    + ("lb", "lt", "lv", "ms", "mt", "nl", "no", "pl", "pt", "ro", "sk", "sl", "sq", "sv", "tr")
)
"""Languages, all of whose letters the built-in recogniser knows."""
CJK = frozenset({"ja", "zh"})
"""Languages that only ``models: multilingual`` reads."""


class OptionError(ValueError):
    """Raised for an option that cannot be used. option: its name."""

    def __init__(self, option: str, message: str) -> None:
        super().__init__(message)
        self.option = option


def text_settings(
    regions: Sequence[str] = (), masks: Sequence[str] = (), pattern: str | None = None, language: str | None = None
) -> Iterator[tuple[str, Any]]:
    """Yield (dotted name, value) of the settings that the options stand for. Raises OptionError."""
    if regions:
        yield "detection.regions", [_polygon(area, "region") for area in regions]
    if masks:
        yield "detection.masks", [_polygon(area, "mask") for area in masks]
    if pattern is not None:
        yield "recognition.pattern", pattern
    if language is not None and language.lower() not in _LATIN:
        if language.lower() not in CJK:
            raise OptionError(
                "language",
                f"there is no model for {language!r}; name one of {', '.join(sorted(_LATIN | CJK))}, or set"
                " recognition.onnx to a model that reads it",
            )
        yield "models", "multilingual"


def _polygon(area: str, option: str) -> list[tuple[float, ...]]:
    """Return the corners of ``left,top,right,bottom`` or of ``x,y,x,y,x,y…``."""
    try:
        numbers = [float(number) for number in area.split(",")]
    except ValueError:
        numbers = []
    if len(numbers) % 2 or len(numbers) < 4 or not all(0 <= number <= 1 for number in numbers):
        raise OptionError(
            option,
            f"{area!r} is not an area; write left,top,right,bottom or the corners x,y,x,y,x,y, as shares (0-1) of the"
            " width and height",
        )
    if len(numbers) > 4:
        return list(zip(numbers[::2], numbers[1::2], strict=True))
    left, top, right, bottom = numbers
    if left >= right or top >= bottom:
        raise OptionError(option, f"{area!r} is empty; left,top,right,bottom need left < right and top < bottom")
    return [(left, top), (right, top), (right, bottom), (left, bottom)]
