"""Writer of settings as YAML with a comment for each: configs/default.yaml and ``stream-ocr config``."""

import textwrap
from collections.abc import Iterator

import yaml
from pydantic import BaseModel

from stream_ocr.config.base import ConfigModel

_COMMENT_WIDTH = 100  # columns
_NO_WRAP = 1000  # line width for PyYAML: a value stays on one line
_COLLECTIONS = ("sources", "sinks", "rules")
"""Settings whose items are written without their defaults."""


def to_yaml(settings: ConfigModel) -> str:
    """Return a YAML document with the description of each setting in the lines above it."""
    return "\n".join(_lines(settings)) + "\n"


def _lines(group: BaseModel, indent: str = "") -> Iterator[str]:
    for name, field in type(group).model_fields.items():
        value = getattr(group, name)
        yield from textwrap.wrap(
            field.description or "",
            _COMMENT_WIDTH,
            initial_indent=f"{indent}# ",
            subsequent_indent=f"{indent}# ",
            break_on_hyphens=False,
        )
        if isinstance(value, ConfigModel):
            yield f"{indent}{name}:"
            yield from _lines(value, indent + "  ")
        else:
            brief = name in _COLLECTIONS
            plain = group.model_dump(mode="json", include={name}, exclude_defaults=brief).get(name, value)
            text = yaml.safe_dump({name: plain}, allow_unicode=True, width=_NO_WRAP, sort_keys=not brief)
            yield textwrap.indent(text.strip(), indent)
