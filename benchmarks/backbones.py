"""Cost of the detector's backbones: MNN on one thread with random weights, and a step of training.

python benchmarks/backbones.py [--backbones small base]

CPU milliseconds, the least of nine calls, so that other programs on the machine matter little.
"""

import argparse
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch

from stream_ocr.models import export, weights
from stream_ocr.models.backends.mnn import MnnEngine
from stream_ocr.models.detection.dbnet import BACKBONES, Backbone, DBNet
from stream_ocr.models.devices import pick_device

CANVASES = ((960, 544), (1280, 736))
"""(width, height) of what the net sees of a frame of 1280×720 at a long side of 960 and 1280."""
BATCH, CROP = 8, 384


def least_ms(call: Callable[[], object], times: int = 9) -> float:
    call()
    spent = []
    for _ in range(times):
        begun = time.process_time()
        call()
        spent.append(time.process_time() - begun)
    return 1000 * min(spent)


def inference_ms(backbone: Backbone) -> list[float]:
    """CPU milliseconds for each of ``CANVASES``."""
    with TemporaryDirectory() as folder:
        entry = {"kind": "detector", "parameters": {"backbone": backbone}}
        weights.save("net", DBNet(backbone).state_dict(), entry, Path(folder))
        (path,) = export.export(Path(folder), Path(folder))
        engine = MnnEngine(path, pick_device("cpu", runtime="mnn", dtype="fp32", threads=1))
        blank = [np.zeros((1, 3, height, width), np.float32) for width, height in CANVASES]
        return [least_ms(partial(engine.run, x)) for x in blank]


def crops_per_s(backbone: Backbone) -> float:
    """Pieces a CPU second of one thread, forward and backward."""
    net = DBNet(backbone).train().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    x_BCHW = torch.randn(BATCH, 3, CROP, CROP).contiguous(memory_format=torch.channels_last)
    return 1000 * BATCH / least_ms(lambda: sum(m.mean() for m in net.maps(x_BCHW)).backward(), 3)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Measure the detector's backbones.")
    parser.add_argument("--backbones", nargs="*", default=["small", "base"], choices=list(BACKBONES))
    options = parser.parse_args()
    torch.set_num_threads(1)
    for name in options.backbones:
        millions = sum(p.numel() for p in DBNet(name).parameters()) / 1e6
        at = "  ".join(
            f"{canvas[0]}×{canvas[1]} {ms:.0f} ms" for canvas, ms in zip(CANVASES, inference_ms(name), strict=True)
        )
        print(f"{name:<9} {millions:.2f} M parameters  {at}  {crops_per_s(name):.1f} crops/s in training")
