"""The unit of work: one file with its settings, and the key that tells whether it has been read."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from stream_ocr.archive.sources import Source
from stream_ocr.config.settings import Settings
from stream_ocr.errors import SettingsError
from stream_ocr.models import presets, weights

READING_SETTINGS = ("models", "device", "dtype", "decode", "gating", "detection", "tracking", "recognition", "events")
"""Settings, or groups of them, on which the events of a file depend."""


@dataclass(frozen=True, slots=True)
class Unit:
    """A file to read. settings: as JSON types. key: the same for the same content, settings, weights and version."""

    address: str
    stream: str
    settings: dict[str, Any] = field(repr=False)
    key: str


class Planner:
    """Makes units of files."""

    def __init__(self, settings: Settings) -> None:
        """settings: of all files; what a manifest sets for a file replaces them."""
        self._settings, self._default = settings, _Plan.of(settings)

    def plan(self, source: Source) -> Unit:
        """Return the unit of a file. Raise SourceError if there is no such file, SettingsError for its settings."""
        plan = self._plan(source)
        return Unit(source.address, source.stream, plan.values, _digest(source.content_id, source.stream, plan.digest))

    def check(self, source: Source) -> None:
        """Raise SettingsError if the settings of a file are invalid."""
        self._plan(source)

    def _plan(self, source: Source) -> "_Plan":
        if not source.settings:
            return self._default
        unused = {*source.settings} - {*READING_SETTINGS}
        if unused:
            raise SettingsError(f"{source.stream}: {sorted(unused)[0]} cannot be set for a file of an archive.")
        try:
            values = _merged(self._settings.model_dump(mode="json"), source.settings)
            return _Plan.of(Settings.model_validate(values))
        except ValidationError as error:
            detail = error.errors()[0]
            name = ".".join(map(str, detail["loc"]))
            raise SettingsError(f"{source.stream}: {name} in the manifest: {detail['msg']}.") from None


@dataclass(frozen=True, slots=True)
class _Plan:
    """Settings as JSON types, and a digest of all on which the events depend except the file."""

    values: dict[str, Any]
    digest: str

    @classmethod
    def of(cls, settings: Settings) -> "_Plan":
        values = {name: settings.model_dump(mode="json")[name] for name in (*READING_SETTINGS, "threads")}
        used = {name: values[name] for name in READING_SETTINGS}
        lexicon = settings.recognition.read_lexicon() if settings.recognition.lexicon else []
        version = metadata.version("stream-ocr")
        return cls(values, _digest(used, lexicon, _models(settings), version))


def _models(settings: Settings) -> list[Any]:
    """Return the checksums of the models that these settings select. Raise WeightsError."""
    preset = presets.select_preset(settings)
    manifest = weights.manifest()
    files = [path for path in (settings.detection.onnx, settings.recognition.onnx) if path is not None]
    uses_ppocr = preset.second_reader or "ppocr" in (preset.detector.family, preset.recognizer.family)
    return [
        [manifest.get(name, {}).get("sha256") for name in (presets.DETECTOR, presets.RECOGNIZER)],
        [_checksum(path) for path in files],
        _checksum(language_model) if (language_model := presets.language_model_path(settings.recognition)) else None,
        metadata.version("rapidocr") if uses_ppocr else None,
        preset.second_reader,
    ]


@cache
def _checksum(path: Path) -> str:
    try:
        return weights.sha256(path)
    except OSError as error:
        raise SettingsError(f"{path} cannot be read: {error.strerror}; check the path of the model.") from error


def _digest(*parts: Any) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _merged(values: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return nested values with some of them changed."""
    merged = {**values}
    for name, change in changes.items():
        inner = values.get(name)
        if isinstance(change, Mapping) and isinstance(inner, Mapping):
            merged[name] = _merged(inner, change)
        else:
            merged[name] = change
    return merged
