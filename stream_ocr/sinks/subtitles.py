"""Subtitle files: SubRip, WebVTT, Advanced SubStation Alpha with positions, and plain text."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Literal

from stream_ocr.errors import SinkError
from stream_ocr.events import Event
from stream_ocr.events.spans import Span, SpanBuilder
from stream_ocr.sinks.base import check_output_path, describe_error
from stream_ocr.sinks.captions import caption_cues, caption_spans
from stream_ocr.sinks.cues import Cue, joined_cues, separate_cues
from stream_ocr.sinks.thresholds import THRESHOLDS

if TYPE_CHECKING:
    from pysubs2 import SSAFile

_WORD_JOINER = "\u2060"
_SUBRIP_MARKUP = re.compile(r"[<{]|--(?=>)|&(?=#?\w+;)")
_AT_THE_TOP = r"{\an8}"  # of the many tags of ASS, the one that players also know in SubRip

Layout = Literal["joined", "separate"]
Select = Literal["all", "captions", "region"]


class SubtitleSink:
    """Writes a .srt, .vtt, .ass or .txt file when it is closed; times count from the start of the video.

    select: "all" writes every text; "captions" the subtitles of a film, which it finds among the other texts; "region"
    every text but overlays, because only the region of the subtitles was read. layout: of all texts: "joined" joins the
    lines on screen from top to bottom, so that no two subtitles overlap; "separate" makes every line its own subtitle.
    """

    def __init__(
        self, path: str | Path, *, select: Select = "all", layout: Layout = "joined", name: str | None = None
    ) -> None:
        self.name = name or str(path)
        self._path = Path(path)
        self._select, self._layout = select, layout
        self._builder = SpanBuilder()
        self._spans: list[Span] = []
        self._origins_s: dict[str, float] = {}

    def open(self) -> None:
        check_output_path(self._path)
        try:
            self._path.write_bytes(b"")
        except OSError as error:
            raise SinkError(f"{self._path} cannot be written: {describe_error(error)}.") from error

    def set_origin(self, stream: str, origin_s: float) -> None:
        self._origins_s[stream] = origin_s

    def write(self, event: Event) -> None:
        self._spans += self._builder.add(event)

    def close(self) -> None:
        self._path.write_text(self.text(), encoding="utf-8")

    def text(self) -> str:
        """Return the content of the file; texts that are still visible end with their last event."""
        spans = [*self._spans, *self._builder.finish()]
        moved = [_moved(span, -self._origins_s.get(span.stream, 0.0)) for span in spans]
        return render_subtitles(moved, self._path.suffix, select=self._select, layout=self._layout)


def write_subtitles(spans: Iterable[Span], path: Path, *, select: Select = "all", layout: Layout = "joined") -> None:
    """Write spans to a file, whose suffix determines its format. Raises OSError."""
    path.write_text(render_subtitles(spans, path.suffix, select=select, layout=layout), encoding="utf-8")


def render_subtitles(spans: Iterable[Span], suffix: str, *, select: Select = "all", layout: Layout = "joined") -> str:
    """Return spans as the content of a file with this suffix."""
    shown = [span for span in spans if span.end > max(span.start, 0.0)]
    format_ = suffix.lower().removeprefix(".")
    if select != "all":
        cues = list(caption_cues(caption_spans(shown) if select == "captions" else _without_overlays(shown)))
    elif format_ == "ass" or layout == "separate":  # every text stands in its place
        cues = list(separate_cues(shown))
    else:
        cues = list(joined_cues(shown))
    if format_ == "txt":
        return "\n".join(f"{cue.text}\n" for cue in cues)
    file = _file(cues, format_, shown, select)
    return file.to_string(format_, keep_ssa_tags=True)  # braces are text, not tags


def _file(cues: Sequence[Cue], format_: str, spans: Sequence[Span], select: Select) -> "SSAFile":
    import pysubs2  # 15 ms, for files of subtitles only

    file = pysubs2.SSAFile()
    size = next((span.size for span in spans if span.size), None)
    if format_ == "ass":
        _set_style(file, cues, size)
    for cue in cues:
        text = "\\N".join(_escaped(line, format_) for line in cue.text.split("\n"))
        if format_ == "ass":
            text = _position(cue) + text
        elif format_ == "srt" and select != "all" and size is not None and cue.box[3] < size[1] / 2:
            text = _AT_THE_TOP + text
        start, end = pysubs2.make_time(s=max(cue.start, 0.0)), pysubs2.make_time(s=cue.end)
        file.events.append(pysubs2.SSAEvent(start=start, end=end, text=text))
    return file


def _set_style(file: "SSAFile", cues: Sequence[Cue], size: tuple[int, int] | None) -> None:
    """Set the size of the picture, in whose pixels positions count, and of the letters."""
    if size is not None:
        file.info["PlayResX"], file.info["PlayResY"] = map(str, size)
    heights = [(cue.box[3] - cue.box[1]) / len(cue.text.split("\n")) for cue in cues]
    style = file.styles["Default"]
    style.fontsize = round(max(median(heights), THRESHOLDS.min_font_px)) if heights else style.fontsize
    style.outline, style.shadow = max(style.fontsize / 20, 1.0), 0.0


def _position(cue: Cue) -> str:
    """Return the tag that centres a cue on its place."""
    left, top, right, bottom = cue.box
    return f"{{\\an5\\pos({(left + right) / 2:.0f},{(top + bottom) / 2:.0f})}}"


def _without_overlays(spans: Sequence[Span]) -> list[Span]:
    return [span for span in spans if not span.overlay]


def _moved(span: Span, by_s: float) -> Span:
    return replace(span, start=span.start + by_s, end=span.end + by_s)


def _escaped(text: str, format_: str) -> str:
    """Escape what players would take for markup.

    WebVTT has entities. SubRip has no escapes, so an invisible word joiner breaks up tags, overrides and entities.
    Players built on libass (mpv, FFmpeg) show no text in braces all the same, unless the file is their own format.
    """
    if format_ == "vtt":
        text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    elif format_ == "ass":
        text = text.replace("{", "\\{{}")  # the escape of libass, and an empty tag for players that know no escape
    else:
        text = _SUBRIP_MARKUP.sub(rf"\g<0>{_WORD_JOINER}", text)
    # pysubs2 and players read \N, \n and \h as white space
    return re.sub(r"\\(?=[Nnh])", lambda _: f"\\{_WORD_JOINER}", text)
