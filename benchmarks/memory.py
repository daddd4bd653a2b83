"""Check that a long file runs in constant memory.

    python benchmarks/memory.py [--minutes 10] [--set models=builtin] [--out benchmarks/results/memory.json]

Loops the demo clip, reads it with a process per stage, and compares the resident memory of each process at the end with
that after the first minute. Needs the extra ``dev`` (psutil).
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

SAMPLE_INTERVAL_S = 2.0
WARM_UP_S = 60.0


def loop(source: Path, target: Path, duration_s: float) -> None:
    """Repeat a video without re-encoding it."""
    with av.open(str(source)) as original:
        stream = original.streams.video[0]
        packets = [(p.pts, p.dts, p.is_keyframe, bytes(p)) for p in original.demux(stream) if p.pts is not None]
        assert stream.time_base is not None
        length = round(float(stream.duration or 0))
        with av.open(str(target), "w") as repeated:
            copy = repeated.add_stream_from_template(stream)
            for turn in range(round(duration_s / (length * stream.time_base)) or 1):
                for pts, dts, key, data in packets:
                    packet = av.Packet(data)
                    packet.stream, packet.time_base = copy, Fraction(stream.time_base)
                    packet.pts, packet.dts, packet.is_keyframe = pts + turn * length, dts + turn * length, key
                    repeated.mux(packet)


def sample_memory(pids: dict[str, int], samples: list[tuple[float, dict[str, int]]], finished: threading.Event) -> None:
    """Sample the resident memory of each process, in bytes, until ``finished`` is set."""
    started = time.monotonic()
    while not finished.wait(SAMPLE_INTERVAL_S):
        try:
            sizes = {name: psutil.Process(pid).memory_info().rss for name, pid in pids.items()}
        except psutil.NoSuchProcess:
            return
        samples.append((time.monotonic() - started, sizes))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--set", action="append", default=["models=builtin"])
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        clip, long = Path(folder, "clip.mp4"), Path(folder, "long.mp4")
        scene.render(scene.demo_scene(), clip)
        loop(clip, long, arguments.minutes * 60)
        samples: list[tuple[float, dict[str, int]]] = []
        finished = threading.Event()
        with Pipeline([long], Settings.load(overrides=arguments.set)) as pipeline:
            sampler = threading.Thread(target=sample_memory, args=(dict(pipeline.pids), samples, finished))
            sampler.start()
            events = sum(1 for _ in pipeline.events())
            finished.set()
            sampler.join()
            line = pipeline.summary().line()
    baseline = next(sizes for at_s, sizes in samples if at_s >= WARM_UP_S)
    last = samples[-1][1]
    result = {
        "summary": line,
        "events": events,
        "megabytes_after_a_minute": {name: round(size / 1e6, 1) for name, size in baseline.items()},
        "megabytes_at_the_end": {name: round(size / 1e6, 1) for name, size in last.items()},
        "growth": {name: round(last[name] / baseline[name] - 1, 4) for name in baseline},
    }
    text = json.dumps(result, indent=1)
    print(text)
    if arguments.out:
        arguments.out.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
