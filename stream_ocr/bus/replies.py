"""What the bus knows of the store: what to publish, and what to answer."""

import sqlite3
from base64 import b64encode
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec
import structlog

from stream_ocr.bus import protocol
from stream_ocr.errors import StoreError
from stream_ocr.events import DECODE_ERRORS
from stream_ocr.store.file_identity import FileIdentity
from stream_ocr.store.reader import Page, StoreReader

log = structlog.get_logger(__name__)


class ReplyHandler:
    """Reads the store; one that cannot be read is opened anew the next time.

    store: its id, empty until it is known.
    """

    def __init__(self, path: Path) -> None:
        self.store = ""
        self._path = path
        self._opened: StoreReader | None = None
        self._place: FileIdentity | None = None
        self._broken = False

    def close(self) -> None:
        """Let go of the store."""
        if self._opened is not None:
            self._opened.close()
            self._opened = None

    def last(self) -> dict[str, int]:
        """The last ``seq`` of every stream; none while the store cannot be read."""
        with self._unless_broken():
            return self._reader().streams()
        return {}

    def page(self, stream: str, after: int) -> Page | None:
        """Events of a stream, or None while the store cannot be read."""
        with self._unless_broken():
            return self._reader().replay(stream, after)
        return None

    def reply(self, body: bytes) -> protocol.Reply:
        """The answer to a request, whatever it says."""
        try:
            request = protocol.decode_request(body)
        except DECODE_ERRORS as error:
            return protocol.ErrorReply(id=0, reason=f"This is no request: {error}.")
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
        streams, following = self._listed(request.after)
        if request.before is not None:
            streams = {name: self._reader().last_before(name, request.before) for name in streams}
        return protocol.StreamsReply(id=request.id, store=self.store, streams=streams, next=following)

    def _snapshot(self, request: protocol.SnapshotRequest) -> protocol.SnapshotReply:
        listed, following = self._listed(request.after)
        wanted = listed if request.streams is None else set(request.streams)
        streams: dict[str, int] = {}
        events: list[bytes] = []
        size = 0
        for shot in self._reader().visible([name for name in listed if name in wanted]):
            size += sum(map(len, shot.events))
            if streams and size > protocol.MAX_REPLY_BYTES // 8:
                following = max(streams)
                break
            streams[shot.stream] = shot.last
            events += shot.events
        return protocol.SnapshotReply(
            id=request.id, store=self.store, streams=streams, events=_raw(events), next=following
        )

    def _listed(self, after: str) -> tuple[dict[str, int], str | None]:
        """The last ``seq`` of streams by name, as many as a page holds, and the last of them where more follow."""
        streams = self._reader().streams(after=after, limit=protocol.MAX_STREAMS + 1)
        if len(streams) <= protocol.MAX_STREAMS:
            return streams, None
        streams.popitem()
        return streams, max(streams)

    def _reader(self) -> StoreReader:
        """Raises StoreError and sqlite3.Error while the store cannot be read."""
        if self._opened is not None and self._place is not None and self._place.is_stale:
            self.close()
        if self._opened is None:
            self._opened, self._place = StoreReader(self._path), FileIdentity(self._path)
            self.store = self._opened.id
            self._broken = False
        return self._opened

    @contextmanager
    def _unless_broken(self) -> Iterator[None]:
        """Go on without a store that cannot be read; the next time it is opened anew."""
        try:
            yield
        except (sqlite3.Error, StoreError) as error:
            if not self._broken:
                log.error("store cannot be read", reason=str(error))
            self._broken = True
            self.close()


def _raw(events: Sequence[bytes]) -> list[msgspec.Raw]:
    return [msgspec.Raw(event) for event in events]
