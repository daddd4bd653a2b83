"""The position of a subscriber in each stream, in a file that is replaced atomically."""

import os
import time
from collections.abc import Mapping
from pathlib import Path

import msgspec

from stream_ocr.client.thresholds import THRESHOLDS
from stream_ocr.errors import SubscribeError
from stream_ocr.events import DECODE_ERRORS


class _Content(msgspec.Struct, omit_defaults=True):
    store: str
    streams: dict[str, int]
    provisional: dict[str, dict[int, str]] = {}


class Cursor:
    """The last ``seq`` of each stream that the subscriber has processed. Without a path it is kept in memory only.

    found: whether the file has a position to resume from; it has none after a run that never synchronised.
    """

    def __init__(self, path: Path | None) -> None:
        """Read the file if it exists. Raise SubscribeError if it is no cursor, or cannot be read or written."""
        self._path = path
        self._content = _Content("", {})
        self._saved_s = 0.0
        self._changed = False
        if path is not None:
            try:
                self._content = msgspec.json.decode(path.read_bytes(), type=_Content)
            except FileNotFoundError:
                self._write()  # to report at once if it cannot be written
            except (OSError, *DECODE_ERRORS) as error:
                raise SubscribeError(f"{path} is no cursor: {error}; remove it to start again.") from error
        self.found = bool(self._content.store)

    @property
    def store(self) -> str:
        """Id of the store to which the numbers belong."""
        return self._content.store

    @property
    def streams(self) -> dict[str, int]:
        """The last processed ``seq`` by stream."""
        return self._content.streams

    @property
    def provisional(self) -> Mapping[str, Mapping[int, str]]:
        """Ids of the processed events beyond these that were not stored, by stream and ``seq``."""
        return self._content.provisional

    def add_provisional(self, store: str, stream: str, seq: int, id_: str) -> None:
        """Record that an event is processed that was not stored. Raise SubscribeError if it cannot be saved."""
        self._set_store(store)
        ids = self._content.provisional.setdefault(stream, {})
        ids[seq] = id_
        while len(ids) > THRESHOLDS.max_provisional:
            del ids[next(iter(ids))]
        self._save_in_time()

    def advance(self, store: str, positions: Mapping[str, int]) -> None:
        """Record that all events up to these positions are processed. Raise SubscribeError if it cannot be saved."""
        self._set_store(store)
        self._content.streams.update(positions)
        for stream in self._content.provisional.keys() & positions.keys():
            ids = self._content.provisional[stream]
            for seq in [seq for seq in ids if seq <= positions[stream]]:
                del ids[seq]
        self._save_in_time()

    def _set_store(self, store: str) -> None:
        if store != self._content.store:
            self._content = _Content(store, {})

    def _save_in_time(self) -> None:
        self._changed = True
        if time.monotonic() - self._saved_s >= THRESHOLDS.cursor_interval_s:
            self.save()

    def save(self) -> None:
        """Write the file if anything has changed."""
        if self._changed and self._path is not None:
            self._write()
        self._changed = False
        self._saved_s = time.monotonic()

    def _write(self) -> None:
        assert self._path is not None, "a cursor in memory is not written"
        temporary = self._path.with_name(f".{self._path.name}.{os.getpid()}")
        try:
            temporary.write_bytes(msgspec.json.encode(self._content))
            temporary.replace(self._path)
        except OSError as error:
            raise SubscribeError(f"The cursor {self._path} cannot be written: {error.strerror}.") from error
