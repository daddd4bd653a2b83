"""Soak of a fleet: six file cameras on three nodes of a Ray cluster of this machine, and a fault every half minute.

    python benchmarks/fleet_soak.py --minutes 30 [--seed 1] [--out FILE]

Faults: kill -9 of a host, of its run, of the controller, of a node and of the NATS server; SIGSTOP of a host for 20 s;
a change of the settings. After each the time is taken until every camera is read again. At the end, the JetStream is
read: no event twice, no two hosts at a time for one camera, and no number missing in what one host sent. Needs the
extras [cluster] and [nats], and nats-server.
"""

import argparse
import json
import random
import signal
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from fleet.cluster import Fleet, all_read, node, processes, render_camera, started_cluster
from sinks.nats_server import Server

from stream_ocr.evaluation.bench.machine import machine_info
from stream_ocr.fleet import client

CAMERAS, CAPACITY_FPS = 6, 40  # four cameras on a host
PAUSE_S, SUSPENDED_S, AWAY_S = 20.0, 20.0, 10.0
LIMIT_S = 15.0  # until the cameras of a lost host run elsewhere


class Faults:
    """Makes faults; each returns once it is over, but for what the fleet has to mend."""

    def __init__(self, fleet: Fleet, nodes: list[Any], rng: random.Random) -> None:
        self._fleet, self._nodes, self._rng = fleet, nodes, rng
        self._cameras = [f"cam-{number}" for number in range(CAMERAS)]

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
        time.sleep(SUSPENDED_S)
        host.resume()

    def _replace_node(self) -> None:
        self._fleet.cluster.remove_node(self._nodes.pop(0), allow_graceful=False)
        self._nodes.append(self._fleet.cluster.add_node(**node(CAPACITY_FPS)))

    def _kill_server(self) -> None:
        self._fleet.server.end(signal.SIGKILL)
        time.sleep(AWAY_S)
        self._fleet.server.start()

    def _change(self) -> None:
        self._rng.shuffle(self._cameras)
        self._cameras[-1] = f"cam-{self._rng.randrange(100, 1000)}"
        self._fleet.write(self._cameras)


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
            took = run(Faults(fleet, nodes, rng).all(), fleet, rng, arguments.minutes)
            time.sleep(PAUSE_S)
            history = check_history(fleet)
            client.stop(cluster.address)
    results = {"machine": machine, "minutes": arguments.minutes, "seed": arguments.seed, **history, "faults": took}
    print(json.dumps(results, indent=1))
    if arguments.out:
        arguments.out.write_text(json.dumps(results, indent=1) + "\n")


def run(
    faults: dict[str, Callable[[], None]], fleet: Fleet, rng: random.Random, minutes: float
) -> dict[str, dict[str, float]]:
    """Make faults in a random order; return by kind how often, and the longest time until all cameras were read."""
    took: defaultdict[str, list[float]] = defaultdict(list)
    end_s, waiting = time.monotonic() + 60 * minutes, list[str]()
    while time.monotonic() < end_s:
        waiting = waiting or rng.sample(sorted(faults), len(faults))
        kind = waiting.pop()
        faults[kind]()
        time.sleep(1.0)  # until the fault shows
        took[kind].append(1.0 + fleet.wait_until(all_read))
        sys.stderr.write(f"{kind}: {took[kind][-1]:.1f} s\n")
        time.sleep(PAUSE_S)
    return {
        kind: {"count": len(times), "longest_s": round(max(times), 1), "over_limit": sum(t > LIMIT_S for t in times)}
        for kind, times in sorted(took.items())
    }


def check_history(fleet: Fleet) -> dict[str, int]:
    """Raise AssertionError if the JetStream breaks a promise; return what it holds."""
    fleet.assert_one_host_at_a_time()
    events = assignments = missing = 0
    for by_number in fleet.events().values():
        for found in by_number.values():
            seqs = sorted(event["seq"] for event in found)
            missing += seqs[-1] - seqs[0] + 1 - len(seqs)
            events, assignments = events + len(seqs), assignments + 1
    return {"events": events, "assignments": assignments, "missing": missing, "doubled": 0}


def _runs() -> list[psutil.Process]:
    """Return the processes that read the cameras of hosts."""
    found = psutil.process_iter(["cmdline"])
    return [process for process in found if "stream_ocr.fleet.run_process" in " ".join(process.info["cmdline"] or [])]


if __name__ == "__main__":
    main()
