"""Limits and intervals of the server that reads files. Chosen by hand; ``tests/serve`` holds them."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ServeThresholds:
    """Limits of the server and of its readers that are no settings."""

    idle_s: float = 10.0
    """A client that sends nothing of its file for so many seconds is refused."""
    linger_s: float = 5.0
    """After a refusal the rest of a file is ignored for so many seconds, so that the client gets to read the answer."""
    retry_after_s: int = 5
    """Time in seconds after which a client may try again that was refused because there are too many requests."""
    heartbeat_s: float = 10.0
    """Server-sent events: a comment is sent after this many seconds of silence, because proxies end silent answers."""
    max_message_bytes: int = 16 << 20
    """Longest message of a reader, in bytes: the lines of a picture, or the subtitles of a film."""
    form_bytes: int = 16 << 10
    """Bytes of a form besides its file."""
    max_parameters: int = 100
    """Most parameters of a request."""
    max_name_characters: int = 200
    """Longest name of a file, in characters; the rest is cut off."""
    head_bytes: int = 16
    """Start of a file that tells images from videos."""
    reader_memory_bytes: int = 2 << 30
    """Private memory of a reader for its networks, in bytes, besides that of a decoder."""
    reap_interval_s: float = 0.005
    """Between two checks whether a reader that was killed has ended, in seconds."""
    stop_margin_s: int = 2
    """Time in seconds for the last answers after running requests have been ended at a stop."""


THRESHOLDS = ServeThresholds()
