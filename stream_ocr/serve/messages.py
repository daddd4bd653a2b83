"""Messages between the server and a reader: JSON lines through pipes."""

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

Format = Literal["jsonl", "srt", "vtt", "ass", "txt"]
"""Formats of the answer for a video: events, or a subtitle file."""


class Task(msgspec.Struct, frozen=True):
    """A file to read.

    settings: as JSON. name: of the file, for events and messages. file, output: descriptors that the reader inherits;
    without a file it loads the networks only. subtitles: the file of subtitles has only those of a film.
    """

    settings: Mapping[str, Any]
    name: str = ""
    file: int | None = None
    output: int = -1
    format: Format = "jsonl"
    subtitles: bool = False


class Opened(msgspec.Struct, frozen=True, tag="opened"):
    """The file is a video whose first frame could be decoded."""


class EventRead(msgspec.Struct, frozen=True, tag="event"):
    """An event of a video, as JSON."""

    event: msgspec.Raw


class Document(msgspec.Struct, frozen=True, tag="document"):
    """The answer as a whole."""

    media_type: str
    text: str


class Failed(msgspec.Struct, frozen=True, tag="failed"):
    """Why the file could not be read, or not to its end. status: of HTTP."""

    sentence: str
    status: int


class Finished(msgspec.Struct, frozen=True, tag="finished"):
    """The file has been read to its end."""


Message = Opened | EventRead | Document | Failed | Finished
