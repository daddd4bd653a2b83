"""Named fields as small text files, which OBS and other programs for titles read: FOLDER/STREAM/FIELD.txt."""

from pathlib import Path

import msgspec

from stream_ocr.config.sinks import FieldsSettings
from stream_ocr.errors import SinkError
from stream_ocr.events import Event
from stream_ocr.events.fields import LatestFields
from stream_ocr.sinks.base import describe_error, encode_name

_ALL = "fields.json"


class FieldsSink:
    """Writes a field when its text changes; each file is replaced as a whole."""

    def __init__(self, settings: FieldsSettings) -> None:
        self.name = settings.label
        self._folder, self._clear = settings.path, settings.clear
        self._fields = LatestFields()
        self._written: dict[Path, str] = {}

    def open(self) -> None:
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._write(self._folder / _ALL, "{}")
        except OSError as error:
            raise SinkError(f"The folder {self._folder} cannot be written: {describe_error(error)}.") from error

    def write(self, event: Event) -> None:
        if not self._fields.update(event):
            return
        for name, value in self._fields.values[event.stream].items():
            text = "" if self._clear and not value.visible else value.text
            self._write(self._folder / _file_name(event.stream) / f"{_file_name(name)}.txt", text)
        self._write(self._folder / _ALL, msgspec.json.encode(self._fields.values).decode())

    def close(self) -> None:
        """Leave the files as they are."""

    def _write(self, path: Path, text: str) -> None:
        if self._written.get(path) == text:
            return
        path.parent.mkdir(exist_ok=True)
        new = path.with_name(f".{path.name}.new")
        new.write_text(text, encoding="utf-8")
        new.replace(path)
        self._written[path] = text


def _file_name(name: str) -> str:
    """Return a name as one part of a path, which no system refuses."""
    encoded = encode_name(name, '/\\:*?"<>|')
    return f"%2E{encoded[1:]}" if encoded.startswith(".") else encoded
