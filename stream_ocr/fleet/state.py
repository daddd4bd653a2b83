"""State of a fleet: which hosts there are, who may read which camera, and until when.

A camera is given to a host only when no other host can still publish events of it: that host has said that it has let
go, or it has been silent for longer than its lease. Leases make that safe when a host hangs, sleeps or is cut off: it
counts from the moment when it asked, the controller from the moment when it answered, which is later.
"""

import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from stream_ocr.fleet.assignment import Demand, Offer, assign
from stream_ocr.fleet.messages import CameraStatus, FleetStatus, HostReport, HostStatus
from stream_ocr.fleet.thresholds import THRESHOLDS


@dataclass(slots=True)
class _Host:
    """A host that reports. held: number of the assignment of each camera that it may be reading."""

    report: HostReport
    reported_s: float
    orders: int = 0
    held: dict[str, int] = field(default_factory=dict)


class FleetState:
    """Decides who reads what. All times are monotonic, in seconds."""

    def __init__(self, now_s: float, utc_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000) -> None:
        """now_s: for as long as a lease after it, a host that has not reported yet may read any camera.

        utc_ms: returns the milliseconds since 1970, with which numbers of assignments begin.

        moves: number of times that a camera was given to another host than before.
        """
        self._started_s, self._utc_ms = now_s, utc_ms
        self._hosts: dict[str, _Host] = {}
        self._cameras: dict[str, Demand] = {}
        self._planned: dict[str, str] = {}  # host of each camera
        self._last_host: dict[str, str] = {}  # that each camera was given to
        self._numbers: dict[str, int] = {}  # of the latest assignment of each camera
        self._last_number = 0
        self.moves = 0

    def set_cameras(self, cameras: Mapping[str, Demand]) -> None:
        """Change the cameras of the fleet."""
        if cameras != self._cameras:
            self._cameras = dict(cameras)
            self._plan()

    def report(self, report: HostReport, now_s: float) -> tuple[int, dict[str, int]]:
        """Take a report, and return the number of the order and the assignments that the host gets."""
        host = self._hosts.get(report.host)
        offer = report.fps, report.tags
        if host is None or host.report.incarnation != report.incarnation:
            host = self._hosts[report.host] = _Host(report, now_s, orders=report.obeyed, held=dict(report.running))
            for camera, number in report.running.items():
                self._numbers[camera] = max(number, self._numbers.get(camera, 0))
            self._last_number = max(self._last_number, *report.running.values(), 0)
            others = set().union(*(each.held for id_, each in self._hosts.items() if id_ != report.host))
            self._planned |= dict.fromkeys(report.running.keys() - others, report.host)
            self._plan()
        elif offer != (host.report.fps, host.report.tags):
            host.report = report
            self._plan()
        host.report, host.reported_s = report, now_s
        if report.obeyed == host.orders:
            host.held = {camera: number for camera, number in host.held.items() if camera in report.running}
        given = self._assignments(report.host, host, now_s)
        host.held |= given
        host.orders += 1
        return host.orders, given

    def expire(self, now_s: float) -> list[str]:
        """Forget the hosts whose lease has ended, and return their names."""
        lost = [id_ for id_, host in self._hosts.items() if now_s - host.reported_s > _PATIENCE_S]
        names = [self._hosts.pop(id_).report.name for id_ in lost]
        if lost:
            self._plan()
        return names

    def dismiss(self, id_: str) -> None:
        """Forget a host that has ended on request."""
        self._hosts.pop(id_, None)

    def status(self, now_s: float) -> FleetStatus:
        """Return the status of all hosts and cameras."""
        names = self._names()
        hosts = [
            HostStatus(
                name=names[id_],
                fps=host.report.fps,
                used_fps=sum(self._cameras[camera].fps for camera in self._planned_for(id_)),
                tags=host.report.tags,
                age_s=now_s - host.reported_s,
                cameras=len(host.held),
                pictures=host.report.pictures,
            )
            for id_, host in sorted(self._hosts.items(), key=lambda item: names[item[0]])
        ]
        cameras = {camera: self._camera_status(camera, names) for camera in sorted(self._cameras)}
        return FleetStatus(hosts, cameras, self.moves, self._is_waiting(now_s))

    def _plan(self) -> None:
        offers = {id_: Offer(host.report.fps, host.report.tags) for id_, host in self._hosts.items()}
        self._planned = assign(self._cameras, offers, self._planned)

    def _assignments(self, id_: str, host: _Host, now_s: float) -> dict[str, int]:
        """Return what a host is to read: what it reads already, and what nobody can read any more.

        A host may say that it reads what was given to another one since: it hung before it sent the report.
        """
        given = {}
        for camera in self._planned_for(id_):
            if camera in host.held and host.held[camera] == self._numbers[camera]:
                given[camera] = host.held[camera]
            elif not self._is_waiting(now_s) and not any(camera in each.held for each in self._hosts.values()):
                given[camera] = self._numbers[camera] = self._next_number()
                self.moves += self._last_host.get(camera, id_) != id_
            if camera in given:
                self._last_host[camera] = id_
        return given

    def _planned_for(self, id_: str) -> list[str]:
        return [camera for camera, host in self._planned.items() if host == id_]

    def _is_waiting(self, now_s: float) -> bool:
        return now_s - self._started_s <= _PATIENCE_S

    def _next_number(self) -> int:
        """Return a number that no earlier controller has given: they count milliseconds since 1970."""
        self._last_number = max(self._last_number + 1, self._utc_ms())
        return self._last_number

    def _names(self) -> dict[str, str]:
        """Return the name of each host; those of one machine differ by a part of their ids."""
        names = {id_: host.report.name for id_, host in self._hosts.items()}
        counts = Counter(names.values())
        return {
            id_: name if counts[name] == 1 else f"{name}#{id_[: THRESHOLDS.id_digits]}" for id_, name in names.items()
        }

    def _camera_status(self, camera: str, names: Mapping[str, str]) -> CameraStatus:
        holders = [id_ for id_, host in self._hosts.items() if camera in host.held]
        if not holders:
            if camera in self._planned:
                return CameraStatus(None, None, "waiting", 0.0, "Another host may still read it.")
            return CameraStatus(None, None, "unassigned", 0.0, "No host has room and the tags for it.")
        holder = self._hosts[holders[-1]]
        report = holder.report.cameras.get(camera)
        state = ("starting", 0.0, None) if report is None else (report.state, report.fps, report.reason)
        return CameraStatus(names[holders[-1]], holder.held[camera], *state)


_PATIENCE_S = THRESHOLDS.lease_s + THRESHOLDS.lease_margin_s
