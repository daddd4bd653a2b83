"""Loading of settings from a YAML file, the environment and ``--set``, and sentences for what is wrong with them.

The only module that reads YAML files and environment variables of settings.
"""

import difflib
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from stream_ocr.config.thresholds import THRESHOLDS
from stream_ocr.errors import SettingsError

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
            yield str(path), name, value
    texts = [
        (variable, variable.removeprefix(ENV_PREFIX).lower().replace("__", "."), text)
        for variable, text in sorted(os.environ.items())
        if variable.startswith(ENV_PREFIX) and variable not in NOT_SETTINGS
    ]
    for override in overrides:
        name, equals, text = override.partition("=")
        if equals and name.strip():
            texts.append(("--set", name.strip(), text))
        else:
            mistakes.append(f"--set {override!r} is not of the form name=value")
    for origin, name, text in texts:
        try:
            yield origin, name, yaml.safe_load(text)
        except yaml.YAMLError:
            mistakes.append(f"{name} ({origin}) is {text!r}, which is not valid YAML")


def _load_mapping(path: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"{path} cannot be read: {error.strerror}; check the path of the settings file.") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} is not valid YAML: {' '.join(str(error).split())}.") from error
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
    message = f"{detail['msg'][0].lower()}{detail['msg'][1:]}"
    described = False
    for given, origin in origins.items():
        if detail["type"] == "value_error" or (given != name and not given.startswith(f"{name}.")):
            continue
        value = "***" if name.startswith("sources.") else repr(detail["input"])  # may be an address with a password
        described = True
        if detail["type"] == "extra_forbidden":
            yield f"{given} ({origin}) is not a setting{_suggestion(given, known)}"
        elif given == name and detail["type"] == "model_type":
            yield f"{given} ({origin}) is {value}, but it is a group of settings"
        elif given == name:
            yield f"{given} ({origin}) is {value}: {message}"
    if not described:  # a whole group, an item of a list, or a value that may be secret
        sentence = message.removeprefix("value error, ")
        yield f"{name}: {sentence}" if name else sentence


def _suggestion(name: str, known: Sequence[str]) -> str:
    by_last_part = {setting.rpartition(".")[2]: setting for setting in reversed(known)}
    near = difflib.get_close_matches(name, known, n=1, cutoff=THRESHOLDS.name_similarity)
    if not near:
        last_part = name.rpartition(".")[2]
        parts = difflib.get_close_matches(last_part, by_last_part, n=1, cutoff=THRESHOLDS.last_part_similarity)
        near = [by_last_part[part] for part in parts]
    return f"; did you mean {near[0]}?" if near else "; `stream-ocr config` lists all settings"


def format_mistakes(mistakes: Sequence[str]) -> str:
    """Return one mistake as a sentence, several as a list."""
    if len(mistakes) == 1:
        return f"{mistakes[0]}." if not mistakes[0].endswith("?") else mistakes[0]
    return f"{len(mistakes)} mistakes in the settings:\n" + "\n".join(f"  {mistake}" for mistake in mistakes)
