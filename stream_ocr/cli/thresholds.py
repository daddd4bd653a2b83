"""Tuning values of the command line interface. All chosen by hand."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CliThresholds:
    """Intervals and limits of what commands print."""

    bar_interval_s: float = 0.25
    """Time between two updates of the progress bar on a terminal, in seconds."""

    line_interval_s: float = 5.0
    """Time between two progress lines if standard error is not a terminal, in seconds."""

    table_interval_s: float = 0.5
    """Time between two updates of the table of cameras, in seconds."""

    decimal_below_s: float = 10.0
    """Ages below this many seconds are shown with one decimal."""

    minutes_from_s: float = 120.0
    """Ages from this many seconds on are shown in minutes."""

    drain_s: float = 2.0
    """Time to wait for another line of captured standard error at the end, in seconds."""

    max_drains: int = 10
    """Most such waits: a leftover process may keep the pipe open for ever."""

    silence_s: float = 3.0
    """``subscribe`` prints a hint if nothing answers for this many seconds."""

    poll_s: float = 0.5
    """Time that ``subscribe`` waits for an event before it checks for silence, in seconds."""

    snippet_chars: int = 40
    """Characters shown before and after a search match."""

    default_fps: float = 25.0
    """Frames per second of edit lists without a video: of television and cameras in Europe."""


THRESHOLDS = CliThresholds()
