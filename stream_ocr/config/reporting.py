"""Settings of what is reported: minima, corrections, and texts to ignore."""

from typing import Self

from pydantic import Field, model_validator

from stream_ocr.config.areas import NamedField
from stream_ocr.config.base import ConfigModel, FieldName, Pattern


class Replacement(ConfigModel):
    """A correction of recognised texts."""

    regex: Pattern = Field(description="Regular expression; every match in a text is replaced.")
    text: str = Field(description="What replaces it; \\1 stands for the first group.")

    @model_validator(mode="after")
    def _check_text(self) -> Self:
        import regex as regex_

        try:
            regex_.compile(f"(?:{self.regex})|").sub(self.text, "")  # matches, so that the text is expanded
        except (regex_.error, IndexError) as error:
            raise ValueError(f"{self.text!r} cannot replace {self.regex!r}: {error}") from None
        return self


class EventSettings(ConfigModel):
    """Minimum requirements for a text to be reported, and corrections by the user."""

    min_confidence: float = Field(
        0.0,
        ge=0,
        le=1,
        description="Minimum `confidence` of an event (0–1); texts below it are not reported. A long line is less "
        "likely to be entirely right than a word.",
    )
    min_mean_confidence: float = Field(
        0.77,
        ge=0,
        le=1,
        description="Minimum geometric mean of the `char_confidences` of an event (0–1); texts below it are not "
        "reported, however long they are.",
    )
    min_characters: int = Field(
        1, ge=1, description="Minimum number of characters; shorter texts are not reported. Spaces do not count."
    )
    replacements: tuple[Replacement, ...] = Field(
        (),
        description="Corrections that are applied to each text in this order, such as "
        "{regex: '(?<=\\d)O', text: '0'}. A text for which they take longer than a tenth of a second stays as it is.",
    )
    ignore: tuple[Pattern, ...] = Field(
        (), description="Regular expressions; texts that one of them matches as a whole are not reported."
    )
    fields: dict[FieldName, NamedField] = Field(
        {},
        description="Named fields, such as those of a score board: {home: {region: [[0, 0], [0.1, 0], [0.1, 0.1], "
        "[0, 0.1]], pattern: '\\d+'}}. Events of a text in one of them have its name in `field`.",
    )
