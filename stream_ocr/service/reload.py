"""Reload of the settings of a run: when the file has changed, and what the changes mean for the sources."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from stream_ocr.config.settings import Settings
from stream_ocr.errors import SettingsError
from stream_ocr.models import presets
from stream_ocr.service.lock import InstanceLock
from stream_ocr.service.settings_file import file_version
from stream_ocr.service.settings_process import SettingsProcess
from stream_ocr.service.thresholds import THRESHOLDS


class ConfigFile:
    """The settings file of a run. Locked while it is entered. version: ``file_version`` that was read last, or is."""

    def __init__(self, path: Path, overrides: Sequence[str] = ()) -> None:
        """overrides: "name=value" settings that take precedence over the file."""
        self._path, self._overrides = path, overrides
        self._lock = InstanceLock(path)
        self._polled_s, self._version = time.monotonic(), file_version(path)
        self._reading: SettingsProcess | None = None
        self.version = self._version

    def __enter__(self) -> Self:
        """Raise SettingsError if another run holds the file."""
        self._lock.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop_reading()
        self._lock.__exit__(kind, error, trace)

    @property
    def is_reading(self) -> bool:
        """Return whether ``poll`` will return settings that are being read."""
        return self._reading is not None

    def read(self) -> None:
        """Start to read the file again; ``poll`` returns the result. Raise OSError."""
        self._stop_reading()
        self.version = self._version
        self._reading = SettingsProcess(self._path, self._overrides)

    def poll(self) -> Settings | None:
        """Return the settings once after each ``read``, and whenever the file has changed. Never waits.

        Raise SettingsError if the file is wrong or held by another run, OSError if it is gone or no process can start.
        """
        if self._has_changed():
            self.read()
        settings = None if self._reading is None else self._finish_reading(self._reading)
        if settings is None:
            return None
        settings = resolved(settings)
        if not settings.sources:
            raise SettingsError("There is nothing to watch any more.")
        self._lock.renew()
        return settings

    def _has_changed(self) -> bool:
        """Return whether the file has changed since the last call; it is checked every ``config_poll_s``."""
        now = time.monotonic()
        if now - self._polled_s < THRESHOLDS.config_poll_s:
            return False
        self._polled_s = now
        before, self._version = self._version, file_version(self._path)
        return before != self._version

    def _finish_reading(self, process: SettingsProcess) -> Settings | None:
        try:
            settings = process.poll()
        except BaseException:
            self._stop_reading()
            raise
        if settings is not None:
            self._stop_reading()
        return settings

    def _stop_reading(self) -> None:
        if self._reading is not None:
            self._reading.close()
            self._reading = None


@dataclass(frozen=True)
class SourceChanges:
    """The changes of a reload. settings: those before, with the new sources."""

    settings: Settings
    removed: list[str]
    set: list[str]  # added or changed
    need_restart: list[str]  # other settings that differ; they apply from the next start


def compare(old: Settings, new: Settings) -> SourceChanges:
    """Return the changes from ``old`` to ``new`` settings."""
    other = sorted(name for name in type(new).model_fields if name != "sources")
    settings = old.model_copy(update={"sources": new.sources})
    before, after = old.for_workers()["sources"], settings.for_workers()["sources"]
    return SourceChanges(
        settings,
        removed=sorted(old.sources.keys() - new.sources.keys()),
        set=[name for name, source in after.items() if source != before.get(name)],
        need_restart=[name for name in other if getattr(new, name) != getattr(old, name)],
    )


def resolved(settings: Settings) -> Settings:
    """Return the settings as workers get them."""
    return presets.with_shared_threads(presets.with_model_defaults(settings))
