"""What the page costs a run: when nobody looks, and with three viewers.

    python benchmarks/viewers.py [--viewers 3] [--rounds 8] [-o benchmarks/results/viewers.json]

More cameras than this machine can read are read by ``stream-ocr run``, so that its throughput is what is not dropped:
pictures a second that went through all stages. One run is without the page. In another one nobody looks, or viewers do
that ask for all that a page asks for: events as they come, the state each second, and every picture that is new. (They
paint nothing: browsers work on the machines of those who look. Yet they run here, and their processor time is told.)
The two take turns, now one first and now the other, so that what changes slowly counts for neither; each phase lasts as
long as the clip that the cameras repeat, so that all have the same to read.

Figures are given as [least, lower quartile, median, upper quartile, most] over the rounds: throughput with viewers ÷
without; the same for each second of processor time that the run got, which other work on the machine does not change
much; and the processor time that answering takes, in milliseconds a second and as a share of that of the whole run.
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
BEGIN_S = 10.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--viewers", type=int, default=3)
    parser.add_argument("--cameras", type=int, default=6)
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("-o", "--output", type=Path)
    asked = parser.parse_args()
    before = machine_info()
    turns = [(0, asked.viewers) if n % 2 else (asked.viewers, 0) for n in range(asked.rounds)]
    with TemporaryDirectory() as name:
        folder = Path(name)
        make_clip(folder, BEGIN_S + 2 * asked.rounds * (CLIP_S + 2 * SETTLE_S))
        with running(folder, asked.cameras, page=False) as run:
            bare = [run.phase(0) for _ in range(max(asked.rounds // 2, 1))]
        with running(folder, asked.cameras, page=True) as run:
            rounds = [{viewers: run.phase(viewers) for viewers in turn} for turn in turns]
    result = {
        "machine": before,
        "cameras": asked.cameras,
        "size": SIZE,
        "viewers": asked.viewers,
        "seconds": CLIP_S,
        **summary(bare, [(each[0], each[asked.viewers]) for each in rounds]),
        "without_page": [vars(phase) for phase in bare],
        "rounds": [{f"{viewers} viewers": vars(phase) for viewers, phase in each.items()} for each in rounds],
    }
    print(json.dumps({key: value for key, value in result.items() if key not in ("rounds", "without_page")}, indent=1))
    if asked.output:
        asked.output.write_text(json.dumps(result, indent=1) + "\n")


@dataclass(frozen=True)
class Phase:
    """Per second."""

    frames: float
    followed: float  # frames that were not dropped
    detector_frames: float
    answering_cpu_s: float  # of the process that answers, and starts and watches the workers
    run_cpu_s: float  # of it and of the workers
    viewers_cpu_s: float
    others_cpu_s: float  # of everything else on the machine

    @property
    def per_cpu_s(self) -> float:
        return self.followed / self.run_cpu_s


def summary(bare: Sequence[Phase], pairs: Sequence[tuple[Phase, Phase]]) -> dict[str, list[float]]:
    """pairs: of phases without viewers and with them."""
    nobody, looked_at = zip(*pairs, strict=True)
    return {
        "throughput_ratio": spread([b.followed / a.followed for a, b in pairs]),
        "throughput_per_cpu_ratio": spread([b.per_cpu_s / a.per_cpu_s for a, b in pairs]),
        "cpu_share_of_viewers": spread([(b.answering_cpu_s - a.answering_cpu_s) / b.run_cpu_s for a, b in pairs], 4),
        "answering_ms_without_page": spread([1000 * phase.answering_cpu_s for phase in bare], 1),
        "answering_ms_nobody_looks": spread([1000 * phase.answering_cpu_s for phase in nobody], 1),
        "answering_ms_with_viewers": spread([1000 * phase.answering_cpu_s for phase in looked_at], 1),
        "others_cpu_s": spread([phase.others_cpu_s for pair in pairs for phase in pair], 2),
    }


def spread(values: Sequence[float], digits: int = 3) -> list[float]:
    """Least, lower quartile, median, upper quartile, most."""
    quartiles = statistics.quantiles(values, method="inclusive") if len(values) > 1 else [values[0]] * 3
    return [round(value, digits) for value in (min(values), *quartiles, max(values))]


def make_clip(folder: Path, length_s: float) -> None:
    """long.mp4: one clip over and over."""
    render(build_clip("street", SIZE, CLIP_S), folder / "clip.mp4")
    copies = ["ffmpeg", "-v", "error", "-stream_loop", str(int(length_s / CLIP_S) + 1), "-i", "clip.mp4", "-c", "copy"]
    subprocess.run([*copies, "long.mp4"], cwd=folder, check=True)


@dataclass(frozen=True)
class Run:
    """A run and where it answers; page: None where it has none."""

    process: psutil.Process
    status: str
    page: str | None

    def phase(self, viewers: int) -> Phase:
        """Measure for as long as the clip is, while so many look."""
        with looking(self.page, viewers) as watchers:
            time.sleep(SETTLE_S)
            before = self._now(watchers)
            time.sleep(CLIP_S)
            took, *rates = (b - a for a, b in zip(before, self._now(watchers), strict=True))
        phase = Phase(*(round(rate / took, 4) for rate in rates))
        print(f"{viewers} viewers" if self.page else "no page", phase, flush=True)
        return phase

    def _now(self, watchers: psutil.Process | None) -> tuple[float, ...]:
        cameras = json.loads(Line(self.status).ask("/live"))["cameras"].values()
        own, looking = cpu_s(self.process), cpu_s(watchers) if watchers else 0.0
        whole = own + sum(map(cpu_s, self.process.children(recursive=True)))
        times = psutil.cpu_times()
        machine_info = sum(times) - times.idle - times.iowait - times.guest - times.guest_nice
        frames, dropped, looks = (sum(c[what] for c in cameras) for what in ("frames", "dropped", "detector_frames"))
        return time.monotonic(), frames, frames - dropped, looks, own, whole, looking, machine_info - whole - looking


def cpu_s(process: psutil.Process) -> float:
    return sum(process.cpu_times()[:2])


@contextmanager
def running(folder: Path, cameras: int, *, page: bool) -> Iterator[Run]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        status = f"127.0.0.1:{free.getsockname()[1]}"
    sources = "".join(f"  camera-{n}: {{path: long.mp4}}\n" for n in range(cameras))
    (folder / "live.yaml").write_text(
        f"models: own\nsources:\n{sources}operation: {{listen: '{status}'}}\ndashboard: {{port: 0}}\n"
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
            said = next(line for line in process.stderr if line.startswith("http://"))
            address = urllib.parse.urlsplit(said.split()[0]).netloc
        threading.Thread(target=process.stderr.read, daemon=True).start()
        try:
            wait_for_pictures(status)
            yield Run(psutil.Process(process.pid), status, address)
        finally:
            process.terminate()


def wait_for_pictures(status: str) -> None:
    """Until all cameras have been looked at, and some seconds more."""
    while True:
        with suppress(OSError, KeyError):
            cameras = json.loads(Line(status).ask("/live"))["cameras"].values()
            if cameras and all(camera["detector_frames"] for camera in cameras):
                break
        time.sleep(0.5)
    time.sleep(BEGIN_S)


@contextmanager
def looking(address: str | None, viewers: int) -> Iterator[psutil.Process | None]:
    """That many viewers, in a process of their own."""
    if not viewers:
        yield None
        return
    context = get_context("spawn")
    stop = context.Event()
    process = context.Process(target=look, args=(address, viewers, stop))
    process.start()
    yield psutil.Process(process.pid)
    stop.set()
    process.join()


def look(address: str, viewers: int, stop: Flag) -> None:
    for task, more in ((listen, ()), (watch, (stop,))):
        for _ in range(viewers):
            threading.Thread(target=task, args=(address, *more), daemon=True).start()
    stop.wait()


def listen(address: str) -> None:
    """Events as they come."""
    connection = http.client.HTTPConnection(address, timeout=30)
    connection.request("GET", "/api/events")
    with suppress(OSError):
        for _line in connection.getresponse():
            pass


def watch(address: str, stop: Flag) -> None:
    """As static/live.js does, at each second of the clock."""
    line, numbers = Line(address), dict[str, Any]()
    while not stop.wait(1.0 - time.time() % 1.0):
        for name, camera in json.loads(line.ask("/api/shown/live"))["cameras"].items():
            if numbers.get(name) != camera["picture"]:
                numbers[name] = camera["picture"]
                query = urllib.parse.urlencode({"stream": name, "width": WIDTH_PX, "n": camera["picture"]})
                line.ask(f"/api/shown/picture?{query}")


class Line:
    """A connection that is kept, as browsers keep theirs."""

    def __init__(self, address: str) -> None:
        self._connection = http.client.HTTPConnection(address, timeout=10)

    def ask(self, path: str) -> bytes:
        self._connection.request("GET", path)
        return self._connection.getresponse().read()


if __name__ == "__main__":
    main()
