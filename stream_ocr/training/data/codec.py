"""Damage crops by a video codec. Many crops share one H.264 picture, so one costs a fraction of a millisecond."""

import random
from typing import NamedTuple

import cv2
import numpy as np

from stream_ocr.evaluation.recognition_metrics import Sample
from stream_ocr.models.recognition.input_sizes import ASPECT, HEIGHT
from stream_ocr.training.data.degradation import encoded
from stream_ocr.training.data.thresholds import CODEC


class _Place(NamedTuple):
    sample: Sample
    left: int
    top: int
    width: int
    height: int


class CodecMosaic:
    """Collects samples of one size class after the other and gives them back, decoded, when the picture is full."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._places: list[_Place] = []
        self._left, self._top, self._row_height = 0, 0, 0
        self._canvas = self._blank()

    def add(self, sample: Sample) -> list[Sample]:
        """Take a sample in; return those of a full picture, or none."""
        (canvas_width, canvas_height), gap = CODEC.canvas_px, CODEC.gap_px
        rows = round(self._rng.uniform(*CODEC.height_px))
        columns = max(8, round(sample.image.shape[1] / ASPECT * rows / HEIGHT))
        finished: list[Sample] = []
        if columns > (widest := canvas_width - 2 * gap):
            columns, rows = widest, max(CODEC.height_px[0], round(rows * widest / columns))
        if self._left + columns + gap > canvas_width:
            self._left, self._top, self._row_height = 0, self._top + self._row_height, 0
        if self._top + rows + gap > canvas_height:
            finished = self.flush()
        small = cv2.resize(sample.image, (columns, rows), interpolation=cv2.INTER_AREA)
        around = cv2.copyMakeBorder(small, *(gap // 2,) * 4, cv2.BORDER_REPLICATE)
        self._canvas[self._top : self._top + rows + gap, self._left : self._left + columns + gap] = around
        self._places.append(_Place(sample, self._left + gap // 2, self._top + gap // 2, columns, rows))
        self._left += columns + gap
        self._row_height = max(self._row_height, rows + gap)
        return finished

    def flush(self) -> list[Sample]:
        """Encode what there is and return it."""
        if not self._places:
            return []
        picture = cv2.cvtColor(self._canvas, cv2.COLOR_GRAY2RGB)
        decoded = cv2.cvtColor(encoded(picture, self._rng.randint(*CODEC.crf), self._rng), cv2.COLOR_RGB2GRAY)
        finished = [Sample(self._cut(decoded, place), place.sample.text) for place in self._places]
        self._places, self._left, self._top, self._row_height = [], 0, 0, 0
        self._canvas = self._blank()
        return finished

    def _cut(self, picture: np.ndarray, place: _Place) -> np.ndarray:
        crop = picture[place.top : place.top + place.height, place.left : place.left + place.width]
        size = (place.sample.image.shape[1], HEIGHT)
        enlarges = place.height < HEIGHT
        return np.asarray(cv2.resize(crop, size, interpolation=cv2.INTER_CUBIC if enlarges else cv2.INTER_LINEAR))

    def _blank(self) -> np.ndarray:
        return np.full(CODEC.canvas_px[::-1], self._rng.randint(0, 255), np.uint8)
