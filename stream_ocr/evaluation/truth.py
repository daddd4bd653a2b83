"""Truth files: the texts of a video, made by hand or by ``synthetic.scene.truth``.

A JSON object: {"video", "width", "height", "duration_s", "segments": [{"text", "start_s", "end_s", "box" [x, y, w, h],
or "boxes" [[time_s, x, y, w, h], ...] for moving text, "alt" [other correct readings], "hard": counted when read, not
missed when not}], "ignore": [{"box", "start_s", "end_s"}]: places where other text does not count}.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from stream_ocr.errors import SourceError
from stream_ocr.evaluation.timed_text import TimedText

_NO_END_S = 1e9  # of a truth file without segments and duration


@dataclass(frozen=True)
class Truth:
    """The true texts of a video. ignored: places and times where other text does not count."""

    video: str
    duration_s: float
    lines: tuple[TimedText, ...]
    ignored: tuple[TimedText, ...] = ()


def read_truth(path: Path) -> Truth:
    """Return the truth in a file. Raise SourceError when it cannot be read or is not a truth file."""
    try:
        return parse_truth(msgspec.json.decode(path.read_bytes()))
    except OSError as error:
        raise SourceError(f"The truth {path} cannot be read: {error.strerror}.") from error
    except (msgspec.DecodeError, KeyError, TypeError, ValueError) as error:
        raise SourceError(
            f"{path} is not a truth file ({type(error).__name__}: {error}); it must be a JSON object with segments, "
            "each with text, start_s, end_s and box."
        ) from error


def parse_truth(document: Mapping[str, Any]) -> Truth:
    """Return the truth of a document as ``synthetic.scene.truth`` writes it. Raise KeyError for missing keys."""
    segments = document["segments"]
    duration_s = document.get("duration_s") or max((segment["end_s"] for segment in segments), default=_NO_END_S)

    def timed_text(segment: Mapping[str, Any]) -> TimedText:
        start_s, end_s = segment.get("start_s", 0.0), segment.get("end_s", duration_s)
        keyframes = segment.get("boxes") or [[start_s, *segment["box"]]]
        text = segment.get("text", "")
        accepted = (text, *segment.get("alt", ()))
        return TimedText(text, start_s, end_s, tuple(map(tuple, keyframes)), accepted, bool(segment.get("hard")))

    ignored = tuple(timed_text(segment) for segment in document.get("ignore", ()))
    return Truth(document.get("video", ""), duration_s, tuple(timed_text(segment) for segment in segments), ignored)
