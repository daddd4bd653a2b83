"""Regions, masks and named fields of the cameras in a settings file: what they are, and their change.

Runs in a process of its own (``area_editor``): YAML takes seconds, and patterns take memory.
"""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import Field, ValidationError

from stream_ocr.config import bounded_yaml
from stream_ocr.config.areas import Areas, NamedField
from stream_ocr.config.base import FieldName
from stream_ocr.config.settings import Settings
from stream_ocr.config.sources import SourceSettings
from stream_ocr.config.yaml_edit import set_value
from stream_ocr.errors import SettingsError
from stream_ocr.printable import escape_unprintable
from stream_ocr.service import settings_file


class CameraAreas(Areas):
    """The areas of one camera."""

    fields: dict[FieldName, NamedField] = Field({}, description="Named fields.")

    def to_json(self) -> dict[str, Any]:
        """Return JSON types, without patterns that are not set."""
        return self.model_dump(mode="json", exclude_none=True)


def describe(path: Path, overrides: Sequence[str]) -> dict[str, Any]:
    """Return the areas of all cameras as JSON types: see docs/see.md. Raises SettingsError if the file is wrong."""
    content = settings_file.read(path)
    settings = Settings.load(path, overrides)
    shared = settings.detection
    inherited = CameraAreas(regions=shared.regions, masks=shared.masks, fields=settings.events.fields)
    own = _sources(content.text)
    return {
        "file": path.name,
        "version": content.version,
        "problem": _problem(path),
        "inherited": inherited.to_json(),
        "cameras": {
            name: {**_areas(source).to_json(), "problem": _camera_problem(path.name, name, own.get(name, {}), source)}
            for name, source in settings.sources.items()
        },
    }


def save(path: Path, overrides: Sequence[str], camera: str, areas: Mapping[str, Any], version: str) -> dict[str, Any]:
    """Write the areas of a camera into the file, and return its new version.

    areas: ``regions``, ``masks`` and ``fields``, as ``describe`` returns them. version: of the file that the change was
    made from. Raises SettingsConflictError if the file has another, SettingsError if the areas or the file are wrong.
    """
    settings_file.check_writable(path)
    content = settings_file.read(path)
    settings_file.check_version(path, version)
    wanted = _validate(camera, areas)
    source = Settings.load(path, overrides).sources.get(camera)
    if source is None:
        raise SettingsError(f"There is no camera {camera!r}.")
    own = _sources(content.text).get(camera, {})
    if problem := _camera_problem(path.name, camera, own, source):
        raise SettingsError(problem)
    text = content.text
    try:
        for name, value in _shorten(wanted.to_json()).items():
            if value or own.get(name):
                text = set_value(text, ("sources", camera), name, value or None)
    except (ValueError, yaml.YAMLError) as error:
        reason = escape_unprintable(str(error))
        raise SettingsError(f"{path} cannot be changed safely: {reason}; change it in an editor.") from error
    if text != content.text:
        _check_result(path, overrides, text, camera, wanted)
        settings_file.replace(path, text.encode(), version)
    return {"version": settings_file.read(path).version, "file_version": settings_file.file_version(path)}


def _check_result(path: Path, overrides: Sequence[str], text: str, camera: str, wanted: CameraAreas) -> None:
    """Raise SettingsError if a run could not use the text, or would read other areas than those that are wanted."""
    fd = os.memfd_create("settings", os.MFD_CLOEXEC)
    candidate = Path(f"/proc/self/fd/{fd}")
    try:
        candidate.write_bytes(text.encode())
        settings = Settings.load(candidate, overrides)
        settings.check_files()
    except SettingsError as error:
        raise SettingsError(str(error).replace(str(candidate), str(path))) from error
    finally:
        os.close(fd)
    if _areas(settings.sources[camera]) != wanted:
        raise SettingsError(f"The areas of {camera} are also set elsewhere, so that {path} cannot change them.")


def _problem(path: Path) -> str | None:
    """Return why the file cannot be changed, as far as that is known beforehand."""
    try:
        settings_file.check_writable(path)
    except SettingsError as error:
        return str(error)
    return None


def _camera_problem(file: str, name: str, own: Mapping[str, Any], source: SourceSettings) -> str | None:
    """Return why the areas of a camera cannot be changed in the file. own: what is under its name there."""
    if not own:
        return (
            f"The camera {name} is not under sources in {file}, but is set by --set, the environment or a dotted name."
        )
    try:
        in_file = _validate(name, {key: own[key] for key in CameraAreas.model_fields if own.get(key) is not None})
    except SettingsError:
        in_file = None
    if in_file != _areas(source):
        return f"The areas of {name} are also set by --set, the environment or a dotted name, not by {file} alone."
    return None


def _sources(text: str) -> dict[str, Any]:
    """Return the mappings under ``sources`` as they are in the file."""
    try:
        tree = bounded_yaml.parse(text)
    except yaml.YAMLError:  # changed since it was loaded
        return {}
    sources = tree.get("sources") if isinstance(tree, dict) else None
    found = sources if isinstance(sources, dict) else {}
    return {name: each for name, each in found.items() if isinstance(each, dict)}


def _shorten(value: Any) -> Any:
    """Return a value with 1 instead of 1.0."""
    if isinstance(value, dict):
        return {name: _shorten(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_shorten(each) for each in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _areas(source: SourceSettings) -> CameraAreas:
    return CameraAreas(regions=source.regions, masks=source.masks, fields=source.fields or {})


def _validate(camera: str, areas: Mapping[str, Any]) -> CameraAreas:
    """Return validated areas. Raises SettingsError with a sentence about the first mistake."""
    try:
        return CameraAreas.model_validate(areas)
    except ValidationError as error:
        detail = error.errors()[0]
        place = ".".join(("sources", camera, *map(str, detail["loc"])))
        message = detail["msg"].removeprefix("Value error, ")
        raise SettingsError(escape_unprintable(f"{place}: {message[0].lower()}{message[1:]}.")) from error
