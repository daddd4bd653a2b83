"""Scenes as real files, at three sizes and in two codecs; what is read of them, held against what they show."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stream_ocr.events import TextEvent
from stream_ocr.events.spans import spans
from stream_ocr.synthetic.encode import Codec, encode
from stream_ocr.synthetic.scene import Scene, Text, pictures, truth
from stream_ocr.synthetic.text import Point
from stream_ocr.testing import watch
from stream_ocr.testing.oracles import Disturb, undisturbed

SIZES = ((320, 180), (480, 270), (640, 360))
CODECS: tuple[Codec, ...] = ("libx264", "libvpx-vp9")
FRAME_S = 0.04
_EPSILON_S = 2e-3  # WebM tells milliseconds

Shown = tuple[str, float, float]
"""Text, start and end in seconds."""


@dataclass(frozen=True)
class Sheet:
    """Makes scenes of one size from coordinates in a picture of 640×360."""

    size: tuple[int, int]

    @property
    def unit(self) -> float:
        return self.size[1] / 360

    def text(
        self,
        text: str | Callable[[float], str],
        start_s: float,
        end_s: float,
        at: Point | Callable[[float], Point],
        height: float = 30,
        **more: Any,
    ) -> Text:
        def scaled(time_s: float) -> Point:
            x, y = at(time_s) if callable(at) else at
            return x * self.unit, y * self.unit

        place = scaled if callable(at) else scaled(0)
        return Text(text, start_s, end_s, place, height=round(height * self.unit), **more)

    def scene(self, *texts: Text, duration_s: float, **more: Any) -> Scene:
        return Scene(texts, duration_s, self.size, **more)


@dataclass(frozen=True)
class Played:
    """What was read of a scene."""

    scene: Scene
    events: list[TextEvent]
    counts: Mapping[str, int]

    @property
    def found(self) -> list[Shown]:
        """Texts that were told, by start."""
        ended = {event.track for event in self.events if event.kind == "ended"}
        assert {event.track for event in self.events} == ended, "every text ends"
        return sorted(((span.text, span.start, span.end) for span in spans(self.events)), key=_order)

    @property
    def shown(self) -> list[Shown]:
        """Texts that there were, by start."""
        return sorted(((s["text"], s["start_s"], s["end_s"]) for s in truth(self.scene)["segments"]), key=_order)

    def is_exact(self, within_s: float = FRAME_S) -> None:
        """Each text was told once, and its times are right to the frame."""
        assert [text for text, *_ in self.found] == [text for text, *_ in self.shown], self.found
        wanted = np.array([span[1:] for span in self.shown])
        assert np.array([span[1:] for span in self.found]) == pytest.approx(wanted, abs=within_s + _EPSILON_S)

    def has_no_parts(self) -> None:
        """Nothing was published, not even for a moment, that was not the whole text."""
        assert {event.text for event in self.events} == {text for text, *_ in self.shown}


@pytest.fixture(params=SIZES, ids=lambda size: f"{size[1]}p", scope="module")
def sheet(request: pytest.FixtureRequest) -> Sheet:
    return Sheet(request.param)


@pytest.fixture(params=CODECS)
def codec(request: pytest.FixtureRequest) -> Codec:
    return request.param


@pytest.fixture
def play(codec: Codec, tmp_path: Path) -> Callable[..., Played]:
    """Encodes a scene and reads it with oracles: all but the networks is real."""

    def play(scene: Scene, disturb: Disturb = undisturbed, **encoding: Any) -> Played:
        path = tmp_path / ("scene.webm" if codec == "libvpx-vp9" else "scene.mp4")
        encode(pictures(scene), path, scene.size, scene.fps, codec=codec, **encoding)
        watched = watch(path, scene, disturb=disturb)
        return Played(scene, watched.events, watched.counts)

    return play


@pytest.fixture
def fails(request: pytest.FixtureRequest) -> Callable[..., None]:
    """Says that what follows is known to fail, and why. at: parts of the names of those that do; all by default."""

    def fails(reason: str, *at: str) -> None:
        if not at or any(part in request.node.name for part in at):
            request.applymarker(pytest.mark.xfail(reason=reason, strict=True))

    return fails


def _order(span: Shown) -> tuple[float, str]:
    return round(span[1], 1), span[0]
