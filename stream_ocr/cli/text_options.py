"""Options of ``read`` for settings that are often needed: areas, a pattern and the language of the texts."""

import json
from collections.abc import Iterator, Sequence

import typer

from stream_ocr.config.text_options import CJK, OptionError, text_settings


def overrides(regions: Sequence[str], masks: Sequence[str], pattern: str | None, language: str | None) -> Iterator[str]:
    """Yield the options as ``name=value`` settings. Raises BadParameter for one that cannot be used."""
    try:
        for name, value in text_settings(regions, masks, pattern, language):
            yield f"{name}={value if name == 'models' else json.dumps(value)}"
    except OptionError as error:
        raise typer.BadParameter(str(error), param_hint=f"--{error.option}") from None


def check_language(language: str | None, settings: Sequence[str]) -> None:
    """Raise BadParameter for a language that the models among some ``name=value`` settings do not know."""
    models = [setting.partition("=")[2] for setting in settings if setting.partition("=")[0].strip() == "models"]
    if language is not None and language.lower() in CJK and models not in ([], ["multilingual"]):
        raise typer.BadParameter(
            f"--language {language} needs models=multilingual, not models={models[-1]}", param_hint="--language"
        )
