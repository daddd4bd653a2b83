"""Settings of live sources: address, regions of interest, active hours."""

import os
from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import ConfigDict, Field, PrivateAttr, model_validator

from stream_ocr.config.areas import Areas, NamedField
from stream_ocr.config.base import ConfigModel, FieldName, Pattern, TextConstraints, TimeOfDayRange, in_time_range
from stream_ocr.config.reporting import Replacement
from stream_ocr.config.urls import SourceUrl

SourceName = Annotated[str, Field(pattern=r"^\w[\w-]{0,63}$")]


class SourceSettings(TextConstraints, Areas):
    """One camera, or a file that is played like one. Set exactly one of ``url``, ``url_env``, ``url_file``, ``path``.

    ``lexicon`` or ``pattern`` of a source replaces the one in ``recognition``; ``regions`` and ``masks`` replace those
    in ``detection``; ``replacements``, ``ignore``, ``fields`` and the minima replace those in
    ``events``.
    """

    model_config = ConfigDict(hide_input_in_errors=True)

    url: SourceUrl | None = Field(
        None,
        description="Address: rtsp, rtsps, http or https. Use url_env or url_file for an address with a password.",
    )
    url_env: str | None = Field(None, description="Name of an environment variable that contains the address.")
    url_file: Path | None = Field(None, description="File that contains only the address.")
    path: Path | None = Field(None, description="Local camera, such as /dev/video0, or video file.")
    pace: Literal["live"] = Field("live", description="live: a video file is played in real time.")
    loop: bool = Field(False, description="A video file begins again when it has ended, as a camera that reconnects.")
    ca_file: Path | None = Field(
        None,
        description="File with certificates of authorities, one of which must have signed that of an rtsps or https "
        "camera; the certificate of the camera itself will do if it has signed itself. null: it is not checked.",
    )
    transport: Literal["tcp", "udp"] = Field("tcp", description="Transport of the RTSP media.")
    max_fps: float | None = Field(
        None, gt=0, description="Maximum detector runs per second for this source. null: detection.max_fps."
    )
    active: tuple[TimeOfDayRange, ...] = Field(
        (),
        description="Ranges of local time, such as 07:00-19:30, in which the source is read. Empty: always.",
    )
    min_confidence: float | None = Field(
        None, ge=0, le=1, description="Minimum confidence of an event of this source. null: events.min_confidence."
    )
    min_mean_confidence: float | None = Field(
        None, ge=0, le=1, description="As in events, for this source. null: events.min_mean_confidence."
    )
    min_characters: int | None = Field(
        None, ge=1, description="Minimum number of characters of a text of this source. null: events.min_characters."
    )
    replacements: tuple[Replacement, ...] | None = Field(
        None, description="Corrections of the texts of this source. null: events.replacements."
    )
    ignore: tuple[Pattern, ...] | None = Field(
        None, description="Texts of this source that are not reported. null: events.ignore."
    )
    fields: dict[FieldName, NamedField] | None = Field(
        None, description="Named fields in the picture of this source. null: events.fields."
    )
    assignment: int | None = Field(
        None,
        ge=0,
        description="Number of the assignment of this source to a host, with which the ids of its events begin. "
        "`stream-ocr fleet` sets it.",
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
            raise ValueError("this is an address; write it under url instead of path")
        if self.loop and self.path is None:
            raise ValueError("loop is for video files (path); leave it out")
        if self.url is not None:
            self._address = self.url
        elif self.url_env is not None:
            if self.url_env not in os.environ:
                raise ValueError(
                    f"the environment variable {self.url_env}, which should contain the address, is not set"
                )
            self._address = SourceUrl(os.environ[self.url_env].strip())
        elif self.url_file is not None:
            try:
                self._address = SourceUrl(self.url_file.read_text(encoding="utf-8").strip())
            except (OSError, UnicodeDecodeError) as error:
                raise ValueError(f"{self.url_file}, which should contain the address, cannot be read") from error
        return self

    @property
    def address(self) -> SourceUrl | None:
        """Return the address from ``url``, ``url_env`` or ``url_file``; None for a path."""
        return self._address

    def is_active(self, now: datetime) -> bool:
        """Return True if the source is read at a local time."""
        return not self.active or any(in_time_range(hours, now.time()) for hours in self.active)


class LiveSettings(ConfigModel):
    """Timeouts and reconnection of live sources."""

    connect_timeout_s: float = Field(
        5.0, gt=0, description="Time in seconds in which a source must answer a connection attempt."
    )
    read_timeout_s: float = Field(
        2.0,
        gt=0,
        description="Socket timeout in seconds. A source that sends no data is down after at most twice this time.",
    )
    frame_timeout_s: float = Field(
        8.0,
        gt=0,
        description="A source that sends no frame for this many seconds is down, even if it sends other data.",
    )
    max_latency_s: float = Field(
        1.0, gt=0, description="Maximum frame age in seconds; older frames are dropped and counted."
    )
    min_backoff_s: float = Field(
        0.25, gt=0, description="Delay in seconds before the first reconnection attempt; it doubles with each failure."
    )
    max_backoff_s: float = Field(
        30.0, gt=0, description="Maximum delay in seconds between attempts; also used after a wrong password or path."
    )
