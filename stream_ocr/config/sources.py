"""Settings of live sources: where each one is, what of its picture counts, and when."""

import os
from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import ConfigDict, Field, PrivateAttr, model_validator

from stream_ocr.config.base import ConfigModel, TextConstraints, TimeOfDayRange, in_time_range
from stream_ocr.config.urls import SourceUrl
from stream_ocr.events.polygon import contains_point

Share = Annotated[float, Field(ge=0, le=1)]
Outline = Annotated[tuple[tuple[Share, Share], ...], Field(min_length=3)]
SourceName = Annotated[str, Field(pattern=r"^\w[\w-]{0,63}$")]


class SourceSettings(TextConstraints):
    """One camera, or a file that plays the part of one. Exactly one of ``url``, ``url_env``, ``url_file``, ``path``.

    A ``lexicon`` or ``pattern`` of its own takes the place of the general one.
    """

    model_config = ConfigDict(hide_input_in_errors=True)

    url: SourceUrl | None = Field(
        None, description="Address: rtsp, rtsps, http or https; a password is better kept in url_env or url_file."
    )
    url_env: str | None = Field(None, description="Name of the environment variable that holds the address.")
    url_file: Path | None = Field(None, description="File that holds the address and nothing else.")
    path: Path | None = Field(None, description="A camera of this machine, such as /dev/video0, or a video file.")
    pace: Literal["live"] = Field("live", description="live: a video file is played at its own speed.")
    transport: Literal["tcp", "udp"] = Field("tcp", description="How RTSP sends its pictures.")
    regions: tuple[Outline, ...] = Field(
        (),
        description="Only text whose middle lies in one of these polygons counts; corners [x, y] as shares of the "
        "width and height of the picture, 0 to 1. None: all of it.",
    )
    masks: tuple[Outline, ...] = Field((), description="Text whose middle lies in one of these does not count.")
    max_fps: float | None = Field(
        None, gt=0, description="Looks of the detector per second for this source; null: as detection.max_fps."
    )
    active: tuple[TimeOfDayRange, ...] = Field(
        (), description="Hours of the day at this machine, as 07:00-19:30, in which it is read. None: always."
    )
    _address: SourceUrl | None = PrivateAttr(None)

    @model_validator(mode="after")
    def _resolve(self) -> Self:
        given = [name for name in ("url", "url_env", "url_file", "path") if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(
                f"a source has exactly one of url, url_env, url_file and path, not {' and '.join(given) or 'none'}"
            )
        if self.path is not None and "://" in str(self.path).replace(":/", "://"):
            raise ValueError("an address stands under url, not under path")
        if self.url is not None:
            self._address = self.url
        elif self.url_env is not None:
            if self.url_env not in os.environ:
                raise ValueError(f"there is no environment variable {self.url_env}, which should hold the address")
            self._address = SourceUrl(os.environ[self.url_env].strip())
        elif self.url_file is not None:
            try:
                self._address = SourceUrl(self.url_file.read_text(encoding="utf-8").strip())
            except (OSError, UnicodeDecodeError) as error:
                raise ValueError(f"{self.url_file}, which should hold the address, cannot be read") from error
        return self

    @property
    def address(self) -> SourceUrl | None:
        """Where it is, wherever that was written; None for a path."""
        return self._address

    def counts(self, point: tuple[float, float]) -> bool:
        """Whether text at a point, in shares of the width and height, is looked at."""
        wanted = not self.regions or any(contains_point(outline, point) for outline in self.regions)
        return wanted and not any(contains_point(outline, point) for outline in self.masks)

    def is_active(self, now: datetime) -> bool:
        """Whether it is to be read at a time of this machine."""
        return not self.active or any(in_time_range(hours, now.time()) for hours in self.active)


class LiveSettings(ConfigModel):
    connect_timeout_s: float = Field(5.0, gt=0, description="A source that has not answered by then is tried again.")
    read_timeout_s: float = Field(2.0, gt=0, description="One that sends nothing for twice as long is down.")
    frame_timeout_s: float = Field(
        8.0, gt=0, description="One that sends no picture for so long, whatever else it sends, is down."
    )
    max_latency_s: float = Field(
        1.0, gt=0, description="Pictures that waited for so long are dropped, and that is said."
    )
    min_backoff_s: float = Field(0.25, gt=0, description="Pause before the first new attempt; it doubles with each.")
    max_backoff_s: float = Field(30.0, gt=0, description="Longest pause, and the one after a wrong password or path.")
