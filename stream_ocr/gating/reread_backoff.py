"""What looks like text to the detector, and never like letters to the recogniser, is read less and less often.

Windows of houses, railings and leaves change with every step of the camera; each change would be one more view to
read. After an illegible look a track has to wait, twice as long each time, unless it has come clearly nearer.
"""

from dataclasses import dataclass

from stream_ocr.models.recognition.ctc import Decoded

_ILLEGIBLE = 0.75  # mean confidence of its characters; little below is published by default
_FIRST_S, _LONGEST_S = 0.5, 4.0
_NEARER = 1.3


@dataclass(slots=True)
class RereadBackoff:
    """The looks in a row at which a track was illegible."""

    _failed: int = 0
    _last_s: float = 0.0
    _height: float = 0.0

    def defers(self, time_s: float, height: float) -> bool:
        """Whether a look at text of ``height`` pixels is not worth it yet."""
        if not self._failed or height > _NEARER * self._height:
            return False
        return time_s - self._last_s < min(_FIRST_S * 2 ** (self._failed - 1), _LONGEST_S)

    def add(self, look: Decoded, time_s: float, height: float) -> None:
        """Take in a reading of text of ``height`` pixels."""
        legible = look.confidence >= _ILLEGIBLE
        self._failed, self._last_s, self._height = 0 if legible else self._failed + 1, time_s, height
