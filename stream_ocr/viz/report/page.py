"""A report: one HTML file that says what was read, to be looked at without a network and without this program.

Nothing in it can run but its own few lines of script: the content security policy names their hash, and every text
that was read is escaped by the template engine.
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

MOST_PICTURES = 500


@dataclass(frozen=True)
class Report:
    """A report as HTML; a notebook shows it in a frame of its own."""

    html: str

    @classmethod
    def of(
        cls, events: Iterable[Event], *, video: Path | str | None = None, settings: Settings | None = None
    ) -> "Report":
        """A report about events, with pictures of the texts when the video is given.

        Raises SourceError when the video cannot be read, or the events are of other videos.
        """
        told = list(events)
        path = None if video is None else Path(video)
        if path is not None:
            told = events_of_video(told, path)
        found = build_spans(told)
        decode = (settings or Settings()).decode
        pictured = dict(thumbnails.span_thumbnails(path, _longest(found), decode)) if path else {}
        return cls(_page(told, found, pictured, path))

    def write(self, target: Path) -> None:
        """Write it to a file. Raises SinkError."""
        check_output_path(target)
        try:
            target.write_text(self.html, encoding="utf-8")
        except OSError as error:
            raise SinkError(f"{target} cannot be written: {describe_error(error)}.") from error

    def _repr_html_(self) -> str:
        return f'<iframe sandbox="allow-scripts" width="100%" height="700" srcdoc="{html.escape(self.html)}"></iframe>'


def _longest(found: Sequence[Span]) -> list[Span]:
    """Those that are worth a picture where there are too many."""
    return sorted(found, key=lambda span: span.start - span.end)[:MOST_PICTURES]


def _page(told: Sequence[Event], found: Sequence[Span], pictured: dict[Span, bytes], video: Path | None) -> str:
    style = _own("theme.css") + _own("report/report.css")
    script = _own("report/report.js")
    names = sorted({event.stream for event in told})
    title = video.name if video else ", ".join(names) or "Nothing"
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, finalize=_visible
    )
    return environment.from_string(_own("report/report.html.j2")).render(
        policy=(
            "default-src 'none'; base-uri 'none'; form-action 'none'; img-src data:; "
            f"style-src {_hash(style)}; script-src {_hash(script)}"
        ),
        style=Markup(style),
        script=Markup(script),
        title=title if len(title) < 200 else f"{len(names)} sources",
        summary=_summary(found, names),
        figures=statistics.summary_metrics(found),
        streams=list(statistics.timelines(found)),
        doubt=statistics.DOUBT,
        pictures=bool(pictured),
        unpictured=_unpictured(found, pictured),
        texts=[_text(number, span, pictured.get(span)) for number, span in enumerate(found)],
        charts=[
            _chart("Time on screen", statistics.duration_histogram(found)),
            _chart("Confidence", statistics.confidence_histogram(found)),
        ],
        troubles=[
            {
                "time": "" if event.start is None else format_timestamp(event.start),
                "stream": event.stream,
                "what": " · ".join(filter(None, [event.kind, event.reason])),
            }
            for event in statistics.source_events(told)
        ],
    )


def _summary(found: Sequence[Span], names: Sequence[str]) -> str:
    if not found:
        return "No text was read."
    sources = "" if len(names) < 2 else f" in {len(names)} sources"
    begin, end = min(span.start for span in found), max(span.end for span in found)
    return (
        f"{_counted(len(found), 'text')}{sources}, from {face(begin)} to {face(end)}. "
        "Each bar is one text from its first frame to its last."
    )


def _unpictured(found: Sequence[Span], pictured: dict[Span, bytes]) -> str:
    return f"Pictures are of the {len(pictured)} texts that stay longest." if 0 < len(pictured) < len(found) else ""


def _text(number: int, span: Span, picture: bytes | None) -> dict[str, object]:
    return {
        "number": number,
        "start": format_timestamp(span.start),
        "length": f"{span.end - span.start:.2f} s",
        "text": span.text,
        "stream": span.stream,
        "confidence": f"{span.confidence:.2f}",
        "doubtful": span.confidence < statistics.DOUBT,
        "picture": base64.b64encode(picture).decode() if picture else "",
    }


def _chart(name: str, counts: Sequence[tuple[str, int]]) -> dict[str, object]:
    most = max([count for _, count in counts] + [1])
    bars = [{"name": label, "count": count, "width": round(100 * count / most, 1)} for label, count in counts]
    return {"name": name, "bars": bars}


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _visible(value: object) -> object:
    """Control characters as the sign for what cannot be shown: HTML has no place for them."""
    if not isinstance(value, str) or isinstance(value, Markup):
        return value
    return "".join("\ufffd" if (ord(c) < 32 and c not in "\t\n") or 0x7F <= ord(c) < 0xA0 else c for c in value)


def _own(name: str) -> str:
    return files("stream_ocr.viz").joinpath(name).read_text(encoding="utf-8")


def _hash(content: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}'"
