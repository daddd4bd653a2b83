"""Assignment of cameras to hosts: stable, within the capacity of each host, and spread over the hosts."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from stream_ocr.fleet.thresholds import THRESHOLDS


@dataclass(frozen=True, slots=True)
class Demand:
    """Needs of a camera: frames per second, and tags that its host must have."""

    fps: float
    needs: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Offer:
    """Offer of a host: frames per second in all, and its tags."""

    fps: float
    tags: frozenset[str] = frozenset()


def assign(cameras: Mapping[str, Demand], hosts: Mapping[str, Offer], current: Mapping[str, str]) -> dict[str, str]:
    """Return the host of each camera; one for which there is no room is missing.

    current: the assignment so far. A camera stays where it is unless its host is gone, lacks a tag or room, or has so
    much more to do than another one that it pays to move the camera.
    """
    plan = _Plan(cameras, hosts)
    hardest_first = sorted(cameras, key=lambda camera: (-len(cameras[camera].needs), -cameras[camera].fps, camera))
    for camera in hardest_first:
        if (host := current.get(camera)) is not None and plan.fits(camera, host):
            plan.put(camera, host)
    while plan.place(hardest_first) | plan.balance():  # a move may leave room for a camera that had none
        pass
    return plan.host_of


class _Plan:
    def __init__(self, cameras: Mapping[str, Demand], hosts: Mapping[str, Offer]) -> None:
        self.host_of: dict[str, str] = {}
        self._cameras, self._hosts = cameras, hosts
        self._used = dict.fromkeys(hosts, 0.0)  # frames per second
        self._on: defaultdict[str, set[str]] = defaultdict(set)

    def fits(self, camera: str, host: str) -> bool:
        """Return whether a host has the tags and the room for another camera."""
        demand, offer = self._cameras[camera], self._hosts.get(host)
        return offer is not None and demand.needs <= offer.tags and self._used[host] + demand.fps <= offer.fps

    def put(self, camera: str, host: str) -> None:
        if (before := self.host_of.get(camera)) is not None:
            self._used[before] -= self._cameras[camera].fps
            self._on[before].discard(camera)
        self.host_of[camera] = host
        self._used[host] += self._cameras[camera].fps
        self._on[host].add(camera)

    def place(self, cameras: Sequence[str]) -> bool:
        """Put each camera that has no host on the one that it fills least. Return whether any had room."""
        is_changed = False
        for camera in cameras:
            if camera not in self.host_of and (host := self.emptiest_for(camera)) is not None:
                self.put(camera, host)
                is_changed = True
        return is_changed

    def emptiest_for(self, camera: str) -> str | None:
        """Return the host that a camera would fill least, or None if it fits nowhere."""
        fitting = (host for host in self._hosts if self.fits(camera, host))
        return min(fitting, key=lambda host: (self._share_with(camera, host), host), default=None)

    def balance(self) -> bool:
        """Move cameras from full to empty hosts while that makes a difference. Return whether any was moved.

        It ends because each move makes the sum over all hosts of capacity × share² smaller.
        """
        is_changed = False
        while (move := self._best_move()) is not None:
            self.put(*move)
            is_changed = True
        return is_changed

    def _best_move(self) -> tuple[str, str] | None:
        """Return a camera of the fullest host, and a host on which it would leave a clearly smaller gap."""
        fullest_first = sorted(self._hosts, key=lambda host: (-self._share(host), host))
        for source in fullest_first:
            if self._share(source) - self._share(fullest_first[-1]) <= THRESHOLDS.max_imbalance:
                return None
            for camera in self._one_of_each(source):
                target = self.emptiest_for(camera)
                if target is None or target == source:
                    continue
                gap = self._share(source) - self._share(target)
                gap_after = self._share_with(camera, target) - self._share_without(camera, source)
                if gap > THRESHOLDS.max_imbalance and abs(gap_after) < THRESHOLDS.narrowing * gap:
                    return camera, target
        return None

    def _one_of_each(self, host: str) -> list[str]:
        """Return a camera of a host for each kind of demand, those that move least first."""
        by_demand = {self._cameras[camera]: camera for camera in sorted(self._on[host], reverse=True)}
        return [by_demand[demand] for demand in sorted(by_demand, key=lambda demand: demand.fps)]

    def _share(self, host: str) -> float:
        capacity = self._hosts[host].fps
        return self._used[host] / capacity if capacity > 0 else 0.0

    def _share_with(self, camera: str, host: str) -> float:
        return self._share(host) + self._cameras[camera].fps / self._hosts[host].fps

    def _share_without(self, camera: str, host: str) -> float:
        return self._share(host) - self._cameras[camera].fps / self._hosts[host].fps
