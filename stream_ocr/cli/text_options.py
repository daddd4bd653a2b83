"""Options of ``read`` for settings that are often needed: areas, a pattern and the language of the texts."""

import json
from collections.abc import Iterator, Sequence

import typer

_LATIN = frozenset(
    ("bs", "ca", "cs", "cy", "da", "de", "en", "es", "et", "eu", "fi", "fr", "ga", "gl", "hr", "hu", "id", "is", "it")
    + ("lb", "lt", "lv", "ms", "mt", "nl", "no", "pl", "pt", "ro", "sk", "sl", "sq", "sv", "tr")
)
"""Languages, all of whose letters the built-in recogniser knows."""
_CJK = frozenset({"ja", "zh"})


def overrides(regions: Sequence[str], masks: Sequence[str], pattern: str | None, language: str | None) -> Iterator[str]:
    """Yield the options as ``name=value`` settings. Raises BadParameter for one that cannot be used."""
    if regions:
        yield f"detection.regions={json.dumps([_polygon(area, '--region') for area in regions])}"
    if masks:
        yield f"detection.masks={json.dumps([_polygon(area, '--mask') for area in masks])}"
    if pattern is not None:
        yield f"recognition.pattern={json.dumps(pattern)}"
    if language is not None and language.lower() not in _LATIN:
        if language.lower() not in _CJK:
            raise typer.BadParameter(
                f"there is no model for {language!r}; name one of {', '.join(sorted(_LATIN | _CJK))}, or set"
                " recognition.onnx to a model that reads it",
                param_hint="--language",
            )
        yield "models=multilingual"


def check_language(language: str | None, settings: Sequence[str]) -> None:
    """Raise BadParameter for a language that the models among some ``name=value`` settings do not know."""
    models = [setting.partition("=")[2] for setting in settings if setting.partition("=")[0].strip() == "models"]
    if language is not None and language.lower() in _CJK and models not in ([], ["multilingual"]):
        raise typer.BadParameter(
            f"--language {language} needs models=multilingual, not models={models[-1]}", param_hint="--language"
        )


def _polygon(area: str, option: str) -> list[tuple[float, ...]]:
    """Return the corners of ``left,top,right,bottom`` or of ``x,y,x,y,x,y…``."""
    try:
        numbers = [float(number) for number in area.split(",")]
    except ValueError:
        numbers = []
    if len(numbers) % 2 or len(numbers) < 4 or not all(0 <= number <= 1 for number in numbers):
        raise typer.BadParameter(
            f"{area!r} is not an area; write left,top,right,bottom or the corners x,y,x,y,x,y, as shares (0-1) of the"
            " width and height",
            param_hint=option,
        )
    if len(numbers) > 4:
        return list(zip(numbers[::2], numbers[1::2], strict=True))
    left, top, right, bottom = numbers
    if left >= right or top >= bottom:
        raise typer.BadParameter(
            f"{area!r} is empty; left,top,right,bottom need left < right and top < bottom", param_hint=option
        )
    return [(left, top), (right, top), (right, bottom), (left, bottom)]
