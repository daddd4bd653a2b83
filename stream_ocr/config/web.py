"""Settings of the web servers: the dashboard, and the one that reads files."""

from pathlib import Path

from pydantic import Field

from stream_ocr.config.base import ConfigModel


class ListenSettings(ConfigModel):
    """Where a web server listens, and who may ask."""

    host: str = Field(
        "127.0.0.1",
        description="Address to listen on. On any address other than a loopback address, visitors need a token.",
    )
    port: int = Field(0, ge=0, le=65535, description="TCP port to listen on. 0: any free port.")
    token_file: Path | None = Field(
        None, description="File with the access token. null: a new token is generated and printed at each start."
    )


class DashboardSettings(ListenSettings):
    """The web page of ``stream-ocr dashboard``."""

    port: int = Field(8650, ge=0, le=65535, description="TCP port to listen on. 0: any free port.")
    edit: bool = Field(
        False,
        description="Let viewers of `stream-ocr run CONFIG --dashboard` draw regions, masks and fields, which are "
        "saved in CONFIG; see docs/see.md.",
    )


class ServeSettings(ListenSettings):
    """Reading of files that are sent over HTTP."""

    port: int = Field(8660, ge=0, le=65535, description="TCP port to listen on. 0: any free port.")
    readings: int = Field(
        2, ge=1, le=64, description="Maximum number of files that are read at a time, each in a process of its own."
    )
    waiting: int = Field(
        8,
        ge=0,
        le=128,
        description="Maximum number of further requests that are received and wait; all others are answered with 503.",
    )
    max_bytes: int = Field(
        1 << 30,
        ge=1,
        description="Maximum size of a file in bytes. On disk are at most readings + waiting files of this size.",
    )
    folder: Path | None = Field(
        None,
        description="Folder for the files while they are read; no name shows there. null: that for temporary files.",
    )
    upload_timeout_s: float = Field(300.0, gt=0, description="Maximum time in seconds for a file to arrive.")
    timeout_s: float = Field(
        600.0,
        gt=0,
        description="Maximum time in seconds to read a file and to send the answer; waiting does not count.",
    )
    shutdown_timeout_s: float = Field(
        5.0, ge=0, description="Time in seconds that requests get to end after the first SIGINT or SIGTERM."
    )
