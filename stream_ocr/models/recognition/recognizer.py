"""From grey crops to readings: fit them to the network's height, batch those of one width, decode.

The width that a crop gets depends on the crop alone, not on its company, so that a reading does not either. A line of
which the network is not sure is shown to it again, closer and wider, and the surer reading counts.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import cv2
import numpy as np

from stream_ocr.models.backends.base import Engine
from stream_ocr.models.recognition import preprocess
from stream_ocr.models.recognition.charset import Charset
from stream_ocr.models.recognition.ctc import NOTHING, Decoded, Transcribe, decoded, greedy
from stream_ocr.models.recognition.input_sizes import ASPECT, HEIGHT, WIDTHS, width_for

GAP = 0.3
"""Width of the space between words, relative to the height of the line."""

QUIET = 0.35
"""A column with less than this share of the usual contrast holds no stroke."""


SURE, HOPELESS = 0.85, 0.3
"""Confidences between which a line is shown again; below, another view seldom helps."""

View = tuple[np.ndarray, int]
"""A crop, and the width of the input that it is given."""

Spacing = Callable[[np.ndarray, Charset], np.ndarray]
"""From scores p_TC to those with which spaces are read."""


class Fit(Protocol):
    """How a network wants its lines."""

    @property
    def height(self) -> int: ...

    @property
    def longest(self) -> float:
        """The widest line that is read in one piece, in heights."""
        ...

    def bucket(self, crop: np.ndarray) -> int:
        """The width of the input for a crop."""
        ...

    def second(self, crop: np.ndarray) -> View | None:
        """Another way to show a crop of which the network is not sure; None where that has not been seen to help."""
        ...

    def batch(self, crops: Sequence[np.ndarray], width: int) -> np.ndarray:
        """Input of the network, (B, C, height, width) float32, for crops of that bucket."""
        ...


_WIDER = 1.18
_TRIMMED, _TRIMMABLE = 0.05, 12  # of the height, on every side; pixels of the lower side


@dataclass(frozen=True, slots=True)
class Padded:
    """Lines keep their aspect and get ``margin`` or more of padding on the right; values -1 to 1, padding 0.

    So PP-OCR and its kin were trained. Without the margin the last character suffers.
    """

    height: int
    widths: tuple[int, ...]
    channels: int = 3
    margin: int = 16

    @property
    def longest(self) -> float:
        return (self.widths[-1] - self.margin) / self.height

    def bucket(self, crop: np.ndarray) -> int:
        wanted = self._width(crop) + self.margin
        return next((width for width in self.widths if width >= wanted), self.widths[-1])

    def second(self, crop: np.ndarray) -> View | None:  # noqa: ARG002 nothing is known to help
        return None

    def batch(self, crops: Sequence[np.ndarray], width: int) -> np.ndarray:
        x_BCHW = np.zeros((len(crops), self.channels, self.height, width), dtype=np.float32)
        for x_CHW, crop in zip(x_BCHW, crops, strict=True):
            used = min(self._width(crop), width - self.margin)
            how = cv2.INTER_AREA if crop.shape[0] > self.height else cv2.INTER_LINEAR
            fitted = cv2.resize(crop, (used, self.height), interpolation=how)
            x_CHW[:, :, :used] = fitted.astype(np.float32) / 127.5 - 1.0
        return x_BCHW

    def _width(self, crop: np.ndarray) -> int:
        return max(1, round(crop.shape[1] * self.height / crop.shape[0]))


@dataclass(frozen=True, slots=True)
class Stretched:
    """Lines are resized to the nearest of a few widths and never padded, as our own net was trained."""

    height: int = HEIGHT
    longest: float = WIDTHS[-1] / ASPECT / HEIGHT

    def bucket(self, crop: np.ndarray) -> int:
        return width_for(crop.shape[0], crop.shape[1])

    def second(self, crop: np.ndarray) -> View | None:
        height, width = crop.shape
        if min(crop.shape) <= _TRIMMABLE:
            return None
        edge = round(_TRIMMED * height)
        closer = crop[edge : height - edge, edge : width - edge]
        return closer, width_for(closer.shape[0], round(closer.shape[1] * _WIDER))

    def batch(self, crops: Sequence[np.ndarray], width: int) -> np.ndarray:
        return preprocess.normalised(np.stack([preprocess.fit(crop, width) for crop in crops]))


class Recognizer:
    """A CTC network with what comes before and after it.

    engine: from a batch of ``fit`` to probabilities (B, T, C), blank first. max_batch: lines per call. transcribe: from
    the probabilities of a line to its reading; the best path, unless told otherwise. spacing: from p_TC to p_TC with
    likelier spaces (``spacing.spaced``), for a network that loses them.
    """

    def __init__(
        self,
        engine: Engine,
        fit: Fit,
        charset: Charset,
        *,
        max_batch: int,
        transcribe: Transcribe | None = None,
        spacing: Spacing | None = None,
    ) -> None:
        self.engine = engine
        self.fit = fit
        self.charset = charset
        self.max_batch = max_batch
        self.transcribe = transcribe or partial(greedy, charset=charset)
        self._spacing = spacing

    @property
    def crop_height(self) -> int:
        """Height that crops should have: more is scaled down, less is scaled up."""
        return self.fit.height

    @property
    def max_width(self) -> int:
        """Width up to which a crop of ``crop_height`` is read in one piece."""
        return int(self.fit.longest * self.fit.height)

    def read(self, crops: Sequence[np.ndarray], transcribe: Transcribe | None = None) -> list[Decoded]:
        """What each crop says; nothing for crops of less than two pixels.

        crops: (H, W) uint8 of any size. transcribe: in place of the recogniser's own.
        """
        lines = [list(split(crop, self.fit.longest)) for crop in crops]
        read = iter(self._read_surely([piece for line in lines for piece, _ in line], transcribe or self.transcribe))
        return [join([(next(read), spaced) for _, spaced in line]) for line in lines]

    def _read_surely(self, pieces: Sequence[np.ndarray], transcribe: Transcribe) -> list[Decoded]:
        """Each piece once, and those once more of which the network is not sure; the surer reading counts."""
        read = self._read_all([(piece, self.fit.bucket(piece)) for piece in pieces], transcribe)
        unsure = (i for i, look in enumerate(read) if HOPELESS <= look.confidence < SURE)
        views = {i: view for i in unsure if (view := self.fit.second(pieces[i])) is not None}
        for i, look in zip(views, self._read_all(list(views.values()), transcribe), strict=True):
            read[i] = max(read[i], look, key=lambda reading: reading.confidence)
        return read

    def _read_all(self, views: Sequence[View], transcribe: Transcribe) -> list[Decoded]:
        by_width: dict[int, list[int]] = {}
        for i, (_, width) in enumerate(views):
            by_width.setdefault(width, []).append(i)
        read = [NOTHING] * len(views)
        for width, indices in sorted(by_width.items()):
            for start in range(0, len(indices), self.max_batch):
                batch = indices[start : start + self.max_batch]
                p_BTC = self.engine.run(self.fit.batch([views[i][0] for i in batch], width))
                for i, p_TC in zip(batch, p_BTC, strict=True):
                    read[i] = transcribe(self._spacing(p_TC, self.charset) if self._spacing else p_TC)
        return read


def split(crop: np.ndarray, longest: float) -> Iterator[tuple[np.ndarray, bool]]:
    """Pieces of at most ``longest`` times their height, cut where there is least to see.

    Yields (piece, whether a space comes before it), and nothing for crops of less than two pixels.
    """
    if crop.ndim != 2:
        raise ValueError(f"a crop has the shape (height, width), but this one has {crop.shape}")
    height, width = crop.shape
    if height < 2 or width < 2:
        return
    limit = max(2, int(longest * height))
    if width <= limit:
        yield crop, False
        return
    gap = max(1, round(GAP * height))
    contrast_W = np.abs(np.diff(crop.astype(np.float32), axis=0)).mean(axis=0)
    contrast_W += np.abs(np.gradient(crop.astype(np.float32), axis=1)).mean(axis=0)
    contrast_W = cv2.blur(contrast_W[None], (gap, 1), borderType=cv2.BORDER_REPLICATE)[0]
    start, spaced = 0, False
    while width - start > limit:
        cut = start + limit // 2 + int(np.argmin(contrast_W[start + limit // 2 : start + limit]))
        yield crop[:, start:cut], spaced
        start, spaced = cut, bool(contrast_W[cut] < QUIET * np.median(contrast_W))
    if width - start >= 2:
        yield crop[:, start:], spaced


def join(pieces: Sequence[tuple[Decoded, bool]]) -> Decoded:
    """One reading of the pieces of a line, without spaces at its ends."""
    text = ""
    characters: list[float] = []
    for piece, spaced in pieces:
        if not piece.text:
            continue
        if spaced and text:
            text += " "
            characters.append(min(characters[-1], piece.char_confidences[0]))
        text += piece.text
        characters += piece.char_confidences
    begin, end = len(text) - len(text.lstrip()), len(text.rstrip())
    return decoded(text[begin:end], characters[begin:end])
