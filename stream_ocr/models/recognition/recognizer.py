"""Recogniser: resize grey crops, batch those of one width, run the network, decode.

The input width depends on the crop alone, not on the rest of the batch, so a reading does not either. A line of which
the network is unsure is read again, trimmed and stretched, and the surer reading is kept.
"""

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from stream_ocr.models.backends.base import Engine
from stream_ocr.models.recognition.charset import Charset
from stream_ocr.models.recognition.ctc import NO_TEXT, Decoded, DecodeFn, greedy
from stream_ocr.models.recognition.preprocess import LineResizer, ModelInput, join_readings, split_line
from stream_ocr.models.recognition.thresholds import THRESHOLDS

SpacePrior = Callable[[np.ndarray, Charset], np.ndarray]
"""Maps the probabilities p_TC of a line to those with likelier spaces."""


class Recognizer:
    """A CTC network with its pre- and post-processing.

    engine: maps a batch of ``resizer`` to probabilities (B, T, C), blank first. max_batch: crops per call. decode: maps
    the probabilities of a line to a reading; the best path by default. space_prior: applied before decoding, for a
    network that misses spaces (``apply_space_prior``).
    """

    def __init__(
        self,
        engine: Engine,
        resizer: LineResizer,
        charset: Charset,
        *,
        max_batch: int,
        decode: DecodeFn | None = None,
        space_prior: SpacePrior | None = None,
    ) -> None:
        self.engine = engine
        self.resizer = resizer
        self.charset = charset
        self.max_batch = max_batch
        self.decode = decode or partial(greedy, charset=charset)
        self._space_prior = space_prior

    @property
    def crop_height(self) -> int:
        """Height in pixels at which crops are read; other heights are rescaled."""
        return self.resizer.height

    @property
    def max_width(self) -> int:
        """Width in pixels up to which a crop of ``crop_height`` is read in one piece."""
        return int(self.resizer.max_aspect * self.resizer.height)

    def read(self, crops: Sequence[np.ndarray], decode: DecodeFn | None = None) -> list[Decoded]:
        """Return the reading of each crop; ``NO_TEXT`` for crops with a side of less than two pixels.

        crops: (H, W) uint8 of any size. decode: used instead of the recogniser's own.
        """
        lines = [list(split_line(crop, self.resizer.max_aspect)) for crop in crops]
        pieces = [piece for line in lines for piece, _ in line]
        readings = iter(self._read_with_retry(pieces, decode or self.decode))
        return [join_readings([(next(readings), after_space) for _, after_space in line]) for line in lines]

    def _read_with_retry(self, pieces: Sequence[np.ndarray], decode: DecodeFn) -> list[Decoded]:
        """Read each piece once, and unsure ones a second time; keep the surer reading."""
        readings = self._read_inputs([(piece, self.resizer.input_width(piece)) for piece in pieces], decode)
        unsure = [
            i
            for i, reading in enumerate(readings)
            if THRESHOLDS.retry_min_confidence <= reading.confidence < THRESHOLDS.retry_max_confidence
        ]
        retries = {i: retry for i in unsure if (retry := self.resizer.retry_input(pieces[i])) is not None}
        for i, second in zip(retries, self._read_inputs(list(retries.values()), decode), strict=True):
            readings[i] = max(readings[i], second, key=lambda reading: reading.confidence)
        return readings

    def _read_inputs(self, inputs: Sequence[ModelInput], decode: DecodeFn) -> list[Decoded]:
        by_width: dict[int, list[int]] = {}
        for i, (_, width) in enumerate(inputs):
            by_width.setdefault(width, []).append(i)
        readings = [NO_TEXT] * len(inputs)
        for width, indices in sorted(by_width.items()):
            for start in range(0, len(indices), self.max_batch):
                batch = indices[start : start + self.max_batch]
                p_BTC = self.engine.run(self.resizer.batch([inputs[i][0] for i in batch], width))
                for i, p_TC in zip(batch, p_BTC, strict=True):
                    readings[i] = decode(self._space_prior(p_TC, self.charset) if self._space_prior else p_TC)
        return readings
