"""The parsers that are fuzzed: for each a strategy of hostile inputs, and a check that raises for undocumented errors.

Used by the tests, for a minute, and by ``benchmarks/fuzzing.py`` for as long as one likes.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from fuzz.file_targets import STORES, TEXTS, VIDEOS, check_reading, check_store, check_subtitles, check_video
from fuzz.message_targets import (
    EVENTS,
    FRAMES,
    check_client,
    check_cursor,
    check_event,
    check_jsonl,
    check_request,
)
from fuzz.mutation import mutated
from fuzz.onvif_targets import PROBE_MATCHES, check_probe_match
from fuzz.settings_targets import LINES, SETTINGS_FILES, URLS, check_settings, check_url, check_yaml
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy


@dataclass(frozen=True)
class Target:
    """One parser. weight: share of the examples of a run."""

    name: str
    inputs: SearchStrategy[Any]
    check: Callable[[Any], None]
    weight: float = 1.0


TARGETS = [
    Target("settings", SETTINGS_FILES, check_settings, 2.0),
    Target("yaml", st.text(max_size=300) | LINES, check_yaml),
    Target("url", URLS, check_url),
    Target("event", mutated(EVENTS), check_event, 2.0),
    Target("jsonl", mutated(st.lists(EVENTS, max_size=3).map(b"\n".join)), check_jsonl, 0.5),
    Target("request", FRAMES, check_request, 2.0),
    Target("client", st.lists(FRAMES, max_size=6), check_client),
    Target("cursor", mutated(st.just(b'{"store":"s","streams":{"gate":9}}')), check_cursor, 0.5),
    Target("probe match", PROBE_MATCHES, check_probe_match),
    Target("subtitles", TEXTS, check_subtitles, 0.5),
    Target("store", STORES, check_store, 0.5),
    Target("video", VIDEOS, check_video, 1.0),
    Target("reading", VIDEOS, check_reading, 0.1),
]
