"""Settings of the event store and of the sockets for subscribers."""

import re
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from stream_ocr.config.base import YAML_OFF, ConfigModel

_ENDPOINT = re.compile(r"tcp://(\[[^\]]+\]|[^\s:/]+):(?P<port>\d{1,5})|ipc://\S+")
_LOCAL = re.compile(r"ipc://|tcp://(127\.[0-9.]+|localhost|\[::1\]):")


class StoreSettings(ConfigModel):
    """The SQLite store of events."""

    path: Path | None = Field(
        None, description="SQLite file that stores all events, for replay and search. null: no store."
    )
    durability: Annotated[Literal["full", "normal", "off"], YAML_OFF] = Field(
        "normal",
        description="normal: stored events survive a crash of the program. full: they also survive a power failure; "
        "costs one sync per commit. off: the operating system decides when to write.",
    )
    keep_days: float | None = Field(
        None, gt=0, description="Events older than this many days are deleted. null: no limit."
    )
    keep_mb: float | None = Field(
        None,
        gt=0,
        description="If the store grows beyond this many megabytes, the oldest events are deleted. null: no limit.",
    )
    when_full: Literal["refuse", "delete_oldest"] = Field(
        "refuse",
        description="Behaviour on a full disk. refuse: publish new events without storing them. "
        "delete_oldest: delete the oldest events to make room.",
    )
    crops: bool = Field(
        False, description="Also store the image crop that each text was read from, as evidence; a few kB per text."
    )

    @model_validator(mode="after")
    def _check_path(self) -> Self:
        if self.crops and self.path is None:
            raise ValueError("store.crops needs a store; set store.path as well")
        return self


class SocketSettings(ConfigModel):
    """The ZeroMQ sockets of the event bus."""

    events: str | None = Field(
        None,
        description="ZeroMQ endpoint for subscribers, such as tcp://127.0.0.1:5560; needs store.path. null: no socket.",
    )
    requests: str | None = Field(
        None, description="ZeroMQ endpoint for snapshots and replays. null: one port above the port of events."
    )
    keys: Path | None = Field(
        None,
        description="Folder with CURVE keys (see `stream-ocr keys`); only clients whose key is in its "
        "subfolder clients can connect. null: no encryption.",
    )
    insecure: bool = Field(False, description="Allow connections from other machines without keys.")
    format: Literal["json", "msgpack"] = Field("json", description="Encoding of events on the socket.")
    max_peers: int = Field(200, ge=1, description="Maximum number of simultaneous connections for each socket.")
    backlog: int = Field(
        10_000,
        ge=1,
        description="Maximum number of events queued for a slow subscriber; further events are dropped for it and have "
        "to be replayed.",
    )

    @field_validator("events", "requests")
    @classmethod
    def _check_endpoint(cls, endpoint: str | None) -> str | None:
        if endpoint is None:
            return None
        match = _ENDPOINT.fullmatch(endpoint)
        if match is None:
            raise ValueError("an endpoint looks like tcp://127.0.0.1:5560 or ipc:///run/stream-ocr/events")
        if match["port"] is not None and not 1 <= int(match["port"]) <= 65_534:  # the next port is for requests
            raise ValueError(f"{match['port']} is not a valid port; choose one from 1 to 65534")
        return endpoint

    @model_validator(mode="after")
    def _check_exposure(self) -> Self:
        for endpoint in (self.events, self.requests):
            public = endpoint is not None and not _LOCAL.match(endpoint)
            if public and self.keys is None and not self.insecure:
                raise ValueError(
                    f"{endpoint} can be reached from other machines; make keys with `stream-ocr keys` and set "
                    "socket.keys, or set socket.insecure=true"
                )
        return self
