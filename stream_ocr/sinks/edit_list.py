"""Lists for video editors: texts as an EDL (CMX 3600), and scenes by text and cuts as the CSV file of PySceneDetect.

Both are written at the end. Times are counted in frames of a constant rate, as editors do; timecodes are non-drop.
"""

import csv
import io
from abc import ABC, abstractmethod
from bisect import bisect
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

from stream_ocr.events import Event
from stream_ocr.events.spans import Span, SpanBuilder
from stream_ocr.sinks.base import check_output_path
from stream_ocr.sinks.cues import joined_cues, plain
from stream_ocr.sinks.thresholds import THRESHOLDS

_SCENE_HEADER = (
    "Scene Number", "Start Frame", "Start Timecode", "Start Time (seconds)", "End Frame", "End Timecode",
    "End Time (seconds)", "Length (frames)", "Length (timecode)", "Length (seconds)",
)  # fmt: skip
_MAX_COMMENT = 200  # characters; editors cut longer lines


class _ListSink(ABC):
    """Collects spans and writes a file at the end."""

    def __init__(self, path: str | Path, fps: float) -> None:
        """fps: frames per second of the video."""
        self.name = str(path)
        self._path, self._fps = Path(path), fps
        self._builder, self._spans = SpanBuilder(), list[Span]()
        self._origin_s = 0.0

    def open(self) -> None:
        check_output_path(self._path)

    def set_origin(self, _stream: str, origin_s: float) -> None:
        self._origin_s = origin_s

    def write(self, event: Event) -> None:
        self._spans += self._builder.add(event)

    def close(self) -> None:
        spans = sorted([*self._spans, *self._builder.finish()], key=lambda span: (span.start, span.end))
        self._path.write_text(self._content(spans), encoding="utf-8", newline="")

    @abstractmethod
    def _content(self, spans: Sequence[Span]) -> str:
        """Return the content of the file. spans: in the order of their starts."""

    def _frame(self, time_s: float) -> int:
        return max(0, round((time_s - self._origin_s) * self._fps))

    def _timecode(self, frame: int) -> str:
        """Return HH:MM:SS:FF, in which a second has the next whole number of frames."""
        seconds, frames = divmod(frame, round(self._fps))
        return f"{_clock(seconds)}:{frames:02}"


class EdlSink(_ListSink):
    """An edit for each text, with the text as comment."""

    def _content(self, spans: Sequence[Span]) -> str:
        title = " ".join(self._path.stem.split())
        return "".join([f"TITLE: {title}\r\nFCM: NON-DROP FRAME\r\n", *self._edits(spans)])

    def _edits(self, spans: Sequence[Span]) -> Iterator[str]:
        for number, span in enumerate(spans, 1):
            start = self._frame(span.start)
            end = max(start + 1, self._frame(span.end))
            times = f"{self._timecode(start)} {self._timecode(end)}"
            text = plain(span.text).replace("\n", " ")[:_MAX_COMMENT]
            yield f"\r\n{number:03}  AX       V     C        {times} {times}\r\n"
            yield f"* FROM CLIP NAME: {span.stream}\r\n* COMMENT: {text}\r\n"


class SceneSink(_ListSink):
    """A scene from each change of the texts on the screen, or cut, to the next one; overlays do not count."""

    def __init__(
        self, path: str | Path, fps: float, *, cuts_s: Sequence[float] = (), end_s: float | None = None
    ) -> None:
        """cuts_s: media times of the cuts. end_s: media time of the end of the film; None: the last text ends it."""
        super().__init__(path, fps)
        self._cuts_s, self._end_s = sorted(cuts_s), end_s

    def _content(self, spans: Sequence[Span]) -> str:
        frames = self._boundaries(spans)
        output = io.StringIO()
        writer = csv.writer(output)
        writer.writerow(["Timecode List:", *map(self._time, frames[1:-1])])
        writer.writerow(_SCENE_HEADER)
        for number, (start, end) in enumerate(pairwise(frames), 1):
            cells = (start + 1, *self._times(start), end, *self._times(end), end - start, *self._times(end - start))
            writer.writerow([number, *cells])
        return output.getvalue()

    def _boundaries(self, spans: Sequence[Span]) -> list[int]:
        """Return the frames at which scenes start and end, in their order."""
        cues = joined_cues([span for span in spans if not span.overlay])
        texts = [self._snapped(time) for cue in cues for time in (cue.start, cue.end)]
        frames = {0, *map(self._frame, (*texts, *self._cuts_s))}
        if self._end_s is not None:
            end = self._frame(self._end_s)
            frames = {*(frame for frame in frames if frame < end), end}
        return sorted(frames)

    def _snapped(self, time_s: float) -> float:
        """Return the time of the cut near a time, or the time itself."""
        after = bisect(self._cuts_s, time_s)
        nearby = self._cuts_s[max(0, after - 1) : after + 1]
        nearest = min(nearby, key=lambda cut_s: abs(cut_s - time_s), default=time_s)
        return nearest if abs(nearest - time_s) <= THRESHOLDS.scene_snap_s else time_s

    def _times(self, frame: int) -> tuple[str, str]:
        return self._time(frame), f"{frame / self._fps:.3f}"

    def _time(self, frame: int) -> str:
        """Return HH:MM:SS.mmm, as PySceneDetect writes it."""
        seconds, milliseconds = divmod(round(1000 * frame / self._fps), 1000)
        return f"{_clock(seconds)}.{milliseconds:03}"


def _clock(seconds: int) -> str:
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{seconds:02}"
