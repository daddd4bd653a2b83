"""Loading of settings from a YAML file, the environment and ``--set``, and sentences for what is wrong with them.

The only module that reads YAML files and environment variables of settings.
"""

import difflib
import os
import reprlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from stream_ocr.config.thresholds import THRESHOLDS
from stream_ocr.errors import SettingsError
from stream_ocr.printable import escape_unprintable

ENV_PREFIX = "STREAM_OCR_"
NOT_SETTINGS = {"STREAM_OCR_DEBUG"}


def read_values(
    path: Path | None, overrides: Sequence[str], known: Sequence[str], mistakes: list[str]
) -> Iterator[tuple[str, str, Any]]:
    """Yield (origin, dotted name, value) of all given settings; a later value replaces an earlier one.

    known: the names of all settings. Values that cannot be parsed are appended to ``mistakes`` as sentences.
    """
    if path is not None:
        for name, value in _leaves(_load_mapping(path), known):
            if len(name) <= THRESHOLDS.max_name_characters:
                yield str(path), name, value
            else:
                mistakes.append(f"{_shown(name)} ({path}) is not a setting")
    texts = [
        (variable, variable.removeprefix(ENV_PREFIX).lower().replace("__", "."), text)
        for variable, text in sorted(os.environ.items())
        if variable.startswith(ENV_PREFIX) and variable not in NOT_SETTINGS
    ]
    for override in overrides:
        name, equals, text = override.partition("=")
        if equals and 0 < len(name.strip()) <= THRESHOLDS.max_name_characters:
            texts.append(("--set", name.strip(), text))
        else:
            mistakes.append(f"--set {_shown(override)} is not of the form name=value")
    if not texts:
        return
    import yaml  # 12 ms, for settings in text only; workers get theirs as JSON

    from stream_ocr.config import bounded_yaml

    for origin, name, text in texts:
        try:
            yield origin, name, bounded_yaml.parse(text)
        except yaml.YAMLError:
            mistakes.append(f"{name} ({origin}) is {_shown(text)}, which is not valid YAML")


def _load_mapping(path: Path) -> dict[str, Any]:
    import yaml

    from stream_ocr.config import bounded_yaml

    try:
        with path.open(encoding="utf-8") as file:
            content = bounded_yaml.parse(file.read(THRESHOLDS.max_yaml_characters + 1))
    except OSError as error:
        raise SettingsError(f"{path} cannot be read: {error.strerror}; check the path of the settings file.") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        reason = escape_unprintable(" ".join(str(error).split()))
        raise SettingsError(f"{path} is not valid YAML: {reason}.") from error
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise SettingsError(
            f"{path} contains a {type(content).__name__}, but settings are a mapping of names to values."
        )
    return content


def _leaves(tree: Mapping[Any, Any], known: Sequence[str], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in tree.items():
        name = f"{prefix}{key}"
        if isinstance(value, dict):
            yield from _leaves(value, known, f"{name}.")
        elif value is not None or not any(setting.startswith(f"{name}.") for setting in known):
            yield name, value  # an empty group of settings is allowed


def set_nested(tree: dict[str, Any], name: str, value: Any) -> None:
    """Set the value of a dotted name in nested mappings."""
    *groups, last = name.split(".")
    for group in groups:
        inner = tree.get(group)
        if not isinstance(inner, dict):
            inner = tree[group] = {}
        tree = inner
    tree[last] = value


def describe_error(detail: Any, origins: Mapping[str, str], known: Sequence[str]) -> Iterator[str]:
    """Yield a sentence for each value that the user gave and that caused one validation error.

    detail: an item of ``ValidationError.errors()`` of pydantic. origins: where each given name comes from.
    """
    name = ".".join(str(part) for part in detail["loc"])
    shown_name = escape_unprintable(name)
    message = escape_unprintable(f"{detail['msg'][0].lower()}{detail['msg'][1:]}")
    described = False
    for given, origin in origins.items():
        if detail["type"] == "value_error" or (given != name and not given.startswith(f"{name}.")):
            continue
        value = "***" if name.startswith("sources.") else _shown(detail["input"])  # may be an address with a password
        if detail["type"] == "extra_forbidden":
            yield f"{escape_unprintable(given)} ({origin}) is not a setting{_suggestion(given, known)}"
        elif detail["type"] == "model_type":
            yield f"{shown_name} ({origin}) is {value}, but it is a group of settings"
        elif not described:  # once for a mapping of several values where a single one is expected
            yield f"{shown_name} ({origin}) is {value}: {message}"
        described = True
    if not described:  # a whole group, an item of a list, or a value that may be secret
        sentence = message.removeprefix("value error, ")
        yield f"{shown_name}: {sentence}" if name else sentence


def _shown(value: object) -> str:
    """Return the ``repr`` of a value, shortened."""
    short = reprlib.Repr()
    short.maxstring = short.maxother = short.maxlong = THRESHOLDS.max_shown_characters
    return short.repr(value)


def _suggestion(name: str, known: Sequence[str]) -> str:
    by_last_part = {setting.rpartition(".")[2]: setting for setting in reversed(known)}
    near = difflib.get_close_matches(name, known, n=1, cutoff=THRESHOLDS.name_similarity)
    if not near:
        last_part = name.rpartition(".")[2]
        parts = difflib.get_close_matches(last_part, by_last_part, n=1, cutoff=THRESHOLDS.last_part_similarity)
        near = [by_last_part[part] for part in parts]
    return f"; did you mean {near[0]}?" if near else "; `stream-ocr config` lists all settings"


def format_mistakes(mistakes: Sequence[str], count: int) -> str:
    """Return one mistake as a sentence, several as a list. count: how many there are in all."""
    if count == 1:
        return f"{mistakes[0]}." if not mistakes[0].endswith("?") else mistakes[0]
    shown = mistakes[: THRESHOLDS.max_shown_mistakes]
    rest = ["…"] if count > len(shown) else []
    return f"{count} mistakes in the settings:\n" + "\n".join(f"  {line}" for line in (*shown, *rest))
