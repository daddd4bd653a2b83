"""Do cameras with faults run on in constant memory, and are their texts right all the time?

    python benchmarks/soak.py [--minutes 60] [--every 8] [--set NAME=VALUE] [--out benchmarks/results/soak.json]

Runs ``stream-ocr run`` with three RTSP cameras of 640×360 at 25 pictures a second. Every few seconds one of them, in
turn, is switched off and on again, or freezes and goes on. Resident memory and descriptors of every process are
sampled all the time; the first and the last minute after the warm-up are compared. Every text that a camera showed
from beginning to end must have been told within a quarter of a second of its beginning, and nothing else.
"""

import argparse
import json
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from itertools import count, cycle, pairwise
from pathlib import Path
from typing import Any

import psutil
import yaml
from rapidfuzz import fuzz

from stream_ocr.evaluation.bench.machine import load_average, machine_info
from stream_ocr.synthetic.scene import Scene, Text, linear_path, render

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from rtsp_camera.handle import Camera, missing_for_cameras

LENGTH_S = 12.0
SAMPLE_S = 5.0
WARM_S = 120.0
NEAR_S = 0.25
WORDS = {
    "gate": ("GATE 12", "BOARDING", "Paris", "last call"),
    "yard": ("LOADING", "keep clear", "TRUCK 48", "Entrance"),
    "hall": ("ARRIVALS", "London", "delayed", "Platform 9"),
}


def scene(words: tuple[str, ...]) -> Scene:
    """Texts that come and go, one of which moves; between two turns nothing is shown."""
    first, second, third, fourth = words
    return Scene(
        (
            Text(first, 1.0, 10.0, (40, 40), height=32),
            Text(second, 2.0, 5.0, linear_path(2.0, (40, 130), 5.0, (330, 130)), height=30),
            Text(third, 3.5, 9.0, (60, 230), height=30),
            Text(fourth, 6.0, 10.0, (330, 300), height=28),
        ),
        LENGTH_S,
        (640, 360),
    )


def sample(program: psutil.Process) -> dict[str, tuple[float, int]]:
    """(resident megabytes, descriptors) of every process of the run, by its title."""
    found = {}
    for process in (program, *program.children(recursive=True)):
        try:
            title = "program" if process == program else " ".join(process.cmdline()).removeprefix("stream-ocr: ")
            found[title.strip()] = (process.memory_info().rss / 1e6, process.num_fds())
        except psutil.NoSuchProcess:
            continue
    return found


def compared(samples: list[tuple[float, dict[str, tuple[float, int]]]], end_s: float) -> dict[str, Any]:
    """First against last minute after the warm-up: memory of every process and of all, descriptors."""

    def of(begin_s: float) -> dict[str, tuple[float, float]]:
        values: defaultdict[str, list[tuple[float, int]]] = defaultdict(list)
        for at_s, each in samples:
            if begin_s <= at_s < begin_s + 60:
                for name, value in each.items():
                    values[name].append(value)
        return {
            name: (statistics.mean(mb for mb, _ in rows), statistics.median(fds for _, fds in rows))
            for name, rows in values.items()
        }

    first, last = of(min(WARM_S, end_s / 3)), of(end_s - 60)
    totals = [sum(mb for mb, _ in each.values()) for each in (first, last)]
    return {
        "rss_mb": {name: [round(first[name][0], 1), round(last[name][0], 1)] for name in first if name in last},
        "descriptors": {name: [first[name][1], last[name][1]] for name in first if name in last},
        "total_mb": [round(total, 1) for total in totals],
        "drift_percent": round(100 * (totals[1] / totals[0] - 1), 2),
    }


def judged(log: Path) -> dict[str, Any]:
    """What was told against what was shown, camera by camera."""
    events = [json.loads(row) for row in log.read_bytes().rpartition(b"\n")[0].splitlines()]
    found = {}
    for name, words in WORDS.items():
        own = [event for event in events if event["stream"] == name]
        turns = [(event["kind"], event["start"]) for event in own if event["kind"] in ("source.up", "source.down")]
        told = [event for event in own if event["kind"] in ("appeared", "changed")]
        shown = [
            (text.text, up_s + turn * LENGTH_S + text.start_s)
            for (kind, up_s), (_, down_s) in pairwise([*turns, ("end", own[-1]["start"])])
            if kind == "source.up"
            for turn in range(int((down_s - up_s) / LENGTH_S) + 1)
            for text in scene(words).texts
            if up_s + turn * LENGTH_S + text.end_s < down_s
        ]
        errors = [
            min((abs(e["start"] - at_s) for e in told if fuzz.ratio(e["text"], text) >= 80), default=99.0)
            for text, at_s in shown
        ]
        near = [error for error in errors if error <= NEAR_S]
        strange = [e["text"] for e in told if max(fuzz.ratio(e["text"], word) for word in words) < 80]
        found[name] = {
            "ups": sum(kind == "source.up" for kind, _ in turns),
            "gaps": sum(event["kind"] == "source.gap" for event in own),
            "shown": len(shown),
            "told": len(near),
            "misread": sorted({e["text"] for e in told if e["text"] not in words} - set(strange)),
            "start_error_ms": [round(1000 * value) for value in (statistics.median(near), max(near))] if near else None,
            "strange": strange[:20],
            "seq_without_gaps": [event["seq"] for event in own] == list(range(len(own))),
            "tracks_end_once": _each_ends_once(own),
        }
    return found


def _each_ends_once(events: list[dict[str, Any]]) -> bool:
    appeared, ended = ([e["track"] for e in events if e["kind"] == kind] for kind in ("appeared", "ended"))
    return len(set(appeared)) == len(appeared) and sorted(appeared) == sorted(ended)


def trouble(number: int, camera: Camera) -> None:
    """Off and on again; each fourth time a freeze that is long enough to be noticed."""
    if number % 4 == 3:
        camera.freeze()
        time.sleep(5.0)
        camera.thaw()
    else:
        camera.kill()
        time.sleep(0.5)
        camera.restart()


def soak(folder: Path, minutes: float, every_s: float, overrides: list[str]) -> dict[str, Any]:
    cameras = {}
    for name, words in WORDS.items():
        render(scene(words), folder / f"{name}.mp4", gop=25)
        cameras[name] = Camera(folder / f"{name}.mp4")
    told = {
        "sources": {name: {"url": camera.url} for name, camera in cameras.items()},
        "sinks": [{"type": "jsonl", "path": str(folder / "events.jsonl")}],
        "store": {"path": str(folder / "events.db")},
        "service": {"listen": "127.0.0.1:19561"},
        "live": {"max_backoff_s": 4.0},
    }
    (folder / "live.yaml").write_text(yaml.safe_dump(told), encoding="utf-8")
    arguments = [part for setting in overrides for part in ("--set", setting)]
    log = (folder / "log").open("w")
    program = subprocess.Popen(
        [sys.executable, "-m", "stream_ocr.cli", "run", str(folder / "live.yaml"), *arguments], stdout=log, stderr=log
    )
    on = machine_info()
    begun_s, end_s = time.monotonic(), 60 * minutes
    samples: list[tuple[float, dict[str, tuple[float, int]]]] = []
    loads, numbers, names, next_s = [], count(), cycle(cameras), 30.0
    while (now_s := time.monotonic() - begun_s) < end_s and program.poll() is None:
        samples.append((now_s, sample(psutil.Process(program.pid))))
        loads.append(load_average())
        if next_s <= now_s < end_s - 40:
            next_s += every_s
            trouble(next(numbers), cameras[next(names)])
        time.sleep(max(0.0, SAMPLE_S - (time.monotonic() - begun_s - now_s)))
    program.send_signal(signal.SIGTERM)
    code = program.wait(30)
    for camera in cameras.values():
        camera.kill()
    restarts = [row for row in (folder / "log").read_text().splitlines() if '"level": "error"' in row]
    return {
        "minutes": minutes,
        "machine": on,
        "load": {"mean": round(statistics.mean(loads), 2), "max": round(max(loads), 2)},
        "exit_code": code,
        "errors_in_the_log": restarts[:20],
        "cameras": judged(folder / "events.jsonl"),
        **compared(samples, samples[-1][0]),
    }


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--minutes", type=float, default=60.0)
    arguments.add_argument("--every", type=float, default=8.0, help="seconds between two faults")
    arguments.add_argument("--set", action="append", default=["models=builtin", "device=cpu", "threads=1"])
    arguments.add_argument("--out", type=Path)
    given = arguments.parse_args()
    if missing := missing_for_cameras():
        sys.exit(missing)
    with tempfile.TemporaryDirectory() as folder:
        results = soak(Path(folder), given.minutes, given.every, given.set)
    print(json.dumps(results, indent=1))
    if given.out:
        given.out.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
