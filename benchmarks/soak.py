"""Check that cameras under faults of all kinds are read on in constant memory, with every text right and in time.

    python benchmarks/soak.py [--minutes 60] [--every 6] [--seed 1] [--set NAME=VALUE] [--out FILE] [--keep FOLDER]

Runs ``stream-ocr run`` with three RTSP cameras of 640×360 at 25 frames a second, a store, a bus and the dashboard. One
fault follows the other, in a random order that the seed determines (``soak_faults.py``): cameras restart, freeze,
disappear, send damaged frames, another size, another codec or time stamps that jump; packets are lost or late; the
wall clock is set; workers, the event publisher, its bus and the web process are killed or suspended. Meanwhile a
viewer follows the dashboard and loads its pictures, a subscriber follows the bus with a cursor (``soak_clients.py``),
and every minute somebody edits the settings (``soak_edits.py``): thresholds, masks, a fourth camera, and every fifth
time a mistake, which must be refused.

Afterwards ``soak_texts.py``, which defines the terms, compares texts with what the cameras recorded that they sent, and
``soak_report.py`` compares store, log, viewer and subscriber. Resident memory and descriptors of the first and the last
tenth after the warm-up are compared (``soak_memory.py``). The exit code is 1 if a requirement is not met.
"""

import argparse
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psutil
from soak_clients import Subscriber, Viewer
from soak_edits import EditThread, SettingsFile
from soak_memory import compare, sample
from subscribe_bed import free_port

from stream_ocr.evaluation.bench.machine import load_average, machine_info
from stream_ocr.events import read_jsonl
from stream_ocr.store.reader import StoreReader
from stream_ocr.synthetic.scene import Scene, Text, linear_path, render

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
import soak_report
import soak_texts
from rtsp_camera.camera_run import Run
from rtsp_camera.handle import Camera, missing_for_cameras
from soak_faults import Bed, FaultThread
from soak_truth import FPS, read_record

CLIP_S = 12.0
SAMPLE_INTERVAL_S = 5.0
FIRST_FAULT_S = 30.0
CALM_S = 40.0  # before the end
EXIT_S = 60.0
WORDS = {
    "gate": ("GATE 12", "BOARDING", "Paris", "last call"),
    "yard": ("LOADING", "keep clear", "TRUCK 48", "Entrance"),
    "hall": ("ARRIVALS", "London", "delayed", "Platform 9"),
}
EXTRA = "dock", ("DOCK 7", "Harbour", "fragile", "Exit only")


def scene(words: tuple[str, ...], size: tuple[int, int] = (640, 360)) -> Scene:
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
        size,
        fps=FPS,
    )


def make_clips(folder: Path, name: str, words: tuple[str, ...]) -> dict[str, Path]:
    """Render the scene as a camera sends it: usually, in another codec, and larger."""
    clips = {kind: folder / f"{name}-{kind}.mp4" for kind in ("h264", "h265", "large")}
    render(scene(words), clips["h264"], gop=FPS)
    render(scene(words), clips["h265"], gop=FPS, codec="libx265")
    render(scene(words, (960, 540)), clips["large"], gop=FPS)
    return clips


def settings(folder: Path, cameras: dict[str, Camera], ports: dict[str, int]) -> dict[str, Any]:
    return {
        "sources": {name: {"url": camera.url} for name, camera in cameras.items() if name in WORDS},
        "sinks": [{"type": "jsonl", "path": str(folder / "events.jsonl")}],
        "store": {"path": str(folder / "events.db")},
        "socket": {"events": f"tcp://127.0.0.1:{ports['bus']}"},
        "service": {"listen": f"127.0.0.1:{ports['status']}"},
        "dashboard": {"port": ports["dashboard"]},
        "live": {"max_backoff_s": 4.0},
        "logs": {"style": "json"},
    }


def build_clock(folder: Path) -> Path | None:
    """Return the file with the offset of the wall clock, which the shim reads; None without a C compiler."""
    if (compiler := shutil.which("cc")) is None:
        return None
    source = Path(__file__).with_name("clock_shim.c")
    subprocess.run(
        [compiler, "-shared", "-fPIC", "-O1", "-o", str(folder / "clock_shim.so"), str(source), "-ldl"], check=True
    )
    (folder / "clock").write_bytes(bytes(8))
    return folder / "clock"


def start(folder: Path, overrides: list[str], clock: Path | None) -> "subprocess.Popen[str]":
    arguments = [part for setting in overrides for part in ("--set", setting)]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    if clock is not None:
        environment |= {"CLOCK_SHIM": str(clock), "LD_PRELOAD": str(folder / "clock_shim.so")}
    with (folder / "log").open("w") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "stream_ocr.cli", "run", str(folder / "live.yaml"), "--dashboard", *arguments],
            stdout=subprocess.DEVNULL,
            stderr=log,
            env=environment,
            text=True,
        )


def soak(folder: Path, options: argparse.Namespace) -> tuple[dict[str, Any], list[soak_report.Requirement]]:
    words = WORDS | dict([EXTRA])
    clips = {name: make_clips(folder, name, own) for name, own in words.items()}
    ports = {name: free_port() for name in ("bus", "status", "dashboard")}
    machine, samples, loads = machine_info(), [], []
    with ExitStack() as stack:
        cameras = {}
        for name in words:
            cameras[name] = Camera(clips[name]["h264"], record=str(folder / f"{name}.record"))
            stack.callback(cameras[name].kill)
        content = settings(folder, cameras, ports)
        file = SettingsFile(folder / "live.yaml", folder / "log", content, (EXTRA[0], {"url": cameras[EXTRA[0]].url}))
        file.write()
        clock = build_clock(folder)
        program = start(folder, options.set, clock)
        stack.callback(_kill_all, program)
        started_s, began_s, end_s = time.time(), time.monotonic(), 60 * options.minutes
        bed = Bed(Run(program, folder, ports["status"]), {n: cameras[n] for n in WORDS}, clips, clock)
        faults = FaultThread(bed, options.seed, FIRST_FAULT_S, options.every)
        edits = EditThread(file, options.edit_every)
        viewer = Viewer(f"127.0.0.1:{ports['dashboard']}")
        subscriber = Subscriber(f"tcp://127.0.0.1:{ports['bus']}", folder / "cursor")
        for thread in (faults, edits, viewer, subscriber):
            thread.start()
        calm = False
        while (now_s := time.monotonic() - began_s) < end_s and program.poll() is None:
            samples.append(sample(psutil.Process(program.pid), now_s))
            loads.append(load_average())
            if now_s >= end_s - CALM_S and not calm:
                calm = True
                faults.end()
                edits.end()
            time.sleep(max(0.0, SAMPLE_INTERVAL_S - (time.monotonic() - began_s - now_s)))
        faults.end()
        edits.end()
        ended_s = time.time()
        program.send_signal(signal.SIGTERM)
        code = program.wait(EXIT_S)
        viewer.end()
        subscriber.end()
    logged = list(read_jsonl(folder / "events.jsonl"))
    with StoreReader(folder / "events.db") as reader:
        stored = list(reader.events())
    first = next(event for event in stored if event.kind == "source.up")
    assert first.emitted_utc is not None, "the run emits its events"
    origin_s = first.emitted_utc.timestamp() - (first.start or 0.0)
    streams = soak_texts.by_stream(stored)
    verdicts = {
        name: soak_texts.judge(
            streams.get(name, []), read_record(folder / f"{name}.record", scene(own).texts), own, faults.made, origin_s
        )
        for name, own in words.items()
    }
    whole = soak_texts.total(verdicts)
    publisher_kills = sum("publish" in fault.name for fault in faults.made)
    results = {
        "minutes": options.minutes,
        "seed": options.seed,
        "settings": options.set,
        "machine": machine,
        "load": {"mean": round(statistics.mean(loads), 2), "max": round(max(loads), 2)},
        "exit_code": code,
        "faults_by_kind": dict(sorted(Counter(fault.name for fault in faults.made).items())),
        "fault_failure": faults.failure,
        "texts": soak_texts.figures(whole),
        "cameras": {name: soak_texts.figures(verdict) for name, verdict in verdicts.items()},
        "deliveries": soak_report.deliveries(stored, logged, viewer, subscriber, origin_s, ended_s),
        "tracks_that_do_not_end_once": [
            row for own in streams.values() for row in soak_texts.tracks_that_do_not_end_once(own, publisher_kills)
        ],
        "memory": compare(samples, f"decode/{EXTRA[0]}", SAMPLE_INTERVAL_S),
        "errors_without_a_cause": soak_report.unexplained_errors(folder / "log", faults.made, edits.made),
        "faults": soak_report.describe_faults(faults.made, started_s),
        "edits": soak_report.describe_edits(edits.made, started_s),
    }
    required = soak_report.requirements(results, whole, edits.made)
    results["requirements"] = [requirement._asdict() for requirement in required]
    return results, required


def _kill_all(program: "subprocess.Popen[str]") -> None:
    """Kill a run that has not ended."""
    if program.poll() is None:
        for process in psutil.Process(program.pid).children(recursive=True):
            process.kill()
        program.kill()
        program.wait()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--every", type=float, default=6.0, help="seconds between two faults")
    parser.add_argument("--edit-every", type=float, default=60.0, help="seconds between two edits of the settings")
    parser.add_argument("--seed", type=int, default=1, help="of the sequence of faults")
    parser.add_argument("--set", action="append", default=["models=builtin", "device=cpu", "threads=1"])
    parser.add_argument("--out", type=Path)
    parser.add_argument("--keep", type=Path, help="work in this folder and keep it, to look into failures")
    options = parser.parse_args()
    if missing := missing_for_cameras():
        sys.exit(missing)
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        results, required = soak(folder, options)
    if options.out:
        options.out.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    soak_report.show(results, required)
    return 0 if all(requirement.passed for requirement in required) else 1


if __name__ == "__main__":
    sys.exit(main())
