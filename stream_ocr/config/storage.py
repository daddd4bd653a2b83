"""Settings of where events are kept, and of the socket that other programs get them from."""

import re
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from stream_ocr.config.base import OFF, ConfigModel

_ENDPOINT = re.compile(r"tcp://(\[[^\]]+\]|[^\s:/]+):(?P<port>\d{1,5})|ipc://\S+")
_LOCAL = re.compile(r"ipc://|tcp://(127\.[0-9.]+|localhost|\[::1\]):")


class StoreSettings(ConfigModel):
    path: Path | None = Field(None, description="A file that keeps all events, for replay and search; null: none.")
    durability: Annotated[Literal["full", "normal", "off"], OFF] = Field(
        "normal",
        description="normal: events outlive the death of the program; full: that of the machine, too, at the price of "
        "a sync for each group of events; off: the operating system decides.",
    )
    keep_days: float | None = Field(None, gt=0, description="Older events are forgotten; null: none.")
    keep_mb: float | None = Field(None, gt=0, description="Beyond this size the oldest are forgotten; null: none.")
    when_full: Literal["refuse", "forget_oldest"] = Field(
        "refuse", description="On a full disk: publish events without keeping them, or forget the oldest ones instead."
    )
    crops: bool = Field(
        False, description="Whether the picture that a text was read from is kept, too, as evidence: some kB each."
    )

    @model_validator(mode="after")
    def _has_a_place(self) -> Self:
        if self.crops and self.path is None:
            raise ValueError("store.crops needs a store to keep them in; set store.path, too")
        return self


class SocketSettings(ConfigModel):
    events: str | None = Field(
        None, description="ZeroMQ endpoint for subscribers, such as tcp://127.0.0.1:5560; needs a store; null: none."
    )
    requests: str | None = Field(
        None, description="Endpoint for snapshots and replays; null: one port above that of the events."
    )
    keys: Path | None = Field(
        None, description="Folder of CURVE keys, see `stream-ocr keys`; only clients with a key there are let in."
    )
    insecure: bool = Field(False, description="Whether others than this machine may connect without keys.")
    format: Literal["json", "msgpack"] = Field("json", description="How events are written on the socket.")
    max_peers: int = Field(200, ge=1, description="Connections at a time.")
    backlog: int = Field(
        10_000, ge=1, description="Events that wait for a slow subscriber; it must ask for later ones."
    )

    @field_validator("events", "requests")
    @classmethod
    def _is_endpoint(cls, endpoint: str | None) -> str | None:
        if endpoint is None:
            return None
        found = _ENDPOINT.fullmatch(endpoint)
        if found is None:
            raise ValueError("an endpoint looks like tcp://127.0.0.1:5560 or ipc:///run/stream-ocr/events")
        if found["port"] is not None and not 1 <= int(found["port"]) <= 65_534:  # one more for the requests
            raise ValueError(f"{found['port']} is no port; choose one from 1 to 65534")
        return endpoint

    @model_validator(mode="after")
    def _is_safe(self) -> Self:
        for endpoint in (self.events, self.requests):
            public = endpoint is not None and not _LOCAL.match(endpoint)
            if public and self.keys is None and not self.insecure:
                raise ValueError(
                    f"{endpoint} can be reached from other machines; make keys with `stream-ocr keys` and set "
                    "socket.keys, or say socket.insecure=true"
                )
        return self
