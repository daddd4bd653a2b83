"""Recogniser: resize grey crops, batch those of one width, run the network, decode.

The input width depends on the crop alone, not on the rest of the batch, so a reading does not either. A line of which
the network is unsure is read again, trimmed and stretched; all these inputs decide together (``rescoring``), or the
surest one where a lexicon or a pattern constrains the text.
"""

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from stream_ocr.models.backends.base import Engine
from stream_ocr.models.recognition.charset import Charset
from stream_ocr.models.recognition.ctc import Decoded, DecodeFn, greedy
from stream_ocr.models.recognition.long_lines import find_cuts, has_space, join_readings, seam, split_at
from stream_ocr.models.recognition.preprocess import LineResizer, ModelInput
from stream_ocr.models.recognition.rescoring import Rescorer
from stream_ocr.models.recognition.thresholds import THRESHOLDS

SpacePrior = Callable[[np.ndarray, Charset], np.ndarray]
"""Maps the probabilities p_TC of a line to those with likelier spaces."""


class Recognizer:
    """A CTC network with its pre- and post-processing.

    engine: maps a batch of ``resizer`` to probabilities (B, T, C), blank first. max_batch: crops per call. decode: maps
    the probabilities of a line to a reading; the best path by default. space_prior: applied before decoding, for a
    network that misses spaces (``apply_space_prior``). rescorer: chooses the text of lines that are read again; without
    one, and where ``read`` is given another decoder, the surest reading is kept.
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
        rescorer: Rescorer | None = None,
    ) -> None:
        self.engine = engine
        self.resizer = resizer
        self.charset = charset
        self.max_batch = max_batch
        self.decode = decode or partial(greedy, charset=charset)
        self._space_prior = space_prior
        self._rescorer = rescorer

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
        cuts = [find_cuts(crop, self.resizer.max_aspect) for crop in crops]
        lines = [split_at(crop, places) for crop, places in zip(crops, cuts, strict=True)]
        readings = iter(self._read_pieces([piece for line in lines for piece in line], decode))
        spaces = iter(
            self._find_spaces([(crop, cut) for crop, places in zip(crops, cuts, strict=True) for cut in places])
        )
        return [join_readings([(next(readings), i > 0 and next(spaces)) for i in range(len(line))]) for line in lines]

    def _find_spaces(self, cuts: Sequence[tuple[np.ndarray, int]]) -> list[bool]:
        """Return whether each cut, a crop and a column, is at a space: the letters round it are read once more."""
        seams = [seam(crop, cut) for crop, cut in cuts]
        found = self._probabilities([(pixels, self.resizer.input_width(pixels)) for pixels, _ in seams])
        spaces: list[bool] = []
        for p_TC, (pixels, place) in zip(found, seams, strict=True):
            share = self.resizer.content_share(pixels)
            tolerance = THRESHOLDS.seam_tolerance_ratio * pixels.shape[0] / pixels.shape[1]
            spaces.append(has_space(p_TC, self.charset, place * share, tolerance * share))
        return spaces

    def _read_pieces(self, pieces: Sequence[np.ndarray], decode: DecodeFn | None) -> list[Decoded]:
        """Read each piece once, and unsure ones again from further inputs."""
        first = self._probabilities([(piece, self.resizer.input_width(piece)) for piece in pieces])
        readings = [(decode or self.decode)(p_TC) for p_TC in first]
        unsure = [
            i
            for i, reading in enumerate(readings)
            if THRESHOLDS.retry_min_confidence <= reading.confidence < THRESHOLDS.retry_max_confidence
        ]
        found = {i: [first[i]] for i in unsure}
        retries = [(i, retry) for i in unsure for retry in self.resizer.retry_inputs(pieces[i])]
        for (i, _), p_TC in zip(retries, self._probabilities([retry for _, retry in retries]), strict=True):
            found[i].append(p_TC)
        for i, p_VTC in found.items():
            if self._rescorer is not None and decode is None:
                readings[i] = self._rescorer.choose(p_VTC)
            else:
                others = map(decode or self.decode, p_VTC[1:])
                readings[i] = max([readings[i], *others], key=lambda reading: reading.confidence)
        return readings

    def _probabilities(self, inputs: Sequence[ModelInput]) -> list[np.ndarray]:
        """Return the probabilities p_TC of each input."""
        by_width: dict[int, list[int]] = {}
        for i, (_, width) in enumerate(inputs):
            by_width.setdefault(width, []).append(i)
        found: dict[int, np.ndarray] = {}
        for width, indices in sorted(by_width.items()):
            for start in range(0, len(indices), self.max_batch):
                batch = indices[start : start + self.max_batch]
                p_BTC = self.engine.run(self.resizer.batch([inputs[i][0] for i in batch], width))
                for i, p_TC in zip(batch, p_BTC, strict=True):
                    found[i] = self._space_prior(p_TC, self.charset) if self._space_prior else p_TC
        return [found[i] for i in range(len(inputs))]
