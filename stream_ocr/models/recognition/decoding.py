"""Choice of the CTC decoder by the settings: best path, beam search, lexicon or pattern."""

from functools import partial

import regex

from stream_ocr.config.base import TextConstraints
from stream_ocr.config.settings import Settings
from stream_ocr.errors import SettingsError
from stream_ocr.models.recognition.charset import Charset
from stream_ocr.models.recognition.ctc import DecodeFn, beam_search, greedy
from stream_ocr.models.recognition.lexicon import Lexicon
from stream_ocr.models.recognition.thresholds import THRESHOLDS


def make_decoder(constraints: TextConstraints, charset: Charset, *, beam: int = 1) -> DecodeFn:
    """Return the decoder that the settings ask for. Raise SettingsError for a lexicon that cannot be used.

    beam: width of the beam; 1 decodes the best path.
    """
    if constraints.lexicon is not None:
        lexicon = Lexicon(constraints.read_lexicon(), charset, distance=constraints.lexicon_distance)
        if not len(lexicon):
            raise SettingsError(
                f"recognition.lexicon: {constraints.lexicon} has no word of the recogniser's characters."
            )
        return lexicon.decode
    if constraints.pattern is not None:
        allows = partial(_may_match, regex.compile(constraints.pattern))
        return partial(beam_search, charset=charset, width=max(beam, THRESHOLDS.pattern_min_beam), allows=allows)
    if beam > 1:
        return partial(beam_search, charset=charset, width=beam)
    return partial(greedy, charset=charset)


def source_decoders(settings: Settings, charset: Charset) -> dict[str, DecodeFn]:
    """Return a decoder, by source name, for each source with its own lexicon or pattern. Raise SettingsError."""
    return {
        name: make_decoder(source, charset, beam=settings.recognition.beam)
        for name, source in settings.sources.items()
        if source.lexicon is not None or source.pattern is not None
    }


def _may_match(pattern: "regex.Pattern[str]", text: str, whole: bool) -> bool:  # noqa: FBT001 - called by beam_search
    """Return True if a whole text matches, or if a prefix can be extended to a match."""
    return pattern.fullmatch(text, partial=not whole) is not None
