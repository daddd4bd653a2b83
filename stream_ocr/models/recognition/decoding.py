"""How scores become texts: the best path, a beam, a list of words, or a pattern, as the settings want it."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import regex

from stream_ocr.config.base import TextConstraints
from stream_ocr.config.settings import Settings
from stream_ocr.errors import SettingsError
from stream_ocr.models.recognition.charset import Charset
from stream_ocr.models.recognition.ctc import Transcribe, beam_search, greedy
from stream_ocr.models.recognition.lexicon import Lexicon

PATTERN_BEAM = 16
"""Texts that are kept at a time at least while a pattern is followed."""


def transcription(wanted: TextConstraints, charset: Charset, *, beam: int = 1) -> Transcribe:
    """What the settings ask for. Raises SettingsError for a lexicon that cannot be used."""
    if wanted.lexicon is not None:
        lexicon = Lexicon(_listed(wanted.lexicon), charset, distance=wanted.lexicon_distance)
        if not len(lexicon):
            raise SettingsError(f"recognition.lexicon: {wanted.lexicon} has no word that the recogniser can spell.")
        return lexicon.transcribe
    if wanted.pattern is not None:
        width = max(beam, PATTERN_BEAM)
        return partial(
            beam_search, charset=charset, width=width, allows=partial(_matches, regex.compile(wanted.pattern))
        )
    if beam > 1:
        return partial(beam_search, charset=charset, width=beam)
    return partial(greedy, charset=charset)


def of_sources(settings: Settings, charset: Charset) -> dict[str, Transcribe]:
    """By its name, for each source with a lexicon or a pattern of its own. Raises SettingsError."""
    return {
        name: transcription(source, charset, beam=settings.recognition.beam)
        for name, source in settings.sources.items()
        if source.lexicon is not None or source.pattern is not None
    }


def _matches(pattern: "regex.Pattern[str]", text: str, whole: bool) -> bool:  # noqa: FBT001 - as ``allows`` is told
    """Whether a text matches, or, while it is not whole, may still come to match."""
    return pattern.fullmatch(text, partial=not whole) is not None


def _listed(path: Path) -> Iterator[str]:
    """Words of a file, one a line."""
    try:
        content = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(
            f"recognition.lexicon: {path} cannot be read ({error}); it lists words, one a line."
        ) from error
    return (line.strip() for line in content.splitlines())
