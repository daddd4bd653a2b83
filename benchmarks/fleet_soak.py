"""Soak of a fleet: six file cameras on three nodes of a Ray cluster of this machine, and a fault every half minute.

    python benchmarks/fleet_soak.py --minutes 30 [--seed 1] [--out FILE]

Faults: kill -9 of a host, of its run, of the controller, of a node and of the NATS server; SIGSTOP of a host for 20 s;
a change of the settings. After each the longest time is taken that a camera had no event, from the last one before the
fault on; usually there is one every second or two. At the end, the JetStream is read: no event twice, no two hosts at a
time for one camera, and no number missing in what one host sent of one camera. Needs the extras [cluster] and [nats],
and nats-server.
"""

import argparse
import asyncio
import json
import random
import signal
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import nats
import psutil
from nats.errors import Error as NatsError

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from fleet.cluster import Fleet, all_read, node, processes, render_camera, started_cluster
from sinks.nats_server import Server

from stream_ocr.evaluation.bench.machine import machine_info
from stream_ocr.fleet import client

CAMERAS, CAPACITY_FPS = 6, 40  # four cameras on a host
PAUSE_S, SUSPENDED_S, AWAY_S = 25.0, 20.0, 10.0
GIVE_UP_S = 120.0
LIMIT_S = 15.0  # until the cameras of a lost host run elsewhere


class EventLog:
    """The events in the JetStream, fetched as they come. events: by camera and number of the assignment."""

    def __init__(self, server: Server) -> None:
        self.events: defaultdict[tuple[str, int], list[dict[str, Any]]] = defaultdict(list)
        self._server, self._fetched = server, 0

    def fetch(self) -> None:
        """Fetch what is new; nothing while the server is away."""
        with suppress(NatsError, OSError):
            asyncio.run(self._fetch())

    def cameras_since(self, time_utc: datetime) -> set[str]:
        """Return the cameras of which an event was made after a time."""
        self.fetch()
        last = ((camera, found[-1]["emitted_utc"]) for (camera, _), found in self.events.items())
        return {camera for camera, emitted in last if datetime.fromisoformat(emitted) > time_utc}

    async def _fetch(self) -> None:
        options = {"connect_timeout": 1, "max_reconnect_attempts": 0, "allow_reconnect": False}
        async with await nats.connect(self._server.url, **options) as connection:
            jetstream = connection.jetstream()
            last = (await jetstream.stream_info("stream-ocr")).state.last_seq
            while self._fetched < last:
                message = await jetstream.get_msg("stream-ocr", self._fetched + 1)
                self._fetched += 1
                event = json.loads(message.data)
                self.events[event["stream"], int(event["id"].partition("-")[0])].append(event)


class Fault(NamedTuple):
    """A fault that was made. cameras: of the fleet after it."""

    kind: str
    made_utc: datetime
    cameras: tuple[str, ...]


class Faults:
    """Makes faults; each returns once it is over, but for what the fleet has to mend."""

    def __init__(self, fleet: Fleet, nodes: list[Any], rng: random.Random) -> None:
        self._fleet, self._nodes, self._rng = fleet, nodes, rng
        self.cameras = [f"cam-{number}" for number in range(CAMERAS)]

    def all(self) -> dict[str, Callable[[], None]]:
        return {
            "host killed": lambda: self._rng.choice(processes("Host")).kill(),
            "run killed": lambda: self._rng.choice(_runs()).kill(),
            "host suspended": self._suspend,
            "controller killed": lambda: processes("Controller")[0].kill(),
            "node killed": self._replace_node,
            "NATS killed": self._kill_server,
            "settings changed": self._change,
        }

    def _suspend(self) -> None:
        host = self._rng.choice(processes("Host"))
        host.suspend()
        threading.Timer(SUSPENDED_S, host.resume).start()

    def _replace_node(self) -> None:
        self._fleet.cluster.remove_node(self._nodes.pop(0), allow_graceful=False)
        self._nodes.append(self._fleet.cluster.add_node(**node(CAPACITY_FPS)))

    def _kill_server(self) -> None:
        self._fleet.server.end(signal.SIGKILL)
        time.sleep(AWAY_S)
        self._fleet.server.start()

    def _change(self) -> None:
        self._rng.shuffle(self.cameras)
        self.cameras[-1] = f"cam-{self._rng.randrange(100, 1000)}"
        self._fleet.write(self.cameras)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    rng, machine = random.Random(arguments.seed), machine_info()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        render_camera(folder / "camera.mp4", 60.0 * arguments.minutes + 600.0)
        with Server(folder / "nats") as server, started_cluster(CAPACITY_FPS) as cluster:
            nodes = [cluster.add_node(**node(CAPACITY_FPS)) for _ in range(2)]
            cluster.wait_for_nodes()
            fleet = Fleet(folder, cluster, server, folder / "camera.mp4", CAMERAS)
            fleet.wait_until(all_read)
            log = EventLog(server)
            made = run(Faults(fleet, nodes, rng), log, rng, arguments.minutes)
            time.sleep(PAUSE_S)
            log.fetch()
            fleet.assert_one_host_at_a_time()
            history = count_events(log)
            client.stop(cluster.address)
    results = {
        "machine": machine,
        "minutes": arguments.minutes,
        "seed": arguments.seed,
        **history,
        "faults": summarise(made, log),
    }
    print(json.dumps(results, indent=1))
    if arguments.out:
        arguments.out.write_text(json.dumps(results, indent=1) + "\n")


def run(faults: Faults, log: EventLog, rng: random.Random, minutes: float) -> list[Fault]:
    """Make faults in a random order; wait after each until every camera is read."""
    kinds, waiting, made = faults.all(), list[str](), list[Fault]()
    end_s = time.monotonic() + 60 * minutes
    while time.monotonic() < end_s:
        waiting = waiting or rng.sample(sorted(kinds), len(kinds))
        kind = waiting.pop()
        made_utc = datetime.now(UTC)
        kinds[kind]()
        made.append(Fault(kind, made_utc, tuple(faults.cameras)))
        time.sleep(PAUSE_S)
        settled_utc, started_s = datetime.now(UTC), time.monotonic()
        while missing := set(faults.cameras) - log.cameras_since(settled_utc):
            assert time.monotonic() - started_s < GIVE_UP_S, f"after {kind!r} no event of {sorted(missing)}"
            time.sleep(0.2)
        sys.stderr.write(f"{kind}: at most {silence_s(made[-1], datetime.now(UTC), log):.1f} s without events\n")
    return made


def silence_s(fault: Fault, until_utc: datetime, log: EventLog) -> float:
    """Return the longest time between two events of a camera, from the last one before a fault on."""
    longest_s = 0.0
    for camera in fault.cameras:
        events = (event for (name, _), found in log.events.items() if name == camera for event in found)
        emitted = sorted(datetime.fromisoformat(event["emitted_utc"]) for event in events)
        before = [time_utc for time_utc in emitted if time_utc <= fault.made_utc][-1:] or [fault.made_utc]
        times = [*before, *(time_utc for time_utc in emitted if fault.made_utc < time_utc <= until_utc)]
        longest_s = max([longest_s, *((b - a).total_seconds() for a, b in pairwise(times))])
    return longest_s


def summarise(made: list[Fault], log: EventLog) -> dict[str, dict[str, float]]:
    """Return by kind how often, and the longest time that a camera had no event."""
    silences: defaultdict[str, list[float]] = defaultdict(list)
    ends = [*(fault.made_utc for fault in made[1:]), datetime.now(UTC)]
    for fault, end_utc in zip(made, ends, strict=True):
        silences[fault.kind].append(silence_s(fault, end_utc, log))
    return {
        kind: {"count": len(all_s), "longest_s": round(max(all_s), 1), "over_limit": sum(s > LIMIT_S for s in all_s)}
        for kind, all_s in sorted(silences.items())
    }


def count_events(log: EventLog) -> dict[str, int]:
    """Return what the JetStream holds, and how many numbers are missing in what one host sent of one camera."""
    missing = 0
    for found in log.events.values():
        seqs = sorted(event["seq"] for event in found)
        missing += seqs[-1] - seqs[0] + 1 - len(seqs)
    return {"events": sum(map(len, log.events.values())), "assignments": len(log.events), "missing": missing}


def _runs() -> list[psutil.Process]:
    """Return the processes that read the cameras of hosts."""
    found = psutil.process_iter(["cmdline"])
    return [process for process in found if "stream_ocr.fleet.run_process" in " ".join(process.info["cmdline"] or [])]


if __name__ == "__main__":
    main()
