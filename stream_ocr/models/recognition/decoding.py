"""Choice of the CTC decoder by the settings: best path, beam search, lexicon or pattern."""

import time
from functools import partial

import numpy as np

from stream_ocr.config.base import TextConstraints, compile_regex
from stream_ocr.config.settings import Settings
from stream_ocr.errors import SettingsError
from stream_ocr.logs import get_logger
from stream_ocr.models.recognition.charset import Charset
from stream_ocr.models.recognition.ctc import NO_TEXT, Decoded, DecodeFn, beam_search, greedy
from stream_ocr.models.recognition.thresholds import THRESHOLDS

log = get_logger(__name__)


def make_decoder(constraints: TextConstraints, charset: Charset, *, beam: int = 1) -> DecodeFn:
    """Return the decoder that the settings ask for. Raise SettingsError for a lexicon that cannot be used.

    beam: width of the beam; 1 decodes the best path.
    """
    if constraints.lexicon is not None:
        from stream_ocr.models.recognition.lexicon import Lexicon  # imports rapidfuzz

        lexicon = Lexicon(constraints.read_lexicon(), charset, distance=constraints.lexicon_distance)
        if not len(lexicon):
            raise SettingsError(
                f"recognition.lexicon: {constraints.lexicon} has no word of the recogniser's characters."
            )
        return lexicon.decode
    if constraints.pattern is not None:
        return _PatternDecoder(constraints.pattern, charset, max(beam, THRESHOLDS.pattern_min_beam))
    if beam > 1:
        return partial(beam_search, charset=charset, width=beam)
    return partial(greedy, charset=charset)


def source_decoders(settings: Settings, charset: Charset) -> dict[str, DecodeFn]:
    """Return a decoder, by source name, for each source with its own lexicon or pattern.

    A source whose lexicon cannot be used is read without it: it must not stop the other sources.
    """
    decoders: dict[str, DecodeFn] = {}
    for name, source in settings.sources.items():
        if source.lexicon is None and source.pattern is None:
            continue
        try:
            decoders[name] = make_decoder(source, charset, beam=settings.recognition.beam)
        except SettingsError as error:
            log.error("source is read without its lexicon", stream=name, reason=str(error))
    return decoders


class _PatternDecoder:
    """Decodes texts that match a regular expression. A text that takes too long to match is not read."""

    def __init__(self, pattern: str, charset: Charset, width: int) -> None:
        self._pattern, self._charset, self._width = compile_regex(pattern), charset, width
        self._left_s = 0.0
        self._reported = False

    def __call__(self, p_TC: np.ndarray) -> Decoded:
        self._left_s = THRESHOLDS.pattern_timeout_s
        try:
            return beam_search(p_TC, self._charset, width=self._width, allows=self._may_match)
        except TimeoutError:
            if not self._reported:
                log.warning("texts are not read: this pattern takes too long", pattern=self._pattern.pattern)
            self._reported = True
            return NO_TEXT

    def _may_match(self, text: str, whole: bool) -> bool:  # noqa: FBT001 - called by beam_search
        """Return True if a whole text matches, or if a prefix can be extended to a match. Raise TimeoutError."""
        started_s = time.thread_time()
        match = self._pattern.fullmatch(text, partial=not whole, timeout=self._left_s)
        self._left_s -= time.thread_time() - started_s
        if self._left_s <= 0:
            raise TimeoutError
        return match is not None
