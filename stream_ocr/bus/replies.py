"""Replies of the bus, from the store."""

import sqlite3
from base64 import b64encode
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec

from stream_ocr.bus import protocol
from stream_ocr.errors import StoreError
from stream_ocr.events import DECODE_ERRORS
from stream_ocr.logs import get_logger
from stream_ocr.store.file_identity import FileIdentity
from stream_ocr.store.reader import Page, StoreReader

log = get_logger(__name__)


class ReplyHandler:
    """Answers requests from the store. After an error the store is opened again the next time.

    store: id of the store, empty until it is known.
    """

    def __init__(self, path: Path) -> None:
        self.store = ""
        self._path = path
        self._opened: StoreReader | None = None
        self._identity: FileIdentity | None = None
        self._broken = False

    def close(self) -> None:
        """Close the store."""
        if self._opened is not None:
            self._opened.close()
            self._opened = None

    def last(self) -> dict[str, int]:
        """Return the last sequence number of every stream; empty while the store cannot be read."""
        with self._ignore_store_errors():
            return self._reader().streams()
        return {}

    def page(self, stream: str, after: int) -> Page | None:
        """Return events of a stream after a sequence number, or None while the store cannot be read."""
        with self._ignore_store_errors():
            return self._reader().replay(stream, after)
        return None

    def reply(self, body: bytes) -> protocol.Reply:
        """Return the reply to any bytes; an ErrorReply if they are no request."""
        try:
            request = protocol.decode_request(body)
        except DECODE_ERRORS as error:
            return protocol.ErrorReply(id=0, reason=f"This is no valid request: {error}.")
        try:
            match request:
                case protocol.StreamsRequest():
                    return self._streams(request)
                case protocol.SnapshotRequest():
                    return self._snapshot(request)
                case protocol.ReplayRequest():
                    page = self._reader().replay(request.stream, request.after, request.limit)
                    return protocol.ReplayReply(
                        id=request.id,
                        store=self.store,
                        stream=request.stream,
                        events=_raw(page.events),
                        through=page.through,
                        last=page.last,
                    )
                case protocol.CropRequest():
                    crop = self._reader().crop(request.stream, request.seq)
                    webp = None if crop is None else b64encode(crop).decode()
                    return protocol.CropReply(id=request.id, store=self.store, webp=webp)
        except (sqlite3.Error, StoreError) as error:
            self.close()
            return protocol.ErrorReply(id=request.id, reason=f"The store cannot be read: {error}.")

    def _streams(self, request: protocol.StreamsRequest) -> protocol.StreamsReply:
        streams, next_page = self._list_streams(request.after)
        if request.before is not None:
            streams = {name: self._reader().last_before(name, request.before) for name in streams}
        return protocol.StreamsReply(id=request.id, store=self.store, streams=streams, next=next_page)

    def _snapshot(self, request: protocol.SnapshotRequest) -> protocol.SnapshotReply:
        listed, next_page = self._list_streams(request.after)
        wanted = listed if request.streams is None else set(request.streams)
        streams: dict[str, int] = {}
        events: list[bytes] = []
        size = 0
        for snapshot in self._reader().visible([name for name in listed if name in wanted]):
            size += sum(map(len, snapshot.events))
            if streams and size > protocol.MAX_REPLY_BYTES // 8:
                next_page = max(streams)
                break
            streams[snapshot.stream] = snapshot.last
            events += snapshot.events
        return protocol.SnapshotReply(
            id=request.id, store=self.store, streams=streams, events=_raw(events), next=next_page
        )

    def _list_streams(self, after: str) -> tuple[dict[str, int], str | None]:
        """Return a page of last sequence numbers by stream, and the last name if more pages follow."""
        streams = self._reader().streams(after=after, limit=protocol.MAX_STREAMS + 1)
        if len(streams) <= protocol.MAX_STREAMS:
            return streams, None
        streams.popitem()
        return streams, max(streams)

    def _reader(self) -> StoreReader:
        """Return the open store. Raise StoreError or sqlite3.Error while it cannot be read."""
        if self._opened is not None and self._identity is not None and self._identity.is_stale:
            self.close()
        if self._opened is None:
            self._opened, self._identity = StoreReader(self._path), FileIdentity(self._path)
            self.store = self._opened.id
            self._broken = False
        return self._opened

    @contextmanager
    def _ignore_store_errors(self) -> Iterator[None]:
        """Log the first of several store errors in a row, and close the store so that it is opened again."""
        try:
            yield
        except (sqlite3.Error, StoreError) as error:
            if not self._broken:
                log.error("store cannot be read", reason=str(error))
            self._broken = True
            self.close()


def _raw(events: Sequence[bytes]) -> list[msgspec.Raw]:
    return [msgspec.Raw(event) for event in events]
