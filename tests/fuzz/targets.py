"""What is fuzzed: for each parser a strategy of hostile inputs, and a check that raises if anything but the documented
errors comes out of it. Used by the tests, for seconds, and by ``benchmarks/fuzzing.py``, for as long as one likes.
"""

import contextlib
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import av
import msgspec
import yaml
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from stream_ocr.api import read
from stream_ocr.bus import protocol
from stream_ocr.bus.replies import ReplyHandler
from stream_ocr.client.cursor import Cursor
from stream_ocr.client.sequencer import Sequencer
from stream_ocr.config import bounded_yaml
from stream_ocr.config.settings import Settings, setting_names
from stream_ocr.config.urls import SourceUrl
from stream_ocr.errors import SettingsError, SourceError, StoreError, SubscribeError
from stream_ocr.events import DECODE_ERRORS, SourceEvent, parse, read_jsonl
from stream_ocr.events.spans import Span
from stream_ocr.printable import is_printable
from stream_ocr.sinks.console import format_event
from stream_ocr.sinks.subtitles import write_subtitles
from stream_ocr.sources.files import open_file
from stream_ocr.store.reader import Query, StoreReader
from stream_ocr.store.writer import StoreWriter
from stream_ocr.synthetic.scene import Scene, Text, render
from stream_ocr.testing import published_event

T = TypeVar("T")

MAX_SENTENCE = 8000
STORED = 60


@dataclass(frozen=True)
class Target:
    """One parser. weight: share of the examples of a run."""

    name: str
    inputs: SearchStrategy[Any]
    check: Callable[[Any], None]
    weight: float = 1.0


@cache
def folder() -> Path:
    """Return a folder for the files of this process."""
    holder = tempfile.TemporaryDirectory(prefix="stream-ocr-fuzz-")
    _kept.append(holder)
    return Path(holder.name)


_kept: list[tempfile.TemporaryDirectory] = []


def _attempt(error: type[Exception], call: Callable[..., T], *args: Any, **kwargs: Any) -> tuple[T | None, str]:
    """Return the result of a call and no sentence, or None and the sentence of the error."""
    try:
        return call(*args, **kwargs), ""
    except error as caught:
        return None, str(caught)


# --- Mutated bytes


@st.composite
def mutated(draw: st.DrawFn, originals: SearchStrategy[bytes]) -> bytes:
    """Draw bytes with some replaced, removed, repeated or inserted."""
    data = bytearray(draw(originals))
    for _ in range(draw(st.integers(1, 8))):
        at = draw(st.integers(0, len(data)))
        length = draw(st.sampled_from([0, 1, 1, 2, 4, 16, 256, 4096]))
        match draw(st.sampled_from(["replace", "remove", "repeat", "insert", "cut", "extreme"])):
            case "replace":
                data[at : at + length] = draw(st.binary(min_size=length, max_size=length))
            case "remove":
                del data[at : at + length]
            case "repeat":
                data[at:at] = data[at : at + length]
            case "insert":
                data[at:at] = draw(st.binary(max_size=32))
            case "cut":
                del data[max(at, 8) :]
            case "extreme":
                value = draw(st.sampled_from([b"\0", b"\xff", b"\x7f"]))
                data[at : at + length] = value * length
    return bytes(data)


# --- Settings

_HOSTILE = [
    "2026-13-45",
    "9" * 6000,
    "0x" + "f" * 6000,
    "&a {b: *a}",
    "[" * 3000,
    "'" + "(" * 2000 + "'",
    "'(a{1000}){1000}'",
    "!!python/object/apply:os.system [true]",
    '"\\ud800"',
    '"\\0"',
    '"\\e[31m"',
    "1:1:1:1.5",
    "=",
    "<<",
    "~",
    "rtsp://user:s3cr3t@10.0.0.1:554/live?x=1#y",
    "rtsp://[::1",
    "[[0.1, 0.1], [0.9, 0.1], [0.9, 0.9]]",
    "07:00-19:30",
    "/proc/self/mem",
    "/dev/null/x",
    "1e400",
    ".nan",
    "-0",
    "{}",
    "[]",
    "off",
]
_NAMES = st.sampled_from([*setting_names(), "sources", "sinks", "rules", "sources.gate", "sinks.0.path", "x"])
_SCALARS = (
    st.sampled_from(_HOSTILE)
    | st.integers().map(str)
    | st.floats().map(str)
    | st.text(max_size=20)
    | st.text(max_size=20).map(repr)
)
_VALUES = st.recursive(
    _SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4).map(lambda items: f"[{', '.join(items)}]")
        | st.dictionaries(_NAMES | st.text(max_size=8), inner, max_size=4).map(
            lambda items: "{" + ", ".join(f"{key}: {value}" for key, value in items.items()) + "}"
        )
    ),
    max_leaves=8,
)
_LINES = st.lists(st.tuples(_NAMES, _VALUES), max_size=6).map(
    lambda lines: "".join(f"{name}: {value}\n" for name, value in lines)
)
_VALID = """\
models: builtin
detection: {max_fps: 2, batch: {max_items: 3}}
recognition: {pattern: "[A-Z]{2}\\\\d+", reread: always}
store: {path: events.db, keep_days: 3}
sources:
  gate: {url: 'rtsp://a:b@10.0.0.1/live', regions: [[[0, 0], [1, 0], [1, 1]]], active: [07:00-19:30]}
  yard: {path: yard.mp4, max_fps: 1.5, pattern: '\\\\w+'}
sinks:
  - {type: jsonl, path: events.jsonl, keep: 3}
  - {type: webhook, url: 'https://example.org/x', spool: spool, secret: env:HOME}
rules:
  - {match: {regex: '^GATE', hours: 06:00-22:00}, sinks: [events.jsonl]}
"""
SETTINGS_FILES: SearchStrategy[bytes] = (
    _LINES.map(lambda text: text.encode(errors="replace"))
    | mutated(st.just(_VALID.encode()) | _LINES.map(lambda text: text.encode(errors="replace")))
    | st.binary(max_size=200)
)


def check_settings(content: bytes) -> None:
    """A settings file is read, or refused in a short sentence; what is read can be passed to workers."""
    file = folder() / "settings.yaml"
    file.write_bytes(content)
    settings, sentence = _attempt(SettingsError, Settings.load, file)
    assert len(sentence) < MAX_SENTENCE
    assert all(is_printable(char) or char == "\n" for char in sentence), sentence
    if settings is None:
        return
    values = msgspec.json.decode(msgspec.json.encode(settings.for_workers()))
    assert Settings.model_validate(values).for_workers() == values
    assert "s3cr3t" not in settings.to_yaml()


def check_yaml(text: str) -> None:
    """YAML is parsed or refused with a YAMLError."""
    with contextlib.suppress(yaml.YAMLError):
        bounded_yaml.parse(text)


def check_url(text: str) -> None:
    """An address is accepted and shown without its password, or refused without being shown."""
    url, sentence = _attempt(ValueError, SourceUrl, text)
    assert len(text) < 8 or text not in sentence
    if url is not None:
        assert "s3cr3t" not in str(url)
        assert url.reveal() == text


_URLS = st.builds(
    "{}{}s3cr3t@{}{}".format,
    st.sampled_from(["rtsp://", "http://", "rtsp:/", ""]),
    st.text(max_size=6),
    st.text(max_size=12) | st.just("10.0.0.1"),
    st.text(max_size=12),
).filter(lambda text: "s3cr3t" not in text.partition("@")[2]) | st.text(max_size=40)


# --- Events, messages, cursors

_EVENTS = st.sampled_from(
    [
        published_event(7, "GATE 4").to_json(),
        published_event(8, "a" * 300, kind="ended", end=9.5).to_json(),
        SourceEvent(id="x", seq=3, kind="source.gap", stream="gate", start=3.0, frames=25, reason="lost").to_json(),
    ]
)
_MESSAGES = [
    protocol.StreamsRequest(id=1, after="a"),
    protocol.SnapshotRequest(id=2, streams=("gate",)),
    protocol.ReplayRequest(id=3, stream="gate", after=4, limit=10),
    protocol.CropRequest(id=4, stream="gate", seq=5),
    protocol.StreamsReply(id=1, store="s", streams={"gate": 9}),
    protocol.ReplayReply(
        id=1, store="s", stream="gate", events=[msgspec.Raw(published_event(3).to_json())], through=3, last=9
    ),
    protocol.SnapshotReply(id=1, store="s", streams={"gate": 9}, events=[msgspec.Raw(published_event(3).to_json())]),
    protocol.ErrorReply(id=1, reason="x"),
]
FRAMES = mutated(
    st.sampled_from([protocol.encode(message, format_) for message in _MESSAGES for format_ in ("json", "msgpack")])
) | st.binary(max_size=100)


def check_event(line: bytes) -> None:
    """A line is an event that survives its own encoding, or raises one of DECODE_ERRORS."""
    try:
        event = parse(line)
    except DECODE_ERRORS:
        return
    assert parse(event.to_json()) == event
    assert all(map(is_printable, format_event(event)))


def check_jsonl(content: bytes) -> None:
    """A file of events is read, or refused with a SourceError."""
    file = folder() / "events.jsonl"
    file.write_bytes(content)
    with contextlib.suppress(SourceError):
        list(read_jsonl(file))


def check_request(body: bytes) -> None:
    """The bus answers any bytes with a reply that can be encoded."""
    reply = _handler().reply(body)
    for format_ in ("json", "msgpack"):
        assert protocol.decode_reply(protocol.encode(reply, format_)) is not None


def check_client(frames: list[bytes]) -> None:
    """A client takes any messages in any order, or raises one of DECODE_ERRORS."""
    sequencer = Sequencer("snapshot")
    for frame in frames:
        list(sequencer.requests())
        with contextlib.suppress(*DECODE_ERRORS):
            sequencer.handle_event(frame)
        with contextlib.suppress(*DECODE_ERRORS):
            sequencer.handle_reply(protocol.decode_reply(frame))
        with contextlib.suppress(*DECODE_ERRORS):
            sequencer.handle_heartbeat(protocol.decode_heartbeat(frame))


def check_cursor(content: bytes) -> None:
    """A cursor is read, or refused with a SubscribeError."""
    file = folder() / "cursor"
    file.write_bytes(content)
    with contextlib.suppress(SubscribeError):
        Cursor(file)


@cache
def _handler() -> ReplyHandler:
    return ReplyHandler(_store_file())


# --- Subtitles


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


_TEXTS = st.lists(
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


# --- Stores


@cache
def _store_file() -> Path:
    path = folder() / "events.db"
    writer = StoreWriter(path)
    writer.open()
    for n in range(STORED):
        crop = {f"gate-{n}": b"RIFF"}
        writer.append([published_event(n, f"SIGN {n}", track=n), published_event(n, "EXIT", stream="hall")], crop)
    writer.close()
    return path


STORES = st.deferred(lambda: mutated(st.just(_store_file().read_bytes())))


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


# --- Video files


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
    source, sentence = _attempt(SourceError, open_file, _video_file(content), stream="clip")
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


TARGETS = [
    Target("settings", SETTINGS_FILES, check_settings, 2.0),
    Target("yaml", st.text(max_size=300) | _LINES, check_yaml),
    Target("url", _URLS, check_url),
    Target("event", mutated(_EVENTS), check_event, 2.0),
    Target("jsonl", mutated(st.lists(_EVENTS, max_size=3).map(b"\n".join)), check_jsonl, 0.5),
    Target("request", FRAMES, check_request, 2.0),
    Target("client", st.lists(FRAMES, max_size=6), check_client),
    Target("cursor", mutated(st.just(b'{"store":"s","streams":{"gate":9}}')), check_cursor, 0.5),
    Target("subtitles", _TEXTS, check_subtitles, 0.5),
    Target("store", STORES, check_store, 0.5),
    Target("video", VIDEOS, check_video, 1.0),
    Target("reading", VIDEOS, check_reading, 0.1),
]
