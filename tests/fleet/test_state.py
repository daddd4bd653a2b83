"""State of a fleet, in simulated time."""

import random
from dataclasses import dataclass, field

import pytest

from stream_ocr.fleet.assignment import Demand
from stream_ocr.fleet.messages import HostReport
from stream_ocr.fleet.state import FleetState
from stream_ocr.fleet.thresholds import THRESHOLDS

LEASE_S = THRESHOLDS.lease_s
LATER_S = LEASE_S + THRESHOLDS.lease_margin_s + 0.1
CAMERAS = {f"cam-{number}": Demand(25.0) for number in range(6)}


@dataclass
class Host:
    """A simulated host: obeys at once, and closes a stream ``close_s`` after it lost the camera."""

    name: str
    fps: float = 100.0
    close_s: float = 0.0
    incarnation: int = 0
    obeyed: int = 0
    cameras: dict[str, int] = field(default_factory=dict)
    closing: dict[str, tuple[int, float]] = field(default_factory=dict)  # number, when it has closed
    until_s: float = 0.0
    void: int = 0  # as of ``HostRun``

    def expire(self, now_s: float) -> None:
        """Let nothing run any more once the lease has ended."""
        if now_s >= self.until_s:
            numbers = [*self.cameras.values(), *(number for number, _ in self.closing.values())]
            self.void = max([self.void, *numbers])
            self.cameras, self.closing = {}, {}

    def report(self, now_s: float) -> HostReport:
        """Return a report. It may say that cameras run whose lease has ended: a host can hang before it sends it."""
        self.closing = {camera: each for camera, each in self.closing.items() if each[1] > now_s}
        running = {camera: number for camera, (number, _) in self.closing.items()} | self.cameras
        return HostReport(self.name, str(self.incarnation), self.name, self.fps, frozenset(), self.obeyed, running)

    def obey(self, order: tuple[int, dict[str, int]], asked_s: float, now_s: float) -> None:
        self.obeyed, cameras = order[0], {c: number for c, number in order[1].items() if number > self.void}
        for camera, number in self.cameras.items():
            if camera not in cameras:
                self.closing[camera] = number, now_s + self.close_s
        self.cameras = dict(cameras)
        self.until_s = asked_s + LEASE_S

    def publishing(self, now_s: float) -> dict[str, int]:
        """Return the numbers of the assignments of the cameras of which the host may publish now."""
        if now_s >= self.until_s:
            return {}
        closing = {camera: number for camera, (number, closed_s) in self.closing.items() if closed_s > now_s}
        return closing | self.cameras


def exchange(state: FleetState, now_s: float, *hosts: Host) -> None:
    for host in hosts:
        host.expire(now_s)
        host.obey(state.report(host.report(now_s), now_s), now_s, now_s)


@pytest.fixture
def state() -> FleetState:
    state = FleetState(-LATER_S)
    state.set_cameras(CAMERAS)
    return state


def test_fleet_state_gives_each_camera_to_one_host(state):
    a, b = Host("a"), Host("b")
    for second in range(4):
        exchange(state, second, a, b)
    assert len(a.cameras) == len(b.cameras) == 3
    assert a.cameras.keys() | b.cameras.keys() == CAMERAS.keys()
    status = state.status(4.0)
    assert [(host.name, host.cameras, host.used_fps) for host in status.hosts] == [("a", 3, 75.0), ("b", 3, 75.0)]


def test_fleet_state_moves_a_camera_only_when_its_host_has_let_go(state):
    a, b = Host("a", fps=200.0, close_s=3.5), Host("b", fps=200.0)
    exchange(state, 0, a)
    assert a.cameras.keys() == CAMERAS.keys()
    moved_at = None
    for second in range(1, 8):
        exchange(state, second, a, b)
        if b.cameras and moved_at is None:
            moved_at = second
        assert not a.publishing(second).keys() & b.publishing(second).keys()
    assert moved_at == 6, "told at 2.0, closed at 5.5, said so at 6.0"
    assert len(b.cameras) == 3


def test_fleet_state_gives_the_cameras_of_a_silent_host_away_after_its_lease(state):
    a, b = Host("a", fps=200.0), Host("b", fps=200.0)
    for second in range(4):
        exchange(state, second, a, b)
    kept, lost_s = set(b.cameras), 3.0
    second = lost_s
    while len(b.cameras) < len(CAMERAS):
        second += 0.5
        state.expire(second)
        exchange(state, second, b)
        assert not a.publishing(second).keys() & b.publishing(second).keys()
    assert LEASE_S < second - lost_s < LATER_S + 1
    assert all(b.cameras[camera] for camera in kept)


def test_fleet_state_learns_from_its_hosts_after_a_restart(state):
    a, b = Host("a"), Host("b")
    for second in range(4):
        exchange(state, second, a, b)
    before = dict(a.cameras), dict(b.cameras)
    restarted = FleetState(5.0)
    restarted.set_cameras(CAMERAS | {"new": Demand(25.0)})
    for second in range(5, 12):
        exchange(restarted, second, b, a)
        assert (a.cameras, b.cameras) == before, "nothing new is given before all leases have ended"
    for second in range(12, 16):
        exchange(restarted, second, b, a)
    assert ("new" in a.cameras) != ("new" in b.cameras)
    assert before[0].items() <= a.cameras.items()
    assert before[1].items() <= b.cameras.items()
    assert restarted.moves == 0


def test_fleet_state_lists_what_has_no_host(state):
    exchange(state, 0, Host("a", fps=50.0))
    found = state.status(1.0).cameras
    unassigned = [camera for camera, each in found.items() if each.host is None]
    assert len(unassigned) == 4
    assert found[unassigned[0]].reason == "No host has room and the tags for it."


def test_fleet_state_tells_hosts_of_one_machine_apart(state):
    hosts = [Host("0123456789"), Host("abcdef0123")]
    for host in hosts:
        state.report(HostReport(host.name, "0", "machine", 10.0, frozenset(), 0, {}), 0.0)
    assert [host.name for host in state.status(0.0).hosts] == ["machine#012345", "machine#abcdef"]


class Simulation:
    """Hosts that stall, die, come back and lose answers, and a controller that restarts, in steps of 0.1 s."""

    def __init__(self, seed: int) -> None:
        self._rng = random.Random(seed)
        self.hosts = {name: Host(name, self._rng.choice([50.0, 100.0, 150.0])) for name in "abcd"}
        self._stalled_until_s = dict.fromkeys(self.hosts, 0.0)
        self._answers: list[tuple[float, Host, float, tuple[int, dict[str, int]]]] = []  # arrival, asked_s
        self._now_s = 0.0
        self._restart(0.0)

    def step(self, number: int) -> float:
        """Let 0.1 s pass and return the time."""
        now_s = self._now_s = number / 10
        if self._happens(0.004):
            self._restart(now_s)
        if self._happens(0.01):
            self._state.set_cameras({camera: each for camera, each in CAMERAS.items() if self._happens(0.8)})
        if number % 5 == 0:
            self._state.expire(now_s)
        for name in self.hosts:
            if now_s >= self._stalled_until_s[name]:
                self._run_host(name, is_due=number % 10 == ord(name) % 10, now_s=now_s)
        self._deliver(now_s)
        return now_s

    def _happens(self, probability: float) -> bool:
        return self._rng.random() < probability

    def _restart(self, now_s: float) -> None:
        self._state = FleetState(now_s, lambda: round(1000 * self._now_s))
        self._state.set_cameras(CAMERAS)

    def _run_host(self, name: str, *, is_due: bool, now_s: float) -> None:
        host = self.hosts[name]
        if self._happens(0.01):
            self._stalled_until_s[name] = now_s + self._rng.choice([1, 5, 9, 20])
        if self._happens(0.003):  # its process died with all that it ran
            self.hosts[name] = Host(name, host.fps, self._rng.choice([0.0, 2.0]), host.incarnation + 1)
        elif is_due:
            order = self._state.report(host.report(now_s), now_s)
            if self._happens(0.95):  # otherwise the answer is lost
                self._answers.append((now_s + self._rng.choice([0.0, 0.1, 0.5, 2.0]), host, now_s, order))

    def _deliver(self, now_s: float) -> None:
        for answer in sorted(self._answers, key=lambda each: each[0]):
            arrives_s, host, asked_s, order = answer
            if arrives_s > now_s or now_s < self._stalled_until_s[host.name]:
                continue
            self._answers.remove(answer)
            is_alive = self.hosts[host.name] is host
            if is_alive and asked_s + LEASE_S > host.until_s:  # no later answer came first
                host.expire(now_s)
                host.obey(order, asked_s, now_s)


@pytest.mark.parametrize("seed", range(40))
def test_no_two_hosts_may_publish_for_one_camera_and_numbers_rise(seed):
    simulation, read = Simulation(seed), 0
    latest = dict.fromkeys(CAMERAS, 0)
    for number in range(4000):
        now_s = simulation.step(number)
        publishing = [host.publishing(now_s) for host in simulation.hosts.values()]
        for camera in CAMERAS:
            numbers = [each[camera] for each in publishing if camera in each]
            assert len(numbers) <= 1, (now_s, camera)
            assert latest[camera] <= max(numbers, default=latest[camera]), "a lower number came after a higher one"
            latest[camera] = max(numbers, default=latest[camera])
        read += sum(map(len, publishing))
    assert read > 4000, "cameras are read most of the time"
