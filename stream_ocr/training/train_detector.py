"""Train the detector: ``python -m stream_ocr.training.train_detector CONFIG``.

The schedule follows the clock: whatever the machine, the learning rate has come down when ``minutes`` are over.
A run that is started again goes on where its last checkpoint stood, and draws from the pictures in its folder.
"""

import argparse
import dataclasses
import json
import math
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor, nn

from stream_ocr.errors import WeightsError
from stream_ocr.models import weights
from stream_ocr.models.detection.dbnet import MEAN, SCALE, SIZE_MULTIPLE, DBNet, normalise
from stream_ocr.models.devices import computes_bf16
from stream_ocr.training.data.backgrounds import Backgrounds
from stream_ocr.training.data.corpus import Corpus
from stream_ocr.training.data.fonts import find_fonts
from stream_ocr.training.data.sample_pool import Pool
from stream_ocr.training.data.scene_images import Scene, Scenes
from stream_ocr.training.data.word_patches import RealWords
from stream_ocr.training.detector_config import Config, load_config
from stream_ocr.training.losses import detector_losses
from stream_ocr.training.targets import make_targets
from stream_ocr.training.validation import SMALLEST_PX, validate

_DATA = (
    "generated pictures: Latin fonts of Debian, the word list of MJSynth (MIT), photographs of BSDS500 and ImageNet "
    "samples (research data sets) as grounds"
)


def main(config: Config, report: Callable[[str], None] = print, *, start_from: Path | None = None) -> dict[str, float]:
    """Train until the time is over; returns the last validation figures. Exports the weights at every checkpoint.

    start_from: folder of exported weights of the same name to begin with, where there is no checkpoint to go on from.
    """
    torch.set_num_threads(config.threads)
    cv2.setNumThreads(1)
    torch.manual_seed(config.seed)
    config.folder.mkdir(parents=True, exist_ok=True)
    device = torch.device(config.device)
    in_bf16 = bool(computes_bf16("cuda" if device.type == "cuda" else "cpu"))  # elsewhere it is many times slower

    run = begin(config, device, start_from)
    if run.step:
        report(f"goes on at step {run.step}, {run.spent_s / 60:.1f} min")

    budget_s, started = config.minutes * 60, time.monotonic() - run.spent_s
    validation = list(islice(scenes(config, config.seed + 1_000_000), config.validation_pictures))
    pool = Pool(config.folder / "pool", config.pool, run.pictures)
    source, quality = scenes(config, config.seed + len(pool)), random.Random(config.seed + len(pool))
    while len(pool) < config.first_pictures:
        pool.add(next(source), quality.randint(30, 95))
    report(f"{len(pool)} pictures, {time.monotonic() - started - run.spent_s:.0f} s")

    recent: list[list[float]] = []
    next_save_s, shown_s, shown_step = run.spent_s + config.checkpoint_minutes * 60, run.spent_s, run.step
    while (spent_s := time.monotonic() - started) < budget_s or run.step == 0:
        for group in run.optimizer.param_groups:
            group["lr"] = config.learning_rate * schedule(run.step, config.warm_up_steps, spent_s / budget_s)
        while len(pool) < config.first_pictures + run.step * config.pictures_per_step:
            pool.add(next(source), quality.randint(30, 95))

        x_BCHW, targets = make_batch(pool, random.Random(f"{config.seed}/{run.step}"), config, device)
        run.net.train()
        with torch.autocast(device.type, torch.bfloat16, enabled=in_bf16):
            p_BHW, t_BHW, b_BHW = run.net.maps(x_BCHW)
        losses = detector_losses(p_BHW, t_BHW, b_BHW, **targets)
        run.optimizer.zero_grad(set_to_none=True)
        losses.total.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(run.net.parameters(), config.clip)
        run.optimizer.step()
        run.step += 1
        follow(run.average, run.net, min(config.average, (1 + run.step) / (10 + run.step)))
        recent.append([loss.item() for loss in losses])

        if run.step % 50 == 0:
            total, bce, dice_b, dice_p, l1 = np.mean(recent, axis=0)
            now_s = time.monotonic() - started
            rate = (run.step - shown_step) * config.batch / (now_s - shown_s)
            report(
                f"step {run.step:6d}  loss {total:.3f}  bce {bce:.3f}  dice B {dice_b:.3f} P {dice_p:.3f}  T {l1:.3f}  "
                f"{rate:.1f} crops/s  {len(pool)} pictures  {(budget_s - now_s) / 60:.1f} min left"
            )
            recent, shown_s, shown_step = [], now_s, run.step
        if spent_s >= next_save_s:
            next_save_s += config.checkpoint_minutes * 60
            run.spent_s, run.pictures = spent_s, len(pool)
            save(run, config, validation, report)
    run.spent_s, run.pictures = spent_s, len(pool)
    return save(run, config, validation, report)


@dataclass
class Run:
    """What a training has come to. pictures: how many were generated; None: as many as lie in its folder.

    begun_from: what the manifest said of the weights that it began with, empty where it began with none.
    """

    net: DBNet
    average: dict[str, Tensor]
    optimizer: torch.optim.Optimizer
    begun_from: dict[str, Any]
    step: int = 0
    spent_s: float = 0.0
    pictures: int | None = None


def begin(config: Config, device: torch.device, start_from: Path | None) -> Run:
    """From the checkpoint, from exported weights, or from nothing. Raises WeightsError for weights of another kind."""
    net, begun_from = DBNet(config.backbone), dict[str, Any]()
    checkpoint = config.folder / "checkpoint.pt"
    if start_from is not None and not checkpoint.exists():
        entry, state = weights.load_net(config.name, start_from)
        if entry["kind"] != "detector" or entry["parameters"] != {"backbone": config.backbone}:
            raise WeightsError(f"{config.name} in {start_from} is no detector with the backbone {config.backbone}.")
        net.load_state_dict(state)
        begun_from = {name: entry[name] for name in ("sha256", "figures", "recipe", "begun_from") if name in entry}
    net.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = torch.optim.AdamW(
        parameter_groups(net, config.weight_decay), lr=config.learning_rate, betas=(0.9, 0.99)
    )
    average = {name: value.detach().clone().float() for name, value in net.state_dict().items()}
    if not checkpoint.exists():
        return Run(net, average, optimizer, begun_from)
    saved = torch.load(checkpoint, map_location=device, weights_only=True)
    net.load_state_dict(saved.pop("net"))
    optimizer.load_state_dict(saved.pop("optimizer"))
    return Run(net, optimizer=optimizer, **saved)


def scenes(config: Config, seed: int) -> Iterator[Scene]:
    """Pictures without end."""
    rng = random.Random(seed)
    backgrounds = Backgrounds(config.backgrounds, rng, procedural=config.procedural)
    words = RealWords(config.real_words, rng) if config.real_words else None
    maker = Scenes(config.fonts or find_fonts(), Corpus(config.words, rng), backgrounds, rng, words)
    while True:
        yield maker.make()


def parameter_groups(net: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """Decay for the kernels of convolutions only."""
    kernels = [p for p in net.parameters() if p.ndim > 1]
    rest = [p for p in net.parameters() if p.ndim <= 1]
    return [{"params": kernels, "weight_decay": weight_decay}, {"params": rest, "weight_decay": 0.0}]


def schedule(step: int, warm_up_steps: int, progress: float) -> float:
    """Share of the peak learning rate: a linear rise in steps, then a cosine over the wall time down to 1 %."""
    return min(1.0, (step + 1) / warm_up_steps) * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * min(progress, 1.0))))


def make_batch(
    pool: Pool, rng: random.Random, config: Config, device: torch.device
) -> tuple[Tensor, dict[str, Tensor]]:
    """Normalised pieces x_BCHW and the target maps (B, H/2, W/2) by name."""
    pieces = [pool.draw(rng, config.crop, config.scales) for _ in range(config.batch)]
    size = (config.crop, config.crop)
    targets = [make_targets(p.quads, size, shrink=config.shrink, smallest=SMALLEST_PX) for p in pieces]
    x_BCHW = normalise(np.stack([p.picture for p in pieces])).contiguous(memory_format=torch.channels_last)
    names = ("kernel", "care", "threshold", "band")
    maps = {name: torch.from_numpy(np.stack([getattr(t, name) for t in targets])).to(device) for name in names}
    return x_BCHW.to(device), maps


@torch.no_grad()
def follow(average: dict[str, Tensor], net: nn.Module, decay: float) -> None:
    """Move the running average of weights and statistics towards the net."""
    for name, value in net.state_dict().items():
        average[name].lerp_(value.float(), 1 - decay)


def save(run: Run, config: Config, validation: list[Scene], report: Callable[[str], None]) -> dict[str, float]:
    """Checkpoint, validate the averaged weights, draw them at work, and export them."""
    state: dict[str, Any] = {field.name: getattr(run, field.name) for field in dataclasses.fields(run)}
    state |= {"net": run.net.state_dict(), "optimizer": run.optimizer.state_dict()}
    partial = config.folder / "checkpoint.tmp"
    torch.save(state, partial)
    partial.replace(config.folder / "checkpoint.pt")

    judged = DBNet(config.backbone)
    judged.load_state_dict({name: run.average[name].to(value.dtype) for name, value in judged.state_dict().items()})
    figures = validate(
        judged.fuse(),
        validation,
        config.folder / f"seen-{run.step:06d}.jpg",
        bin_thresh=config.bin_thresh,
        shown_box_thresh=config.box_thresh,
        unclip_ratio=config.unclip_ratio,
        shrink=config.shrink,
    )
    report("validation  " + "  ".join(f"{name} {value:.3f}" for name, value in figures.items()))
    export(run, config, figures | {"steps": run.step, "minutes": round(run.spent_s / 60, 1)})
    return figures


def export(run: Run, config: Config, figures: dict[str, float]) -> None:
    """The averaged weights as fp16 under ``config.name``, with what is needed to use them."""
    archives = [path.stem for path in config.real_words]
    entry = {
        "kind": "detector",
        "architecture": "dbnet",
        "parameters": {"backbone": config.backbone},
        "charset": None,
        "preprocessing": {
            "channels": "RGB",
            "mean": MEAN,
            "scale": SCALE,
            "size_multiple": SIZE_MULTIPLE,
            "shrink": config.shrink,
            "bin_thresh": config.bin_thresh,
            "box_thresh": figures["box_thresh"],
            "unclip_ratio": config.unclip_ratio,
        },
        "recipe": json.loads(json.dumps(dataclasses.asdict(config), default=str)),
        "data": _DATA + ("; word crops (research data sets) of " + ", ".join(archives) if archives else ""),
        "licence": "Apache-2.0 for the weights; the data behind them are under their own terms",
        "figures": figures,
    }
    if run.begun_from:
        entry["begun_from"] = run.begun_from
    weights.save(config.name, run.average, entry, config.weights)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Train a text detector.")
    parser.add_argument("config", type=Path)
    parser.add_argument("--start-from", type=Path, help="folder of exported weights to begin with")
    options = parser.parse_args()
    main(load_config(options.config), lambda line: print(line, flush=True), start_from=options.start_from)
