"""Messages between the hosts and the controller of a fleet."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class CameraReport:
    """Status of a camera on its host, as in ``service.run_status.CameraSnapshot``."""

    state: str
    fps: float
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class HostReport:
    """Report of a host, made about once a second.

    incarnation: differs after each restart of the host. obeyed: number of the last order that it has carried out.
    running: number of the assignment of each camera of which events may still come. fps: its capacity. tags: that it
    has. pictures: address of its HTTP server for browsers, None while there is none.
    """

    host: str
    incarnation: str
    name: str
    fps: float
    tags: frozenset[str]
    obeyed: int
    running: Mapping[str, int]
    cameras: Mapping[str, CameraReport] = field(default_factory=dict)
    pictures: str | None = None


@dataclass(frozen=True, slots=True)
class Order:
    """The answer to a report.

    cameras: number of the assignment of each camera that the host is to read. lease_s: it may read and publish for so
    long after it asked. version: of the settings. settings: all of them, if the host does not have this version. stop:
    end.
    """

    number: int
    cameras: Mapping[str, int]
    lease_s: float
    version: int
    settings: Mapping[str, Any] | None = None
    stop: bool = False


@dataclass(frozen=True, slots=True)
class HostStatus:
    """A host as the controller sees it. used_fps: of its cameras. age_s, pictures: of its last report."""

    name: str
    fps: float
    used_fps: float
    tags: frozenset[str]
    age_s: float
    cameras: int
    pictures: str | None = None


@dataclass(frozen=True, slots=True)
class CameraStatus:
    """A camera as the controller sees it. host: its name; None while the camera is not assigned."""

    host: str | None
    assignment: int | None
    state: str
    fps: float
    reason: str | None


@dataclass(frozen=True, slots=True)
class FleetStatus:
    """The whole fleet. waiting: the controller has just started and learns what the hosts run."""

    hosts: list[HostStatus]
    cameras: dict[str, CameraStatus]
    moves: int
    waiting: bool
    mistake: str | None = None  # why changed settings are not used


@dataclass(frozen=True, slots=True)
class DashboardView:
    """Facts for a dashboard. site: first part of the names of streams. ticket_key: of ``Tickets``."""

    status: FleetStatus
    site: str
    ticket_key: str


@dataclass(frozen=True, slots=True)
class Answer:
    """Answer of the controller to a dashboard. mistake: why there is none."""

    view: DashboardView | None = None
    mistake: str | None = None
