"""Base class and shared types of all groups of settings. Imports no other group."""

import math
import re
from datetime import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo, field_validator

from stream_ocr.config.thresholds import THRESHOLDS
from stream_ocr.errors import SettingsError

if TYPE_CHECKING:
    import regex

_TIME_OF_DAY_RANGE = re.compile(r"(?:[01][0-9]|2[0-3]):[0-5][0-9]-(?:(?:[01][0-9]|2[0-3]):[0-5][0-9]|24:00)")
_REPEAT_COUNT = re.compile(r"\{(\d+)")


class ConfigModel(BaseModel):
    """A group of settings. Instances are frozen; unknown names and non-finite numbers are rejected."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


def _yaml_off(value: object) -> object:
    return "off" if value is False else value


YAML_OFF = BeforeValidator(_yaml_off)
"""Accept an unquoted ``off``, which YAML 1.1 parses as False."""


def _check_time_of_day_range(value: str) -> str:
    if _TIME_OF_DAY_RANGE.fullmatch(value) is None:
        raise ValueError(f"{value!r} is not a range of times of day; write it like 06:00-22:30")
    return value


TimeOfDayRange = Annotated[str, AfterValidator(_check_time_of_day_range)]
"""A range of times of day, such as 06:00-22:30. A range that ends before it starts passes midnight."""


def in_time_range(hours: TimeOfDayRange, now: time) -> bool:
    """Return True if a time of day lies in a range.

    The end is exclusive. Equal start and end mean the whole day.
    """
    start, end = (int(bound[:2]) * 60 + int(bound[3:]) for bound in hours.split("-"))
    minute = now.hour * 60 + now.minute
    return start <= minute < end if start < end else minute >= start or minute < end


class TextConstraints(ConfigModel):
    """Restrict what the recogniser may read: to the words of a list, or to texts that match a pattern."""

    lexicon: Path | None = Field(
        None,
        description="File with the expected words, one per line. A reading is replaced by the most probable word "
        "within lexicon_distance; it is kept if no word is probable. null: no lexicon.",
    )
    lexicon_distance: int = Field(
        2, ge=0, le=5, description="Maximum edit distance (in characters) between a reading and a word of the lexicon."
    )
    pattern: str | None = Field(
        None,
        description="Regular expression that the whole text must match. It cannot be combined with a lexicon. "
        "null: no pattern.",
    )

    def read_lexicon(self) -> list[str]:
        """Return the words of the lexicon. Raises SettingsError if it cannot be read."""
        assert self.lexicon is not None, "there is no lexicon"
        try:
            if self.lexicon.exists() and not self.lexicon.is_file():  # a pipe would block
                raise OSError("it is not a file")
            with self.lexicon.open(encoding="utf-8-sig") as file:
                content = file.read(THRESHOLDS.max_lexicon_characters + 1)
        except (OSError, ValueError) as error:
            raise SettingsError(
                f"recognition.lexicon: {self.lexicon} cannot be read ({error}); it must list one word a line."
            ) from error
        if len(content) > THRESHOLDS.max_lexicon_characters:
            raise SettingsError(
                f"recognition.lexicon: {self.lexicon} is longer than {THRESHOLDS.max_lexicon_characters} characters; "
                "list fewer words."
            )
        return [line.strip() for line in content.splitlines()]

    @field_validator("pattern")
    @classmethod
    def _check_pattern(cls, pattern: str | None, info: ValidationInfo) -> str | None:
        if pattern is not None:
            check_regex(pattern)
            if info.data.get("lexicon") is not None:
                raise ValueError("a lexicon is set, too; only one of the two can be used")
        return pattern


def compile_regex(pattern: str) -> "regex.Pattern":
    """Return a regular expression of the package ``regex``, which is imported here: most settings have no patterns."""
    import regex as package

    return package.compile(pattern)


def check_regex(pattern: str) -> None:
    """Raise ValueError if a regular expression is malformed, or would take much time or memory to compile."""
    if len(pattern) > THRESHOLDS.max_pattern_characters:
        raise ValueError(f"it is longer than {THRESHOLDS.max_pattern_characters} characters")
    counts = (min(int(count), THRESHOLDS.max_pattern_repeats) for count in _REPEAT_COUNT.findall(pattern))
    if len(pattern) * math.prod(max(count, 1) for count in counts) > THRESHOLDS.max_pattern_repeats:
        raise ValueError("its repetitions, such as {1000}, are too many; use + or * instead")
    try:
        compile_regex(pattern)
    except RecursionError:
        raise ValueError("its groups are nested too deeply") from None
    except Exception as error:  # noqa: BLE001 - the package raises more than regex.error
        raise ValueError(f"it is not a valid regular expression ({error})") from None


def _checked(pattern: str) -> str:
    check_regex(pattern)
    return pattern


Pattern = Annotated[str, AfterValidator(_checked)]
"""A regular expression of the package ``regex``."""

FieldName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,31}$")]
"""Name of a field: small letters, digits and underscores, because other programs use it as an identifier."""
