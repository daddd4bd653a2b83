"""What users give for settings: a YAML file, the environment, ``--set``; and what is said of it when it is wrong.

The only reader of YAML and of the environment's settings.
"""

import difflib
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from stream_ocr.errors import SettingsError

PREFIX = "STREAM_OCR_"
NOT_SETTINGS = {"STREAM_OCR_DEBUG"}


def values(
    path: Path | None, overrides: Sequence[str], known: Sequence[str], mistakes: list[str]
) -> Iterator[tuple[str, str, Any]]:
    """(origin, dotted name, value) of all that was given, the stronger ones last; what cannot be is a mistake.

    known: the names of all settings.
    """
    if path is not None:
        for name, value in _leaves(_mapping_in(path), known):
            yield str(path), name, value
    texts = [
        (variable, variable.removeprefix(PREFIX).lower().replace("__", "."), text)
        for variable, text in sorted(os.environ.items())
        if variable.startswith(PREFIX) and variable not in NOT_SETTINGS
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


def _mapping_in(path: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"{path} cannot be read: {error.strerror}; check the name given to --config.") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} is not valid YAML: {' '.join(str(error).split())}.") from error
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise SettingsError(f"{path} holds a {type(content).__name__}, but settings are a mapping of names to values.")
    return content


def _leaves(tree: Mapping[Any, Any], known: Sequence[str], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in tree.items():
        name = f"{prefix}{key}"
        if isinstance(value, dict):
            yield from _leaves(value, known, f"{name}.")
        elif value is not None or not any(setting.startswith(f"{name}.") for setting in known):
            yield name, value  # a group of settings with nothing in it is no mistake


def put(tree: dict[str, Any], name: str, value: Any) -> None:
    """Set a dotted name in nested mappings."""
    *sections, last = name.split(".")
    for section in sections:
        inner = tree.get(section)
        if not isinstance(inner, dict):
            inner = tree[section] = {}
        tree = inner
    tree[last] = value


def sentences(problem: Any, origins: Mapping[str, str], known: Sequence[str]) -> Iterator[str]:
    """What is wrong, for each thing that the user wrote.

    problem: of pydantic. origins: of what was given, by name.
    """
    name = ".".join(str(part) for part in problem["loc"])
    message = f"{problem['msg'][0].lower()}{problem['msg'][1:]}"
    told = False
    for wanted, origin in origins.items():
        if problem["type"] == "value_error" or (wanted != name and not wanted.startswith(f"{name}.")):
            continue
        value = "***" if name.startswith("sources.") else repr(problem["input"])  # it may be an address
        told = True
        if problem["type"] == "extra_forbidden":
            yield f"{wanted} ({origin}) is not a setting{_suggestion(wanted, known)}"
        elif wanted == name and problem["type"] == "model_type":
            yield f"{wanted} ({origin}) is {value}, but it is a group of settings"
        elif wanted == name:
            yield f"{wanted} ({origin}) is {value}: {message}"
    if not told:  # of a whole group, of an item of a list, or of something whose value may be secret
        sentence = message.removeprefix("value error, ")
        yield f"{name}: {sentence}" if name else sentence


def _suggestion(name: str, known: Sequence[str]) -> str:
    by_last_part = {setting.rpartition(".")[2]: setting for setting in reversed(known)}
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.7)
    if not near:
        parts = difflib.get_close_matches(name.rpartition(".")[2], by_last_part, n=1, cutoff=0.75)
        near = [by_last_part[part] for part in parts]
    return f"; did you mean {near[0]}?" if near else "; `stream-ocr config` lists them all"


def report(mistakes: Sequence[str]) -> str:
    """All of them for people."""
    if len(mistakes) == 1:
        return f"{mistakes[0]}." if not mistakes[0].endswith("?") else mistakes[0]
    return f"{len(mistakes)} mistakes in the settings:\n" + "\n".join(f"  {mistake}" for mistake in mistakes)
