"""Measure the cost of the built-in networks: words singly and in batches, frames of 1280×720, and post-processing.

python benchmarks/networks.py CROPS [--threads 2] [--out benchmarks/results/networks.json]

Reports wall and CPU milliseconds, medians over single calls. If other programs use the machine, trust the CPU time of
one thread.
"""

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import torch

from stream_ocr.config.settings import Settings
from stream_ocr.core.frame import Frame
from stream_ocr.evaluation.recognizer import load_labelled_crops
from stream_ocr.models import builtin, presets
from stream_ocr.models.backends.torch import TorchEngine
from stream_ocr.models.detection.postprocess import find_boxes
from stream_ocr.models.devices import pick_device
from stream_ocr.models.zoo import load_detector, load_recognizer


def median_ms(call: Callable[[], object], times: int) -> dict[str, float]:
    call()
    wall, cpu = [], []
    for _ in range(times):
        before = time.perf_counter_ns(), time.process_time_ns()
        call()
        wall.append(time.perf_counter_ns() - before[0])
        cpu.append(time.process_time_ns() - before[1])
    return {"wall_ms": round(float(np.median(wall)) / 1e6, 2), "cpu_ms": round(float(np.median(cpu)) / 1e6, 2)}


def frame_720() -> Frame:
    """Return text over noise, as a decoder gives it."""
    random = np.random.default_rng(1)
    luma = cv2.resize(random.integers(30, 120, (90, 160), np.uint8), (1280, 720), interpolation=cv2.INTER_CUBIC)
    for row in range(10):
        cv2.putText(luma, "PLATFORM 12  DEPARTURES", (40, 60 + 64 * row), cv2.FONT_HERSHEY_DUPLEX, 1.2, 240, 2)
    chroma = np.full((360, 640), 128, np.uint8)
    return Frame(luma, chroma, chroma)


def kernels(lines: int) -> np.ndarray:
    """Return a probability map with ``lines`` lines, for 1280×720 at half of a long side of 960."""
    p_HW = np.random.default_rng(2).random((272, 480)).astype(np.float32) * 0.2
    columns = 5
    for i in range(lines):
        top, left = 8 + i // columns * 26, 6 + i % columns * 95
        p_HW[top : top + 6, left : left + 80] = 0.9
    return p_HW


def main(data: Path, threads: int, out: Path | None) -> None:
    words = [crop for crop, _ in load_labelled_crops(data)][:300]
    results: dict[str, object] = {"threads": threads, "cpu": torch.backends.cpu.get_cpu_capability()}
    settings = Settings.load(overrides=["models=builtin", f"threads={threads}", "device=cpu", "dtype=fp32"])
    in_torch = pick_device("cpu", runtime="torch", dtype="fp32", threads=threads)
    for runtime in ("as shipped", "torch"):
        recognizer, detector = load_recognizer(settings), load_detector(settings)
        if runtime == "torch":
            recognizer.engine, detector.engine = (
                TorchEngine(builtin.load_net(n)[1], in_torch) for n in (presets.RECOGNIZER, presets.DETECTOR)
            )
        singly = iter(words * 2)
        batches = iter([words[i : i + 32] for i in range(0, 288, 32)] * 2)
        results[runtime] = {
            "a word, one by one": median_ms(lambda r=recognizer, s=singly: r.read([next(s)]), len(words)),
            "32 words": median_ms(lambda r=recognizer, b=batches: r.read(next(b)), 9),
            "a frame of 1280×720": median_ms(lambda d=detector: d.detect([frame_720()]), 7),
        }
    noise = np.kron(np.indices((136, 240)).sum(axis=0) % 2, np.ones((2, 2))).astype(np.float32)
    results["post-processing"] = {
        "50 lines": median_ms(lambda: find_boxes(kernels(50)), 30),
        "16,320 specks": median_ms(lambda: find_boxes(noise), 5),
        "boxes found": [len(find_boxes(kernels(50))), len(find_boxes(noise))],
    }
    print(json.dumps(results, indent=1, ensure_ascii=False))
    if out:
        out.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Measure the built-in networks.")
    parser.add_argument("crops", type=Path)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    main(options.crops, options.threads, options.out)
