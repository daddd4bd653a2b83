"""Manifests: lists of files, one a line, as text or as JSON with settings of the file's own."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError

from stream_ocr.archive import remote
from stream_ocr.config.base import ConfigModel
from stream_ocr.config.loading import set_nested
from stream_ocr.errors import SourceError

_TEXT, _JSON = frozenset({".txt"}), frozenset({".jsonl", ".ndjson"})


class _JsonLine(ConfigModel):
    """A line of a JSON manifest."""

    path: str = Field(min_length=1)
    stream: str | None = Field(None, min_length=1)
    settings: dict[str, Any] = Field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ManifestLine:
    """A file of a manifest. address: absolute path, or URL. settings: nested mapping."""

    address: str
    stream: str
    settings: dict[str, Any]


def is_manifest(path: Path) -> bool:
    """Return True for the name of a manifest."""
    return path.suffix.lower() in _TEXT | _JSON


def read_manifest(path: Path) -> Iterator[ManifestLine]:
    """Yield the files of a manifest; empty lines and lines that start with # are skipped. Raise SourceError.

    Relative paths start at the folder of the manifest. The stream is the path as written, unless the line names one.
    """
    is_json = path.suffix.lower() in _JSON
    try:
        with path.open(encoding="utf-8-sig") as file:
            for number, text in enumerate(file, 1):
                if text.strip() and not text.startswith("#"):
                    line = _parsed(text, f"Line {number} of {path}") if is_json else _JsonLine(path=text.strip())
                    yield _resolved(line, path.parent)
    except FileNotFoundError:
        raise SourceError(f"There is no manifest {str(path)!r}; check the path.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise SourceError(f"The manifest {str(path)!r} cannot be read: {error}.") from error


def _parsed(text: str, where: str) -> _JsonLine:
    try:
        return _JsonLine.model_validate(json.loads(text))
    except json.JSONDecodeError as error:
        raise SourceError(f"{where} is not JSON ({error}); write one object a line.") from None
    except ValidationError as error:
        detail = error.errors()[0]
        name = ".".join(map(str, detail["loc"])) or "the line"
        raise SourceError(
            f'{where}: {name}: {detail["msg"]}; write {{"path": …, "stream": …, "settings": …}}.'
        ) from None


def _resolved(line: _JsonLine, folder: Path) -> ManifestLine:
    address = line.path if remote.is_remote(line.path) else str((folder / line.path).absolute())
    settings: dict[str, Any] = {}
    for name, value in line.settings.items():
        set_nested(settings, name, value)
    return ManifestLine(address, line.stream or remote.without_secrets(line.path), settings)
