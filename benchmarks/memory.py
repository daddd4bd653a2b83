"""Does a long file run in constant memory?

    python benchmarks/memory.py [--minutes 10] [--set models=builtin] [--out benchmarks/results/memory.json]

Loops the demo clip, reads it through the five processes, and compares the resident memory of each at the end with
that after the first minute of wall time. Needs the extra ``dev`` (psutil).
"""

import argparse
import json
import tempfile
import threading
import time
from fractions import Fraction
from pathlib import Path

import av
import psutil

from stream_ocr.api import Pipeline
from stream_ocr.config.settings import Settings
from stream_ocr.synthetic import scene

EVERY_S = 2.0
SETTLED_S = 60.0


def loop(source: Path, target: Path, duration_s: float) -> None:
    """Repeat a video without encoding it again."""
    with av.open(str(source)) as given:
        stream = given.streams.video[0]
        packets = [(p.pts, p.dts, p.is_keyframe, bytes(p)) for p in given.demux(stream) if p.pts is not None]
        assert stream.time_base is not None
        length = round(float(stream.duration or 0))
        with av.open(str(target), "w") as made:
            copy = made.add_stream_from_template(stream)
            for turn in range(round(duration_s / (length * stream.time_base)) or 1):
                for pts, dts, key, data in packets:
                    packet = av.Packet(data)
                    packet.stream, packet.time_base = copy, Fraction(stream.time_base)
                    packet.pts, packet.dts, packet.is_keyframe = pts + turn * length, dts + turn * length, key
                    made.mux(packet)


def watch(pids: dict[str, int], samples: list[tuple[float, dict[str, int]]], over: threading.Event) -> None:
    """Sample the resident memory of each process until it is over."""
    begun = time.monotonic()
    while not over.wait(EVERY_S):
        try:
            sizes = {name: psutil.Process(pid).memory_info().rss for name, pid in pids.items()}
        except psutil.NoSuchProcess:
            return
        samples.append((time.monotonic() - begun, sizes))


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--minutes", type=float, default=10.0)
    arguments.add_argument("--set", action="append", default=["models=builtin"])
    arguments.add_argument("--out", type=Path)
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        clip, long = Path(folder, "clip.mp4"), Path(folder, "long.mp4")
        scene.render(scene.demo_scene(), clip)
        loop(clip, long, given.minutes * 60)
        samples: list[tuple[float, dict[str, int]]] = []
        over = threading.Event()
        with Pipeline([long], Settings.load(overrides=given.set)) as pipeline:
            watcher = threading.Thread(target=watch, args=(dict(pipeline.pids), samples, over))
            watcher.start()
            events = sum(1 for _ in pipeline.events())
            over.set()
            watcher.join()
            line = pipeline.summary().line()
    settled = next(sizes for at_s, sizes in samples if at_s >= SETTLED_S)
    last = samples[-1][1]
    result = {
        "summary": line,
        "events": events,
        "megabytes_after_a_minute": {name: round(size / 1e6, 1) for name, size in settled.items()},
        "megabytes_at_the_end": {name: round(size / 1e6, 1) for name, size in last.items()},
        "growth": {name: round(last[name] / settled[name] - 1, 4) for name in settled},
    }
    text = json.dumps(result, indent=1)
    print(text)
    if given.out:
        given.out.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
