"""Reading of units in a worker: the same for local processes and for actors of a cluster."""

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stream_ocr.archive import remote
from stream_ocr.archive.file_reader import FileReader
from stream_ocr.archive.output import Output
from stream_ocr.archive.unit import Unit
from stream_ocr.config.settings import Settings
from stream_ocr.errors import SourceError, StreamOcrError


@dataclass(frozen=True, slots=True)
class UnitResult:
    """Result of reading a unit. failure: empty, or why it could not be read. attempt: what was written until then."""

    media_s: float = 0.0
    frames: int = 0
    failure: str = ""
    attempt: Path | None = None


class UnitReader:
    """Reads units and publishes their output. The networks are loaded for the first unit, and for other settings."""

    def __init__(self, output: Output, *, force: bool = False) -> None:
        """force: replace finished outputs."""
        self._output, self._force = output, force
        self._settings: dict[str, Any] | None = None
        self._reader: FileReader | None = None
        self._entered = ExitStack()

    def read(self, unit: Unit) -> UnitResult:
        """Read a unit and publish its output.

        Raise SinkError, WeightsError or DeviceError: then no other unit can be read either.
        """
        attempt = self._output.new_attempt()
        started_s = time.monotonic()
        try:
            with _local_copy(unit.address) as path:
                outputs = [attempt / name for name in self._output.formats]
                closed = self._reader_for(unit.settings).read(path, unit.stream, outputs)
        except SourceError as error:
            return UnitResult(failure=str(error), attempt=attempt)
        except (StreamOcrError, OSError):
            self.close()
            raise
        except Exception as error:  # noqa: BLE001 - one file of thousands must not end the run
            self.close()
            return UnitResult(failure=f"{type(error).__name__}: {error}", attempt=attempt)
        media_s = closed.end_s - closed.start_s
        facts = {
            "source": remote.without_secrets(unit.address),
            "media_s": round(media_s, 6),
            "wall_s": round(time.monotonic() - started_s, 3),
            **closed.counts,
        }
        self._output.publish(unit, attempt, facts, force=self._force)
        return UnitResult(media_s, closed.counts.get("frames", 0))

    def close(self) -> None:
        """Release the networks."""
        self._entered.close()
        self._reader = None

    def _reader_for(self, settings: dict[str, Any]) -> FileReader:
        if self._reader is None or settings != self._settings:
            self.close()
            self._reader = self._entered.enter_context(FileReader(Settings.model_validate(settings)))
            self._settings = settings
        return self._reader


@contextmanager
def _local_copy(address: str) -> Iterator[Path]:
    if remote.is_remote(address):
        with remote.fetched(address) as path:
            yield path
    else:
        yield Path(address)
