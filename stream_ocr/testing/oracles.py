"""Fakes of the two networks, which know what is to be read and where. See ``testing``, which uses them.

Given a scene they see what is visible of it, as real networks would: parts of texts that are wiped in, cut off by the
edge or crawl through a window, and nothing of what is covered. Given a truth file they see whole texts only.
"""

import string
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from types import TracebackType
from typing import Any, Self

import numpy as np

from stream_ocr.config.settings import Settings
from stream_ocr.core.frame import Frame
from stream_ocr.core.geometry import extent, flat, rectangle, unflat
from stream_ocr.core.messages import Detection, FrameRef, Message, StreamClosed, Tracks, TrackState
from stream_ocr.models.recognition.charset import Charset
from stream_ocr.models.recognition.ctc import Decoded, Transcribe, decoded
from stream_ocr.models.recognition.recognizer import Recognizer
from stream_ocr.stages.base import Slots
from stream_ocr.stages.detect import DetectStage
from stream_ocr.stages.recognize import RecognizeStage
from stream_ocr.synthetic.scene import Scene, visible
from stream_ocr.synthetic.text import Line

World = Scene | Mapping[str, Any]

Disturb = Callable[[int, Sequence[Line]], Iterable[tuple[Line, float]]]
"""What a detector finds of these lines at its nth look: lines with their scores."""

_SCORE = 0.9
_WIDER = 1.3
_FAINT, _CLEAR = 0.3, 0.5  # opacity from which a text is found, and from which it is read well


def undisturbed(_: int, lines: Sequence[Line]) -> Iterator[tuple[Line, float]]:
    """Every line, surely."""
    return ((line, _SCORE) for line in lines)


class OracleDetector:
    """A detect stage that knows where text is. All of it is real but for the network.

    Boxes shake by ``shake`` of their height.
    """

    def __init__(
        self,
        world: World,
        frames: Mapping[str, Slots],
        settings: Settings,
        *,
        shake: float = 0.05,
        disturb: Disturb = undisturbed,
        seed: int = 0,
    ) -> None:
        self._finder, self._frames = _Finder(world, shake, disturb, seed), frames
        self._stage = DetectStage(settings, frames, self._finder)

    def __enter__(self) -> Self:
        self._stage.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def process(self, batch: Sequence[Message]) -> Iterator[Message]:
        for ref in batch:
            assert isinstance(ref, FrameRef)
            slot = None if ref.slot is None else self._frames[ref.stamp.stream].view(ref.slot)
            self._finder.shown = ref, slot
            yield from self._stage.process([ref])

    def close(self, closed: StreamClosed) -> Iterator[Message]:
        yield from self._stage.close(closed)


class _Finder:
    """A network that knows which frame it is shown."""

    def __init__(self, world: World, shake: float, disturb: Disturb, seed: int) -> None:
        self.shown: tuple[FrameRef, memoryview | None]
        self._world, self._shake, self._disturb = world, shake, disturb
        self._random = np.random.default_rng(seed)
        self._looks = 0

    def detect(self, frames: Sequence[Frame]) -> list[list[Detection]]:
        found = self.glance(frames)
        self._looks += 1
        return found

    def closely(self, frames: Sequence[Frame]) -> list[list[Detection]]:
        return self.glance(frames)

    def glance(self, frames: Sequence[Frame]) -> list[list[Detection]]:
        (frame,), (ref, slot) = frames, self.shown
        assert slot is not None
        # Which rows it is shown is told by where their pixels lie in the slot.
        first, last = (np.frombuffer(pixels, np.uint8).ctypes.data for pixels in (slot, frame.y))
        top = (last - first) // ref.size[0]
        bottom = top + frame.size[1]
        regions = []
        for line, score in self._disturb(self._looks, list(seen(self._world, ref.stamp.time_s))):
            x, y, width, height = line.box
            pad = 0.1 * height
            quad = rectangle(x - pad, y - pad - top, width + 2 * pad, height + 2 * pad)
            quad += self._random.normal(0, self._shake * height, 2)
            if top <= y and y + height <= bottom:
                regions.append(Detection(flat(quad), score))
        return [regions]


class OracleRecognizer:
    """A recognise stage that knows what stands where. All of it is real, fusion included, but for the network.

    Each crop carries its number within its frame in its first pixel, so that the network knows which one it gets.
    """

    def __init__(self, world: World, crops: Slots, settings: Settings) -> None:
        self._world, self._crops = world, crops
        self._reader = _Reader()
        self._stage = RecognizeStage(settings, crops, self._reader)

    def __enter__(self) -> Self:
        self._stage.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stage.__exit__(kind, error, trace)

    def process(self, batch: Sequence[Message]) -> Iterator[Message]:
        for message in batch:
            if isinstance(message, Tracks):
                cropped = [track for track in message.tracks if track.crop is not None]
                for number, track in enumerate(cropped):
                    assert track.crop is not None
                    self._crops.view(track.crop.slot)[0] = number
                self._reader.known = [self._read(track, message.stamp.time_s) for track in cropped]
            yield from self._stage.process([message])

    def close(self, closed: StreamClosed) -> Iterator[Message]:
        return self._stage.close(closed)

    def _read(self, track: TrackState, time_s: float) -> Decoded:
        """The letters whose middle lies in the quad of a track; all of a line whose crop shows more than that."""
        corners = unflat(track.quad)
        (left, top), (right, bottom) = corners.min(axis=0), corners.max(axis=0)
        if _shows_more(track) and isinstance(self._world, Scene):
            lines = ((text.seen(time_s - self._world.start_s), text) for text in self._world.texts)
            whole = [t.string(time_s) for line, t in lines if line and top <= line.box[1] + line.box[3] / 2 <= bottom]
            return decoded(whole[0], [1.0] * len(whole[0]))
        parts = []
        for line in seen(self._world, time_s):
            if top <= line.box[1] + line.box[3] / 2 <= bottom:
                inside = tuple(letter for letter in line.letters if left <= letter[1] <= right)
                parts.append(replace(line, letters=inside))
        parts = sorted((part for part in parts if part.text), key=lambda part: part.box[0])
        text = " ".join(part.text for part in parts)
        sure = min((1.0 if part.opacity >= _CLEAR else 0.7 for part in parts), default=0.0)
        return decoded(text, [sure] * len(text))


def _shows_more(track: TrackState) -> bool:
    """Whether a crop has been put together of more than stands in its frame, as of a ticker."""
    assert track.crop is not None
    width, height = extent(unflat(track.quad))
    return track.crop.width / track.crop.height > _WIDER * width / height


class _Reader(Recognizer):
    """A network that knows the readings of the crops of a frame."""

    def __init__(self) -> None:
        self.charset = Charset(string.printable)
        self.known: list[Decoded] = []

    def read(self, crops: Sequence[np.ndarray], _: Transcribe | None = None) -> list[Decoded]:
        """The reading of each crop, by the number in its first pixel."""
        return [self.known[crop[0, 0]] for crop in crops]


def seen(world: World, time_s: float) -> Iterator[Line]:
    """The lines that a detector may find at a time."""
    if not isinstance(world, Scene):
        yield from _told(world, time_s)
        return
    covers = [cover.box for cover in world.covers if cover.start_s <= time_s - world.start_s < cover.end_s]
    for line in visible(world, time_s):
        letters = tuple(letter for letter in line.letters if not any(_hides(box, letter[1], line) for box in covers))
        if line.opacity >= _FAINT and (letters or not covers):
            yield replace(line, letters=letters)


def _hides(cover: tuple[int, int, int, int], x: float, line: Line) -> bool:
    y = line.box[1] + line.box[3] / 2
    return cover[0] <= x <= cover[0] + cover[2] and cover[1] <= y <= cover[1] + cover[3]


def texts_at(truth: Mapping[str, Any], time_s: float) -> Iterator[tuple[str, tuple[float, float, float, float]]]:
    """What is to be read at a time, with its (left, top, width, height)."""
    for segment in truth["segments"]:
        if segment["start_s"] - 1e-6 <= time_s < segment["end_s"] - 1e-6:
            rows = segment.get("boxes") or [[segment["start_s"], *segment["box"]]]
            times = [row[0] for row in rows]
            x, y, width, height = (float(np.interp(time_s, times, [row[k] for row in rows])) for k in (1, 2, 3, 4))
            yield segment["text"], (x, y, width, height)


def _told(truth: Mapping[str, Any], time_s: float) -> Iterator[Line]:
    """The lines of a truth file, their letters all as wide."""
    for text, (x, y, width, height) in texts_at(truth, time_s):
        places = x + (np.arange(len(text)) + 0.5) / max(len(text), 1) * width
        box = round(x), round(y), round(width), round(height)
        yield Line(box, tuple(zip(text, places.tolist(), strict=True)), 1.0)
