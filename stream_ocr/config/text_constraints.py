"""Settings of what texts may be: words of a list, or what matches a pattern."""

from pathlib import Path

import regex
from pydantic import Field, ValidationInfo, field_validator

from stream_ocr.config.base import ConfigModel


class TextConstraints(ConfigModel):
    lexicon: Path | None = Field(
        None, description="Words, one per line, to which what was read is corrected; null: anything may be read."
    )
    lexicon_distance: int = Field(
        2, ge=0, le=5, description="Edits at most between what was read and a word of the lexicon."
    )
    pattern: str | None = Field(
        None, description="A regular expression; only texts that match it as a whole are read. Not with a lexicon."
    )

    @field_validator("pattern")
    @classmethod
    def _is_a_pattern(cls, pattern: str | None, told: ValidationInfo) -> str | None:
        if pattern is not None:
            try:
                regex.compile(pattern)
            except regex.error as error:
                raise ValueError(f"it is no regular expression ({error})") from None
            if told.data.get("lexicon") is not None:
                raise ValueError("there is a lexicon too, and only one of them can be followed")
        return pattern
