"""What three viewers of the page cost a run.

    python benchmarks/viewers.py [--viewers 3] [--rounds 6] [--seconds 20] [-o benchmarks/results/viewers.json]

More cameras than this machine can read are read by ``stream-ocr run --dashboard``, so that its throughput is what the
detector gets done: frames a second. By turns nobody looks, and viewers do that ask for all that a page asks for:
events as they come, the state each second, and every picture that is new. (They paint nothing: browsers work on the
machines of those who look.) Reported is the throughput with viewers ÷ without, of rounds one after the other, and the
processor time of the process that answers.
"""

import argparse
import json
import statistics
import subprocess
import sys
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.synchronize import Event as Flag
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psutil

from stream_ocr.bench.machine import machine
from stream_ocr.sources.clips import scene
from stream_ocr.sources.synthetic import render

WIDTH_PX = 400  # of a tile, where four cameras are on a screen of 1440 × 900
SIZE = (960, 540)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--viewers", type=int, default=3)
    parser.add_argument("--cameras", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("-o", "--output", type=Path)
    asked = parser.parse_args()
    before = machine()
    length_s = 60 + 2 * asked.rounds * (asked.seconds + 2)
    with TemporaryDirectory() as folder, running(Path(folder), asked.cameras, length_s) as (process, address):
        time.sleep(10)
        phases = []
        for _ in range(asked.rounds):
            for viewers in (0, asked.viewers):
                with looking(address, viewers):
                    time.sleep(2)
                    phases.append((viewers, measured(process, address, asked.seconds)))
                print(viewers, phases[-1][1], flush=True)
    result = {
        "machine": before,
        "cameras": asked.cameras,
        "size": SIZE,
        "viewers": asked.viewers,
        "seconds": asked.seconds,
        **summary(phases),
        "rounds": [{"viewers": viewers, **vars(phase)} for viewers, phase in phases],
    }
    print(json.dumps({key: value for key, value in result.items() if key != "rounds"}, indent=1))
    if asked.output:
        asked.output.write_text(json.dumps(result, indent=1) + "\n")


@dataclass(frozen=True)
class Phase:
    """Per second."""

    detector_frames: float
    frames: float
    serving_cpu_s: float  # of the process that answers
    all_cpu_s: float  # of it and of its workers
    others_cpu_s: float  # of everything else on the machine


def summary(phases: list[tuple[int, Phase]]) -> dict[str, float]:
    pairs = [(without, looked_at) for (_, without), (_, looked_at) in zip(phases[::2], phases[1::2], strict=True)]
    ratios = [looked_at.detector_frames / without.detector_frames for without, looked_at in pairs]
    without_all, with_all = (sum(phase.detector_frames for phase in each) for each in zip(*pairs, strict=True))
    return {
        "throughput_ratio_of_means": round(with_all / without_all, 3),
        "throughput_ratio_median": round(statistics.median(ratios), 3),
        "throughput_ratio_least": round(min(ratios), 3),
        "throughput_ratio_most": round(max(ratios), 3),
        "serving_cpu_share_without": round(statistics.median(p.serving_cpu_s / p.all_cpu_s for p, _ in pairs), 4),
        "serving_cpu_share_with": round(statistics.median(p.serving_cpu_s / p.all_cpu_s for _, p in pairs), 4),
    }


def measured(process: psutil.Process, address: str, seconds: float) -> Phase:
    def now() -> tuple[float, int, int, float, float, float]:
        cameras = json.loads(asked_for(f"{address}api/shown/live"))["cameras"].values()
        own = cpu_s(process)
        everything = own + sum(map(cpu_s, process.children(recursive=True)))
        times = psutil.cpu_times()
        machine = sum(times) - times.idle - times.iowait - times.guest - times.guest_nice
        counted = (sum(camera[what] for camera in cameras) for what in ("detector_frames", "frames"))
        return (time.monotonic(), *counted, own, everything, machine)  # type: ignore[return-value]

    before = now()
    time.sleep(seconds)
    took, detector_frames, frames, own, everything, machine = (b - a for a, b in zip(before, now(), strict=True))
    rates = (detector_frames / took, frames / took, own / took, everything / took, (machine - everything) / took)
    return Phase(*(round(rate, 4) for rate in rates))


def cpu_s(process: psutil.Process) -> float:
    return sum(process.cpu_times()[:2])


@contextmanager
def running(folder: Path, cameras: int, length_s: float) -> Iterator[tuple[psutil.Process, str]]:
    """A run over copies of one clip, and the address of its page."""
    render(scene("street", SIZE, 20.0), folder / "clip.mp4")
    copies = ["ffmpeg", "-v", "error", "-stream_loop", str(int(length_s / 20) + 1), "-i", "clip.mp4", "-c", "copy"]
    subprocess.run([*copies, "long.mp4"], cwd=folder, check=True)
    sources = "".join(f"  camera-{n}: {{path: long.mp4}}\n" for n in range(cameras))
    (folder / "live.yaml").write_text(
        f"models: own\nsources:\n{sources}operation: {{listen: null}}\ndashboard: {{port: 0}}\nlogs: {{level: error}}\n"
    )
    command = [sys.executable, "-m", "stream_ocr.cli", "run", "live.yaml", "--plain", "--dashboard"]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        address = next(line.split()[0] for line in process.stderr if line.startswith("http://"))
        threading.Thread(target=process.stderr.read, daemon=True).start()
        try:
            yield psutil.Process(process.pid), address
        finally:
            process.terminate()


@contextmanager
def looking(address: str, viewers: int) -> Iterator[None]:
    """That many viewers, in a process of their own."""
    context = get_context("spawn")
    stop = context.Event()
    process = context.Process(target=look, args=(address, viewers, stop))
    if viewers:
        process.start()
    yield
    stop.set()
    if viewers:
        process.join()


def look(address: str, viewers: int, stop: Flag) -> None:
    for task in (listen, watch):
        for _ in range(viewers):
            threading.Thread(target=task, args=(address, stop), daemon=True).start()
    stop.wait()


def listen(address: str, _stop: Flag) -> None:
    """Events as they come."""
    with suppress(OSError), urllib.request.urlopen(f"{address}api/events", timeout=30) as answer:
        for _line in answer:
            pass


def watch(address: str, stop: Flag) -> None:
    """As static/live.js does."""
    numbers: dict[str, Any] = {}
    while not stop.wait(1.0):
        with suppress(OSError):
            for name, camera in json.loads(asked_for(f"{address}api/shown/live"))["cameras"].items():
                if numbers.get(name) != camera["picture"]:
                    numbers[name] = camera["picture"]
                    query = urllib.parse.urlencode({"stream": name, "width": WIDTH_PX, "n": camera["picture"]})
                    asked_for(f"{address}api/shown/picture?{query}")


def asked_for(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=10) as answer:
        return answer.read()


if __name__ == "__main__":
    main()
