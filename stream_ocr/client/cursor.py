"""How far a subscriber has come, in a file that a kill cannot tear."""

import os
import time
from collections.abc import Mapping
from pathlib import Path

import msgspec

from stream_ocr.errors import SubscribeError
from stream_ocr.events import DECODE_ERRORS

_SAVE_S = 0.2


class _Place(msgspec.Struct):
    store: str
    streams: dict[str, int]


class Cursor:
    """The last ``seq`` of each stream that was dealt with. Without a path it is kept in memory only.

    found: whether there was a place to go on from; not so after a run that never learned where things stand.
    """

    def __init__(self, path: Path | None) -> None:
        """Raises SubscribeError for a file that is no cursor, or cannot be read."""
        self._path = path
        self._place = _Place("", {})
        self._saved_s = 0.0
        self._changed = False
        if path is not None:
            try:
                self._place = msgspec.json.decode(path.read_bytes(), type=_Place)
            except FileNotFoundError:
                self._write()  # one that cannot be written is told of at once
            except (OSError, *DECODE_ERRORS) as error:
                raise SubscribeError(f"{path} is no cursor: {error}; remove it to begin anew.") from error
        self.found = bool(self._place.store)

    @property
    def store(self) -> str:
        """Of which store the numbers are."""
        return self._place.store

    @property
    def streams(self) -> dict[str, int]:
        """The last ``seq`` by stream."""
        return self._place.streams

    def move(self, store: str, places: Mapping[str, int]) -> None:
        """All up to these places was dealt with. Raises SubscribeError when that cannot be written down."""
        if store != self._place.store:
            self._place = _Place(store, {})
        self._place.streams.update(places)
        self._changed = True
        if time.monotonic() - self._saved_s >= _SAVE_S:
            self.save()

    def save(self) -> None:
        """Write down what is not written yet."""
        if self._changed and self._path is not None:
            self._write()
        self._changed = False
        self._saved_s = time.monotonic()

    def _write(self) -> None:
        assert self._path is not None, "a cursor in memory is not written"
        beside = self._path.with_name(f".{self._path.name}.{os.getpid()}")
        try:
            beside.write_bytes(msgspec.json.encode(self._place))
            beside.replace(self._path)
        except OSError as error:
            raise SubscribeError(f"The cursor {self._path} cannot be written: {error.strerror}.") from error
