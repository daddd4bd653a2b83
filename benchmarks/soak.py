"""Check that cameras with faults run on in constant memory, and that their texts stay correct.

    python benchmarks/soak.py [--minutes 60] [--every 8] [--set NAME=VALUE] [--out benchmarks/results/soak.json]

Runs ``stream-ocr run`` with three RTSP cameras of 640×360 at 25 frames a second. Every few seconds one of them in turn
is restarted, or freezes and resumes. Resident memory and descriptors of every process are sampled; the first and the
last minute after the warm-up are compared. Every text that a camera showed completely must have been reported within a
quarter of a second of its start, and nothing else.
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

CLIP_S = 12.0
SAMPLE_INTERVAL_S = 5.0
WARM_UP_S = 120.0
MAX_START_ERROR_S = 0.25
MIN_SIMILARITY = 80  # per cent
WORDS = {
    "gate": ("GATE 12", "BOARDING", "Paris", "last call"),
    "yard": ("LOADING", "keep clear", "TRUCK 48", "Entrance"),
    "hall": ("ARRIVALS", "London", "delayed", "Platform 9"),
}


def scene(words: tuple[str, ...]) -> Scene:
    """Return a scene of texts that come and go, one of which moves; it begins and ends without text."""
    first, second, third, fourth = words
    return Scene(
        (
            Text(first, 1.0, 10.0, (40, 40), height=32),
            Text(second, 2.0, 5.0, linear_path(2.0, (40, 130), 5.0, (330, 130)), height=30),
            Text(third, 3.5, 9.0, (60, 230), height=30),
            Text(fourth, 6.0, 10.0, (330, 300), height=28),
        ),
        CLIP_S,
        (640, 360),
    )


def sample(program: psutil.Process) -> dict[str, tuple[float, int]]:
    """Return (resident megabytes, descriptors) of every process of the run by its title."""
    samples = {}
    for process in (program, *program.children(recursive=True)):
        try:
            title = "program" if process == program else " ".join(process.cmdline()).removeprefix("stream-ocr: ")
            samples[title.strip()] = (process.memory_info().rss / 1e6, process.num_fds())
        except psutil.NoSuchProcess:
            continue
    return samples


def compare_samples(samples: list[tuple[float, dict[str, tuple[float, int]]]], end_s: float) -> dict[str, Any]:
    """Compare the first and the last minute after the warm-up: memory and descriptors of each process, total memory."""

    def means(begin_s: float) -> dict[str, tuple[float, float]]:
        values: defaultdict[str, list[tuple[float, int]]] = defaultdict(list)
        for at_s, each in samples:
            if begin_s <= at_s < begin_s + 60:
                for name, value in each.items():
                    values[name].append(value)
        return {
            name: (statistics.mean(mb for mb, _ in rows), statistics.median(fds for _, fds in rows))
            for name, rows in values.items()
        }

    first, last = means(min(WARM_UP_S, end_s / 3)), means(end_s - 60)
    totals = [sum(mb for mb, _ in each.values()) for each in (first, last)]
    return {
        "rss_mb": {name: [round(first[name][0], 1), round(last[name][0], 1)] for name in first if name in last},
        "descriptors": {name: [first[name][1], last[name][1]] for name in first if name in last},
        "total_mb": [round(total, 1) for total in totals],
        "drift_percent": round(100 * (totals[1] / totals[0] - 1), 2),
    }


def judge_events(log: Path) -> dict[str, Any]:
    """Compare reported with shown texts, by camera."""
    events = [json.loads(row) for row in log.read_bytes().rpartition(b"\n")[0].splitlines()]
    results = {}
    for name, words in WORDS.items():
        own = [event for event in events if event["stream"] == name]
        outages = [(event["kind"], event["start"]) for event in own if event["kind"] in ("source.up", "source.down")]
        reported = [event for event in own if event["kind"] in ("appeared", "changed")]
        shown = [
            (text.text, up_s + loop * CLIP_S + text.start_s)
            for (kind, up_s), (_, down_s) in pairwise([*outages, ("end", own[-1]["start"])])
            if kind == "source.up"
            for loop in range(int((down_s - up_s) / CLIP_S) + 1)
            for text in scene(words).texts
            if up_s + loop * CLIP_S + text.end_s < down_s
        ]
        errors = [
            min((abs(e["start"] - at_s) for e in reported if similar(e["text"], text)), default=99.0)
            for text, at_s in shown
        ]
        matched = [error for error in errors if error <= MAX_START_ERROR_S]
        wrong = [e["text"] for e in reported if not any(similar(e["text"], word) for word in words)]
        results[name] = {
            "ups": sum(kind == "source.up" for kind, _ in outages),
            "gaps": sum(event["kind"] == "source.gap" for event in own),
            "shown": len(shown),
            "reported": len(matched),
            "misread": sorted({e["text"] for e in reported if e["text"] not in words} - set(wrong)),
            "start_error_ms": [round(1000 * f(matched)) for f in (statistics.median, max)] if matched else None,
            "wrong": wrong[:20],
            "seq_without_gaps": [event["seq"] for event in own] == list(range(len(own))),
            "tracks_end_once": _tracks_end_once(own),
        }
    return results


def similar(one: str, other: str) -> bool:
    return fuzz.ratio(one, other) >= MIN_SIMILARITY


def _tracks_end_once(events: list[dict[str, Any]]) -> bool:
    appeared, ended = ([e["track"] for e in events if e["kind"] == kind] for kind in ("appeared", "ended"))
    return len(set(appeared)) == len(appeared) and sorted(appeared) == sorted(ended)


def inject_fault(number: int, camera: Camera) -> None:
    """Restart the camera; every fourth time freeze it for long enough to be detected."""
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
    settings = {
        "sources": {name: {"url": camera.url} for name, camera in cameras.items()},
        "sinks": [{"type": "jsonl", "path": str(folder / "events.jsonl")}],
        "store": {"path": str(folder / "events.db")},
        "service": {"listen": "127.0.0.1:19561"},
        "live": {"max_backoff_s": 4.0},
    }
    (folder / "live.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    arguments = [part for setting in overrides for part in ("--set", setting)]
    log = (folder / "log").open("w")
    program = subprocess.Popen(
        [sys.executable, "-m", "stream_ocr.cli", "run", str(folder / "live.yaml"), *arguments], stdout=log, stderr=log
    )
    machine = machine_info()
    started_s, end_s = time.monotonic(), 60 * minutes
    samples: list[tuple[float, dict[str, tuple[float, int]]]] = []
    loads, numbers, names, next_s = [], count(), cycle(cameras), 30.0
    while (now_s := time.monotonic() - started_s) < end_s and program.poll() is None:
        samples.append((now_s, sample(psutil.Process(program.pid))))
        loads.append(load_average())
        if next_s <= now_s < end_s - 40:
            next_s += every_s
            inject_fault(next(numbers), cameras[next(names)])
        time.sleep(max(0.0, SAMPLE_INTERVAL_S - (time.monotonic() - started_s - now_s)))
    program.send_signal(signal.SIGTERM)
    code = program.wait(30)
    for camera in cameras.values():
        camera.kill()
    errors = [row for row in (folder / "log").read_text().splitlines() if '"level": "error"' in row]
    return {
        "minutes": minutes,
        "machine": machine,
        "load": {"mean": round(statistics.mean(loads), 2), "max": round(max(loads), 2)},
        "exit_code": code,
        "errors_in_the_log": errors[:20],
        "cameras": judge_events(folder / "events.jsonl"),
        **compare_samples(samples, samples[-1][0]),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--every", type=float, default=8.0, help="seconds between two faults")
    parser.add_argument("--set", action="append", default=["models=builtin", "device=cpu", "threads=1"])
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    if missing := missing_for_cameras():
        sys.exit(missing)
    with tempfile.TemporaryDirectory() as folder:
        results = soak(Path(folder), arguments.minutes, arguments.every, arguments.set)
    print(json.dumps(results, indent=1))
    if arguments.out:
        arguments.out.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
