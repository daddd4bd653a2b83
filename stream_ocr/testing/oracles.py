"""Oracles: fakes of the two networks that know the ground truth.

With a scene they return what is visible, as real networks would: parts of texts that are wiped in, clipped by the edge
or scroll through a window, and nothing that is covered. With a truth file they return whole texts only.
"""

import string
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Any, Self

import numpy as np

from stream_ocr.config.settings import Settings
from stream_ocr.core.frame import Frame
from stream_ocr.core.geometry import from_flat, rectangle, side_lengths, to_flat
from stream_ocr.core.messages import Detection, FrameRef, Message, StreamClosed, Tracks, TrackState
from stream_ocr.models.recognition.charset import Charset
from stream_ocr.models.recognition.ctc import Decoded, DecodeFn, make_decoded
from stream_ocr.models.recognition.recognizer import Recognizer
from stream_ocr.stages.base import Slots, Stage
from stream_ocr.stages.detect import DetectStage
from stream_ocr.stages.recognize import RecognizeStage
from stream_ocr.synthetic.scene import Scene, visible_lines
from stream_ocr.synthetic.text import VisibleLine

GroundTruth = Scene | Mapping[str, Any]

Perturbation = Callable[[int, Sequence[VisibleLine]], Iterable[tuple[VisibleLine, float]]]
"""Returns the lines that the detector finds, with scores, given the number of the detector run and the true lines."""


@dataclass(frozen=True, slots=True)
class OracleThresholds:
    """Behaviour of the oracles, chosen by hand after the behaviour of the built-in networks."""

    score: float = 0.9
    """Score of every detection."""

    padding: float = 0.1
    """Margin of detected boxes, as a fraction of the line height."""

    assembled_ratio: float = 1.3
    """A crop whose aspect ratio exceeds that of its quad by this factor was assembled from several frames."""

    min_opacity: float = 0.3
    """Texts with less opacity (0–1) are not detected."""

    clear_opacity: float = 0.5
    """Texts with less opacity (0–1) are read with ``faint_confidence``."""

    faint_confidence: float = 0.7
    """Confidence of each letter of a faint text; letters of other texts have 1."""


_ORACLE = OracleThresholds()


def unperturbed(_: int, lines: Sequence[VisibleLine]) -> Iterator[tuple[VisibleLine, float]]:
    """Return every line with a high score."""
    return ((line, _ORACLE.score) for line in lines)


class OracleDetector(Stage):
    """A detect stage that knows where text is. Everything but the network is real.

    jitter: standard deviation of the position of boxes, as a fraction of their height.
    """

    def __init__(
        self,
        ground_truth: GroundTruth,
        frames: Mapping[str, Slots],
        settings: Settings,
        *,
        jitter: float = 0.05,
        perturb: Perturbation = unperturbed,
        seed: int = 0,
    ) -> None:
        self._finder, self._frames = _Finder(ground_truth, jitter, perturb, seed), frames
        self._stage = DetectStage(settings, frames, self._finder)

    def __enter__(self) -> Self:
        self._stage.__enter__()
        return self

    def process(self, batch: Sequence[Message]) -> Iterator[Message]:
        for ref in batch:
            assert isinstance(ref, FrameRef)
            slot = None if ref.slot is None else self._frames[ref.stamp.stream].view(ref.slot)
            self._finder.shown = ref, slot
            yield from self._stage.process([ref])

    def close(self, closed: StreamClosed) -> Iterator[Message]:
        yield from self._stage.close(closed)


class _Finder:
    """A detector network that knows which frame it gets."""

    max_batch = 1

    def __init__(self, ground_truth: GroundTruth, jitter: float, perturb: Perturbation, seed: int) -> None:
        self.shown: tuple[FrameRef, memoryview | None]
        self._ground_truth, self._jitter, self._perturb = ground_truth, jitter, perturb
        self._random = np.random.default_rng(seed)
        self._runs = 0

    def detect(self, frames: Sequence[Frame]) -> list[list[Detection]]:
        found = self.detect_coarse(frames)
        self._runs += 1
        return found

    def detect_fine(self, frames: Sequence[Frame]) -> list[list[Detection]]:
        return self.detect_coarse(frames)

    def detect_coarse(self, frames: Sequence[Frame]) -> list[list[Detection]]:
        (frame,), (ref, slot) = frames, self.shown
        assert slot is not None
        # The address of the pixels within the slot gives the rows that were cropped.
        first, last = (np.frombuffer(pixels, np.uint8).ctypes.data for pixels in (slot, frame.y))
        top = (last - first) // ref.size[0]
        bottom = top + frame.size[1]
        regions = []
        for line, score in self._perturb(self._runs, list(detectable_lines(self._ground_truth, ref.stamp.time_s))):
            x, y, width, height = line.box
            pad = _ORACLE.padding * height
            quad = rectangle(x - pad, y - pad - top, width + 2 * pad, height + 2 * pad)
            quad += self._random.normal(0, self._jitter * height, 2)
            if top <= y and y + height <= bottom:
                regions.append(Detection(to_flat(quad), score))
        return [regions]


class OracleRecognizer(Stage):
    """A recognize stage that knows the text of every crop. Everything but the network is real.

    The first pixel of each crop is overwritten with the number of the crop, which tells the network which crop it is.
    """

    def __init__(self, ground_truth: GroundTruth, crops: Slots, settings: Settings) -> None:
        self._ground_truth, self._crops = ground_truth, crops
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
        """Return the letters whose centre is in the quad of a track; the whole line if the crop shows more."""
        corners = from_flat(track.quad)
        (left, top), (right, bottom) = corners.min(axis=0), corners.max(axis=0)
        if _is_assembled(track) and isinstance(self._ground_truth, Scene):
            lines = (
                (text.visible_part(time_s - self._ground_truth.start_s), text) for text in self._ground_truth.texts
            )
            whole = [t.string(time_s) for line, t in lines if line and top <= line.box[1] + line.box[3] / 2 <= bottom]
            return make_decoded(whole[0], [1.0] * len(whole[0]))
        parts = []
        for line in detectable_lines(self._ground_truth, time_s):
            if top <= line.box[1] + line.box[3] / 2 <= bottom:
                visible_letters = tuple(letter for letter in line.letters if left <= letter[1] <= right)
                parts.append(replace(line, letters=visible_letters))
        parts = sorted((part for part in parts if part.text), key=lambda part: part.box[0])
        text = " ".join(part.text for part in parts)
        confidence = min(
            (1.0 if part.opacity >= _ORACLE.clear_opacity else _ORACLE.faint_confidence for part in parts), default=0.0
        )
        return make_decoded(text, [confidence] * len(text))


def _is_assembled(track: TrackState) -> bool:
    """Return True if a crop was assembled from several frames, as for a ticker."""
    assert track.crop is not None
    width, height = side_lengths(from_flat(track.quad))
    return track.crop.width / track.crop.height > _ORACLE.assembled_ratio * width / height


class _Reader(Recognizer):
    """A recogniser network that knows the readings of the crops of a frame."""

    def __init__(self) -> None:
        self.charset = Charset(string.printable)
        self.known: list[Decoded] = []

    def read(self, crops: Sequence[np.ndarray], _: DecodeFn | None = None) -> list[Decoded]:
        """Return the reading of each crop, by the number in its first pixel."""
        return [self.known[crop[0, 0]] for crop in crops]


def detectable_lines(ground_truth: GroundTruth, time_s: float) -> Iterator[VisibleLine]:
    """Yield the lines that a detector can find at a media time."""
    if not isinstance(ground_truth, Scene):
        yield from _lines_at(ground_truth, time_s)
        return
    covers = [
        cover.box for cover in ground_truth.covers if cover.start_s <= time_s - ground_truth.start_s < cover.end_s
    ]
    for line in visible_lines(ground_truth, time_s):
        letters = tuple(letter for letter in line.letters if not any(_covers(box, letter[1], line) for box in covers))
        if line.opacity >= _ORACLE.min_opacity and (letters or not covers):
            yield replace(line, letters=letters)


def _covers(cover: tuple[int, int, int, int], x: float, line: VisibleLine) -> bool:
    y = line.box[1] + line.box[3] / 2
    return cover[0] <= x <= cover[0] + cover[2] and cover[1] <= y <= cover[1] + cover[3]


def texts_at(truth: Mapping[str, Any], time_s: float) -> Iterator[tuple[str, tuple[float, float, float, float]]]:
    """Yield the texts of a truth file at a media time, with (left, top, width, height)."""
    for segment in truth["segments"]:
        if segment["start_s"] - 1e-6 <= time_s < segment["end_s"] - 1e-6:
            rows = segment.get("boxes") or [[segment["start_s"], *segment["box"]]]
            times = [row[0] for row in rows]
            x, y, width, height = (float(np.interp(time_s, times, [row[k] for row in rows])) for k in (1, 2, 3, 4))
            yield segment["text"], (x, y, width, height)


def _lines_at(truth: Mapping[str, Any], time_s: float) -> Iterator[VisibleLine]:
    """Yield the lines of a truth file at a media time, with letters of equal width."""
    for text, (x, y, width, height) in texts_at(truth, time_s):
        places = x + (np.arange(len(text)) + 0.5) / max(len(text), 1) * width
        box = round(x), round(y), round(width), round(height)
        yield VisibleLine(box, tuple(zip(text, places.tolist(), strict=True)), 1.0)
