"""Measure what the dashboard costs a run: without viewers, and with three.

    python benchmarks/viewers.py [--viewers 3] [--rounds 8] [-o benchmarks/results/viewers.json]

``stream-ocr run`` reads more cameras than this machine can handle, so its throughput is the number of frames per second
that are not dropped. One run is without the dashboard. Another has the dashboard, alternately without viewers and with
viewers that request what a page requests: events as they come, the state every second, and every new image. (They
render nothing: browsers do so on other machines. But they run here, and their CPU time is reported.) The order
alternates, too, so that slow changes of the machine cancel out. Each phase lasts as long as the clip that the cameras
repeat.

Results are [minimum, lower quartile, median, upper quartile, maximum] over the rounds: throughput with viewers divided
by that without; the same per CPU second of the run, which other work on the machine hardly changes; and the CPU time of
serving, in milliseconds per second and as a share of that of the whole run.
"""

import argparse
import http.client
import json
import socket
import statistics
import subprocess
import sys
import threading
import time
import urllib.parse
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.synchronize import Event as Flag
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psutil

from stream_ocr.evaluation.bench.machine import machine_info
from stream_ocr.synthetic.clips import build_clip
from stream_ocr.synthetic.scene import render

WIDTH_PX = 400  # of a tile, where four cameras are on a screen of 1440 × 900
SIZE = (960, 540)
CLIP_S = 20.0
SETTLE_S = 2.0
WARM_UP_S = 10.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--viewers", type=int, default=3)
    parser.add_argument("--cameras", type=int, default=6)
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("-o", "--output", type=Path)
    arguments = parser.parse_args()
    machine = machine_info()
    turns = [(0, arguments.viewers) if n % 2 else (arguments.viewers, 0) for n in range(arguments.rounds)]
    with TemporaryDirectory() as name:
        folder = Path(name)
        make_clip(folder, WARM_UP_S + 2 * arguments.rounds * (CLIP_S + 2 * SETTLE_S))
        with running(folder, arguments.cameras, page=False) as run:
            bare = [run.phase(0) for _ in range(max(arguments.rounds // 2, 1))]
        with running(folder, arguments.cameras, page=True) as run:
            rounds = [{viewers: run.phase(viewers) for viewers in turn} for turn in turns]
    result = {
        "machine": machine,
        "cameras": arguments.cameras,
        "size": SIZE,
        "viewers": arguments.viewers,
        "seconds": CLIP_S,
        **summary(bare, [(each[0], each[arguments.viewers]) for each in rounds]),
        "without_page": [vars(phase) for phase in bare],
        "rounds": [{f"{viewers} viewers": vars(phase) for viewers, phase in each.items()} for each in rounds],
    }
    print(json.dumps({key: value for key, value in result.items() if key not in ("rounds", "without_page")}, indent=1))
    if arguments.output:
        arguments.output.write_text(json.dumps(result, indent=1) + "\n")


@dataclass(frozen=True)
class Phase:
    """Rates per second. serving_cpu_s: of the web process and the main process, which supervises the workers.

    processed: frames that were not dropped. run_cpu_s: of the main process and all workers. others_cpu_s: of everything
    else on the machine.
    """

    frames: float
    processed: float
    detector_frames: float
    serving_cpu_s: float
    run_cpu_s: float
    viewers_cpu_s: float
    others_cpu_s: float

    @property
    def per_cpu_s(self) -> float:
        return self.processed / self.run_cpu_s


def summary(bare: Sequence[Phase], pairs: Sequence[tuple[Phase, Phase]]) -> dict[str, list[float]]:
    """Return the distribution of each metric. pairs: a phase without viewers and one with viewers each."""
    without, with_viewers = zip(*pairs, strict=True)
    return {
        "throughput_ratio": spread([b.processed / a.processed for a, b in pairs]),
        "throughput_per_cpu_ratio": spread([b.per_cpu_s / a.per_cpu_s for a, b in pairs]),
        "cpu_share_of_viewers": spread([(b.serving_cpu_s - a.serving_cpu_s) / b.run_cpu_s for a, b in pairs], 4),
        "serving_ms_without_page": spread([1000 * phase.serving_cpu_s for phase in bare], 1),
        "serving_ms_without_viewers": spread([1000 * phase.serving_cpu_s for phase in without], 1),
        "serving_ms_with_viewers": spread([1000 * phase.serving_cpu_s for phase in with_viewers], 1),
        "others_cpu_s": spread([phase.others_cpu_s for pair in pairs for phase in pair], 2),
    }


def spread(values: Sequence[float], digits: int = 3) -> list[float]:
    """Return minimum, lower quartile, median, upper quartile and maximum."""
    quartiles = statistics.quantiles(values, method="inclusive") if len(values) > 1 else [values[0]] * 3
    return [round(value, digits) for value in (min(values), *quartiles, max(values))]


def make_clip(folder: Path, length_s: float) -> None:
    """Write long.mp4, a clip repeated for ``length_s`` seconds."""
    render(build_clip("street", SIZE, CLIP_S), folder / "clip.mp4")
    copies = ["ffmpeg", "-v", "error", "-stream_loop", str(int(length_s / CLIP_S) + 1), "-i", "clip.mp4", "-c", "copy"]
    subprocess.run([*copies, "long.mp4"], cwd=folder, check=True)


@dataclass(frozen=True)
class Run:
    """A run with the addresses of its status and of its page, if it has one."""

    process: psutil.Process
    status: str
    page: str | None

    def phase(self, viewers: int) -> Phase:
        """Measure for the length of the clip, with so many viewers."""
        with run_viewers(self.page, viewers) as process:
            time.sleep(SETTLE_S)
            before = self._totals(process)
            time.sleep(CLIP_S)
            took, *rates = (b - a for a, b in zip(before, self._totals(process), strict=True))
        phase = Phase(*(round(rate / took, 4) for rate in rates))
        print(f"{viewers} viewers" if self.page else "no page", phase, flush=True)
        return phase

    def _totals(self, viewers: psutil.Process | None) -> tuple[float, ...]:
        cameras = json.loads(Connection(self.status).get("/live"))["cameras"].values()
        workers = self.process.children(recursive=True)
        web = next(worker for worker in workers if " ".join(worker.cmdline()).startswith("stream-ocr: web"))
        own, viewing = cpu_s(self.process) + cpu_s(web), cpu_s(viewers) if viewers else 0.0
        run = cpu_s(self.process) + sum(map(cpu_s, workers))
        times = psutil.cpu_times()
        busy = sum(times) - times.idle - times.iowait - times.guest - times.guest_nice
        frames, dropped, detected = (sum(c[name] for c in cameras) for name in ("frames", "dropped", "detector_frames"))
        return time.monotonic(), frames, frames - dropped, detected, own, run, viewing, busy - run - viewing


def cpu_s(process: psutil.Process) -> float:
    return sum(process.cpu_times()[:2])


@contextmanager
def running(folder: Path, cameras: int, *, page: bool) -> Iterator[Run]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        status = f"127.0.0.1:{free.getsockname()[1]}"
    sources = "".join(f"  camera-{n}: {{path: long.mp4}}\n" for n in range(cameras))
    (folder / "live.yaml").write_text(
        f"models: builtin\nsources:\n{sources}service: {{listen: '{status}'}}\ndashboard: {{port: 0}}\n"
        "logs: {level: error}\n"
    )
    command = [
        sys.executable,
        "-m",
        "stream_ocr.cli",
        "run",
        "live.yaml",
        "--plain",
        *(["--dashboard"] if page else []),
    ]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        address = None
        if page:
            address_line = next(line for line in process.stderr if line.startswith("http://"))
            address = urllib.parse.urlsplit(address_line.split()[0]).netloc
        threading.Thread(target=process.stderr.read, daemon=True).start()
        try:
            wait_for_detections(status)
            yield Run(psutil.Process(process.pid), status, address)
        finally:
            process.terminate()


def wait_for_detections(status: str) -> None:
    """Wait until the detector has run on all cameras, and for the warm-up."""
    while True:
        with suppress(OSError, KeyError):
            cameras = json.loads(Connection(status).get("/live"))["cameras"].values()
            if cameras and all(camera["detector_frames"] for camera in cameras):
                break
        time.sleep(0.5)
    time.sleep(WARM_UP_S)


@contextmanager
def run_viewers(address: str | None, viewers: int) -> Iterator[psutil.Process | None]:
    """Run viewers in a process of their own; yield it, or None without viewers."""
    if not viewers:
        yield None
        return
    context = get_context("spawn")
    stop = context.Event()
    process = context.Process(target=view, args=(address, viewers, stop))
    process.start()
    yield psutil.Process(process.pid)
    stop.set()
    process.join()


def view(address: str, viewers: int, stop: Flag) -> None:
    for task, extra in ((stream_events, ()), (poll_images, (stop,))):
        for _ in range(viewers):
            threading.Thread(target=task, args=(address, *extra), daemon=True).start()
    stop.wait()


def stream_events(address: str) -> None:
    """Receive events as they come."""
    connection = http.client.HTTPConnection(address, timeout=30)
    connection.request("GET", "/api/events")
    with suppress(OSError):
        for _line in connection.getresponse():
            pass


def poll_images(address: str, stop: Flag) -> None:
    """Request the state every second and each new image, as static/preview.js does."""
    connection, numbers = Connection(address), dict[str, Any]()
    while not stop.wait(1.0 - time.time() % 1.0):
        for name, camera in json.loads(connection.get("/api/preview/live"))["cameras"].items():
            if numbers.get(name) != camera["frame_number"]:
                numbers[name] = camera["frame_number"]
                query = urllib.parse.urlencode({"stream": name, "width": WIDTH_PX, "n": camera["frame_number"]})
                connection.get(f"/api/preview/picture?{query}")


class Connection:
    """A keep-alive connection, as browsers use."""

    def __init__(self, address: str) -> None:
        self._connection = http.client.HTTPConnection(address, timeout=10)

    def get(self, path: str) -> bytes:
        self._connection.request("GET", path)
        return self._connection.getresponse().read()


if __name__ == "__main__":
    main()
