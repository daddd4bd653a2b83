"""Hostile settings files and addresses, and the checks of what reads them."""

import contextlib

import msgspec
import yaml
from fuzz.mutation import attempt, folder, mutated
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from stream_ocr.config import bounded_yaml
from stream_ocr.config.settings import Settings, setting_names
from stream_ocr.config.urls import SourceUrl
from stream_ocr.errors import SettingsError
from stream_ocr.printable import is_printable

MAX_SENTENCE = 8000


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


LINES = st.lists(st.tuples(_NAMES, _VALUES), max_size=6).map(
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
    LINES.map(lambda text: text.encode(errors="replace"))
    | mutated(st.just(_VALID.encode()) | LINES.map(lambda text: text.encode(errors="replace")))
    | st.binary(max_size=200)
)


def check_settings(content: bytes) -> None:
    """A settings file is read, or refused in a short sentence; what is read can be passed to workers."""
    file = folder() / "settings.yaml"
    file.write_bytes(content)
    settings, sentence = attempt(SettingsError, Settings.load, file)
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
    url, sentence = attempt(ValueError, SourceUrl, text)
    assert len(text) < 8 or text not in sentence
    if url is not None:
        assert "s3cr3t" not in str(url)
        assert url.reveal() == text


URLS = st.builds(
    "{}{}s3cr3t@{}{}".format,
    st.sampled_from(["rtsp://", "http://", "rtsp:/", ""]),
    st.text(max_size=6),
    st.text(max_size=12) | st.just("10.0.0.1"),
    st.text(max_size=12),
).filter(lambda text: "s3cr3t" not in text.partition("@")[2]) | st.text(max_size=40)
