"""Reports: one self-contained HTML file with the timeline, texts and statistics of events.

Only its own script can run: the content security policy contains the script's hash, and the template engine escapes
every text that was read.
"""

import base64
import hashlib
import html
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

import jinja2
from markupsafe import Markup

from stream_ocr.config.settings import Settings
from stream_ocr.core.timestamps import format_timestamp
from stream_ocr.errors import SinkError
from stream_ocr.events import Event
from stream_ocr.events.spans import Span, build_spans, events_of_video
from stream_ocr.sinks.base import check_output_path, describe_error
from stream_ocr.viz import thumbnails
from stream_ocr.viz.report import statistics
from stream_ocr.viz.thresholds import REPORT


@dataclass(frozen=True)
class Report:
    """A report as HTML. A notebook shows it in an iframe."""

    html: str

    @classmethod
    def of(
        cls, events: Iterable[Event], *, video: Path | str | None = None, settings: Settings | None = None
    ) -> "Report":
        """Create a report of events, with thumbnails of the texts if the video is given.

        Raises SourceError when the video cannot be read or the events belong to other videos.
        """
        events = list(events)
        path = None if video is None else Path(video)
        if path is not None:
            events = events_of_video(events, path)
        spans = build_spans(events)
        decode = (settings or Settings()).decode
        images = dict(thumbnails.span_thumbnails(path, _longest(spans), decode)) if path else {}
        return cls(_render(events, spans, images, path))

    def write(self, target: Path) -> None:
        """Write the report to a file. Raises SinkError."""
        check_output_path(target)
        try:
            target.write_text(self.html, encoding="utf-8")
        except OSError as error:
            raise SinkError(f"{target} cannot be written: {describe_error(error)}.") from error

    def _repr_html_(self) -> str:
        return f'<iframe sandbox="allow-scripts" width="100%" height="700" srcdoc="{html.escape(self.html)}"></iframe>'


def _longest(spans: Sequence[Span]) -> list[Span]:
    """Return the spans that get a thumbnail."""
    return sorted(spans, key=lambda span: span.start - span.end)[: REPORT.max_thumbnails]


def _render(events: Sequence[Event], spans: Sequence[Span], images: dict[Span, bytes], video: Path | None) -> str:
    style = _resource("theme.css") + _resource("report/report.css")
    script = _resource("report/report.js")
    names = sorted({event.stream for event in events})
    title = video.name if video else ", ".join(names) or "Nothing"
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, finalize=_replace_control_chars
    )
    return environment.from_string(_resource("report/report.html.j2")).render(
        policy=(
            "default-src 'none'; base-uri 'none'; form-action 'none'; img-src data:; "
            f"style-src {_hash(style)}; script-src {_hash(script)}"
        ),
        style=Markup(style),
        script=Markup(script),
        title=title if len(title) < REPORT.max_title_chars else f"{len(names)} sources",
        summary=_summary(spans, names),
        metrics=statistics.summary_metrics(spans),
        streams=list(statistics.timelines(spans)),
        low_confidence=REPORT.low_confidence,
        thumbnails=bool(images),
        thumbnail_note=_thumbnail_note(spans, images),
        texts=[_text(number, span, images.get(span)) for number, span in enumerate(spans)],
        charts=[
            _chart("Time on screen", statistics.duration_histogram(spans)),
            _chart("Confidence", statistics.confidence_histogram(spans)),
        ],
        source_events=[
            {
                "time": "" if event.start is None else format_timestamp(event.start),
                "stream": event.stream,
                "description": " · ".join(filter(None, [event.kind, event.reason])),
            }
            for event in statistics.source_events(events)
        ],
    )


def _summary(spans: Sequence[Span], names: Sequence[str]) -> str:
    if not spans:
        return "No text was read."
    sources = "" if len(names) < 2 else f" in {len(names)} sources"
    begin, end = min(span.start for span in spans), max(span.end for span in spans)
    return (
        f"{_counted(len(spans), 'text')}{sources}, from {format_timestamp(begin)} to {format_timestamp(end)}. "
        "Each bar is one text, from its first frame to its last."
    )


def _thumbnail_note(spans: Sequence[Span], images: dict[Span, bytes]) -> str:
    return f"The {len(images)} texts shown longest have a thumbnail." if 0 < len(images) < len(spans) else ""


def _text(number: int, span: Span, image: bytes | None) -> dict[str, object]:
    return {
        "number": number,
        "start": format_timestamp(span.start),
        "duration": f"{span.end - span.start:.2f} s",
        "text": span.text,
        "stream": span.stream,
        "confidence": f"{span.confidence:.2f}",
        "unsure": span.confidence < REPORT.low_confidence,
        "thumbnail": base64.b64encode(image).decode() if image else "",
    }


def _chart(name: str, counts: Sequence[tuple[str, int]]) -> dict[str, object]:
    most = max([count for _, count in counts] + [1])
    bars = [{"name": label, "count": count, "width": round(100 * count / most, 1)} for label, count in counts]
    return {"name": name, "bars": bars}


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _replace_control_chars(value: object) -> object:
    """Replace control characters, which HTML does not allow, by U+FFFD."""
    if not isinstance(value, str) or isinstance(value, Markup):
        return value
    return "".join("\ufffd" if (ord(c) < 32 and c not in "\t\n") or 0x7F <= ord(c) < 0xA0 else c for c in value)


def _resource(name: str) -> str:
    return files("stream_ocr.viz").joinpath(name).read_text(encoding="utf-8")


def _hash(content: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}'"
