"""Hostile subtitles, stores and videos, and the checks of what reads them."""

import contextlib
import tempfile
from functools import cache
from pathlib import Path

import av
from fuzz.mutation import attempt, folder, mutated
from hypothesis import strategies as st

from stream_ocr.api import read
from stream_ocr.config.settings import Settings
from stream_ocr.errors import SourceError, StoreError
from stream_ocr.events import parse
from stream_ocr.events.spans import Span
from stream_ocr.sinks.subtitles import write_subtitles
from stream_ocr.sources.files import open_file
from stream_ocr.store.reader import Query, StoreReader
from stream_ocr.store.writer import StoreWriter
from stream_ocr.synthetic.scene import Scene, Text, render
from stream_ocr.testing import published_event

STORED = 60


def check_subtitles(texts: list[str]) -> None:
    """Players show every text as it was, apart from white space and unprintable characters."""
    quad = ((0, 0), (100, 0), (100, 20), (0, 20))
    spans = [Span("a", n, text, 0.9, 2.0 * n, 2.0 * n + 1, quad, quad) for n, text in enumerate(texts)]
    shown = [text for text in (_as_shown(text) for text in texts) if text]
    for suffix in (".srt", ".vtt"):
        file = folder() / f"subtitles{suffix}"
        write_subtitles(spans, file)
        if not shown:
            continue
        with av.open(str(file)) as container:
            decoded = [cue.ass.decode() for packet in container.demux(subtitles=0) for cue in packet.decode()]
        plain = [cue.split(",", 8)[8].replace("\\{{}", "{").replace("\u2060", "") for cue in decoded]
        assert plain == shown, suffix


def _as_shown(text: str) -> str:
    plain = "".join(char if char.isprintable() else " " for char in text)
    return " ".join(plain.split()).replace("\u2060", "")


TEXTS = st.lists(
    st.text(max_size=30)
    | st.lists(
        st.sampled_from(
            ["<b>", "</b>", "<", ">", "-->", "{\\an8}", "{", "}", "\\N", "\\h", "&lt;", "&", "#", "\n", "\n\n2\n", "x "]
        ),
        max_size=8,
    ).map("".join),
    min_size=1,
    max_size=4,
)


@cache
def store_file() -> Path:
    path = folder() / "events.db"
    writer = StoreWriter(path)
    writer.open()
    for n in range(STORED):
        crop = {f"gate-{n}": b"RIFF"}
        writer.append([published_event(n, f"SIGN {n}", track=n), published_event(n, "EXIT", stream="hall")], crop)
    writer.close()
    return path


STORES = st.deferred(lambda: mutated(st.just(store_file().read_bytes())))


def check_store(content: bytes) -> None:
    """A damaged store is read as far as possible, or refused with a StoreError; a writer repairs or refuses it."""
    with tempfile.TemporaryDirectory(dir=folder()) as name:
        path = Path(name) / "events.db"
        path.write_bytes(content)
        with contextlib.suppress(StoreError), StoreReader(path) as reader:
            _read_everything(reader)
        writer = StoreWriter(path)
        with contextlib.suppress(StoreError):
            writer.open()
            writer.append([published_event(writer.next_seq("gate"))])
            writer.close()


def _read_everything(reader: StoreReader) -> None:
    for use in (
        lambda: list(reader.events()),
        lambda: [parse(json) for json in reader.replay("gate", -1).events],
        lambda: list(reader.visible()),
        lambda: reader.search(Query("sign")),
        lambda: reader.search(Query("SIGM", fuzzy=True)),
        lambda: reader.crop("gate", 3),
        lambda: reader.id,
    ):
        with contextlib.suppress(StoreError):
            use()


@cache
def _videos() -> list[bytes]:
    scene = Scene((Text("GATE 12", 0, 1, (40, 60), height=30),), 0.6, (160, 96))
    files = [folder() / f"clip{suffix}" for suffix in (".mp4", ".mkv", ".ts")]
    for file in files:
        render(scene, file)
    return [file.read_bytes() for file in files]


VIDEOS = st.deferred(lambda: mutated(st.sampled_from(_videos())))


def check_video(content: bytes) -> None:
    """A damaged file is decoded as far as possible, or refused with a SourceError in one sentence."""
    source, sentence = attempt(SourceError, open_file, _video_file(content), stream="clip")
    assert "\n" not in sentence
    if source is not None:
        with source:
            assert sum(1 for _ in source) >= 1


def check_reading(content: bytes) -> None:
    """The same for the whole program."""
    with contextlib.suppress(SourceError):
        list(read(_video_file(content), _reading_settings()))


def _video_file(content: bytes) -> Path:
    file = folder() / "damaged"
    file.write_bytes(content)
    return file


@cache
def _reading_settings() -> Settings:
    return Settings.model_validate({"models": "builtin", "device": "cpu", "threads": 1})
