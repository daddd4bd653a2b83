"""Train the detector: ``python -m stream_ocr.training.train_detector CONFIG``.

The schedule follows the clock: whatever the machine, the learning rate has come down when ``minutes`` are over.
A run that is started again goes on where its last checkpoint stood.
"""

import dataclasses
import json
import math
import random
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
import yaml
from torch import Tensor, nn

from stream_ocr import weights
from stream_ocr.detection.boxes import find_boxes
from stream_ocr.detection.dbnet import MEAN, SCALE, SIZE_MULTIPLE, Backbone, DBNet, normalise
from stream_ocr.engines import computes_bf16
from stream_ocr.errors import SettingsError
from stream_ocr.training.backgrounds import Backgrounds
from stream_ocr.training.corpus import Corpus
from stream_ocr.training.fonts import find_fonts
from stream_ocr.training.losses import detector_losses
from stream_ocr.training.matching import Tally, by_iou, heights
from stream_ocr.training.pool import Pool
from stream_ocr.training.scenes import Scene, Scenes
from stream_ocr.training.targets import make_targets

SMALLEST_PX = 7.0
"""Lower lines are neither learned nor counted."""


SCORES = (0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8)
"""Box scores that validation chooses from."""


@dataclass(frozen=True)
class Config:
    """Everything that tells one run from another; see configs/train/detector.yaml.

    folder: of checkpoints, pictures and sheets. weights: where the net is exported; None: weights/ of the checkout.
    fonts: font files; none: every Latin font of the machine.
    """

    name: str
    folder: Path
    minutes: float
    weights: Path | None = None
    backbone: Backbone = "small"
    threads: int = 1
    device: str = "cpu"
    seed: int = 1
    words: Path | None = None
    backgrounds: Path | None = None
    fonts: tuple[Path, ...] = ()
    procedural: float = 0.14
    first_pictures: int = 1500
    pictures_per_step: float = 1.5
    pool: int = 8000
    crop: int = 384
    scales: tuple[float, float] = (0.4, 1.6)
    batch: int = 8
    shrink: float = 0.6
    learning_rate: float = 3e-3
    weight_decay: float = 0.01
    warm_up_steps: int = 60
    clip: float = 5.0
    average: float = 0.998
    checkpoint_minutes: float = 2.0
    validation_pictures: int = 40
    binarise: float = 0.3
    score: float = 0.6
    unclip: float = 1.1


def load_config(path: Path) -> Config:
    """The run that a YAML file describes. Raises SettingsError for unknown or missing names."""
    values: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    fields = {f.name: f for f in dataclasses.fields(Config)}
    unknown = sorted(values.keys() - fields.keys())
    missing = sorted(n for n, f in fields.items() if f.default is dataclasses.MISSING and n not in values)
    if unknown or missing:
        known = ", ".join(fields)
        raise SettingsError(f"{path} has unknown names {unknown} and lacks {missing}; the known ones are {known}.")
    for name in ("folder", "weights", "words", "backgrounds"):
        if values.get(name) is not None:
            values[name] = Path(values[name])
    for name in ("scales", "fonts"):
        if name in values:
            values[name] = tuple(Path(v) if name == "fonts" else v for v in values[name])
    return Config(**values)


def main(config: Config, report: Callable[[str], None] = print) -> dict[str, float]:
    """Train until the time is over; returns the last validation figures. Exports the weights at every checkpoint."""
    torch.set_num_threads(config.threads)
    cv2.setNumThreads(1)
    torch.manual_seed(config.seed)
    config.folder.mkdir(parents=True, exist_ok=True)
    device = torch.device(config.device)
    in_bf16 = bool(computes_bf16("cuda" if device.type == "cuda" else "cpu"))  # elsewhere it is many times slower

    net = DBNet(config.backbone).to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    average = {name: value.detach().clone().float() for name, value in net.state_dict().items()}
    groups = parameter_groups(net, config.weight_decay)
    optimizer = torch.optim.AdamW(groups, lr=config.learning_rate, betas=(0.9, 0.99))
    step, spent_s, pictures = 0, 0.0, 0
    checkpoint = config.folder / "checkpoint.pt"
    if checkpoint.exists():
        saved = torch.load(checkpoint, map_location=device, weights_only=True)
        net.load_state_dict(saved["net"])
        optimizer.load_state_dict(saved["optimizer"])
        average, step, spent_s, pictures = saved["average"], saved["step"], saved["spent_s"], saved["pictures"]
        report(f"goes on at step {step}, {spent_s / 60:.1f} min")

    budget_s, started = config.minutes * 60, time.monotonic() - spent_s
    validation = list(islice(scenes(config, config.seed + 1_000_000), config.validation_pictures))
    source, pool = scenes(config, config.seed + pictures), Pool(config.folder / "pool", config.pool, pictures)
    quality = random.Random(config.seed + pictures)
    while len(pool) < config.first_pictures:
        pool.add(next(source), quality.randint(30, 95))
    report(f"{len(pool)} pictures, {time.monotonic() - started - spent_s:.0f} s")

    recent: list[list[float]] = []
    next_save_s, shown_s, shown_step = spent_s + config.checkpoint_minutes * 60, time.monotonic() - started, step
    while (spent_s := time.monotonic() - started) < budget_s or step == 0:
        for group in optimizer.param_groups:
            group["lr"] = config.learning_rate * schedule(step, config.warm_up_steps, spent_s / budget_s)
        while len(pool) < config.first_pictures + step * config.pictures_per_step:
            pool.add(next(source), quality.randint(30, 95))

        x_BCHW, targets = make_batch(pool, random.Random(f"{config.seed}/{step}"), config, device)
        net.train()
        with torch.autocast(device.type, torch.bfloat16, enabled=in_bf16):
            p_BHW, t_BHW, b_BHW = net.maps(x_BCHW)
        losses = detector_losses(p_BHW, t_BHW, b_BHW, **targets)
        optimizer.zero_grad(set_to_none=True)
        losses.total.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(net.parameters(), config.clip)
        optimizer.step()
        step += 1
        follow(average, net, min(config.average, (1 + step) / (10 + step)))
        recent.append([loss.item() for loss in losses])

        if step % 50 == 0:
            total, bce, dice_b, dice_p, l1 = np.mean(recent, axis=0)
            now_s = time.monotonic() - started
            rate = (step - shown_step) * config.batch / (now_s - shown_s)
            report(
                f"step {step:6d}  loss {total:.3f}  bce {bce:.3f}  dice B {dice_b:.3f} P {dice_p:.3f}  T {l1:.3f}  "
                f"{rate:.1f} crops/s  {len(pool)} pictures  {(budget_s - now_s) / 60:.1f} min left"
            )
            recent, shown_s, shown_step = [], now_s, step
        if spent_s >= next_save_s:
            next_save_s += config.checkpoint_minutes * 60
            save(config, net, average, optimizer, step, spent_s, len(pool), validation, report)
    return save(config, net, average, optimizer, step, spent_s, len(pool), validation, report)


def scenes(config: Config, seed: int) -> Iterator[Scene]:
    """Pictures without end."""
    rng = random.Random(seed)
    backgrounds = Backgrounds(config.backgrounds, rng, procedural=config.procedural)
    maker = Scenes(config.fonts or find_fonts(), Corpus(config.words, rng), backgrounds, rng)
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


def save(
    config: Config,
    net: DBNet,
    average: dict[str, Tensor],
    optimizer: torch.optim.Optimizer,
    step: int,
    spent_s: float,
    pictures: int,
    validation: list[Scene],
    report: Callable[[str], None],
) -> dict[str, float]:
    """Checkpoint, validate the averaged weights, draw them at work, and export them."""
    state: dict[str, Any] = {"net": net.state_dict(), "optimizer": optimizer.state_dict(), "average": average}
    state |= {"step": step, "spent_s": spent_s, "pictures": pictures}
    partial = config.folder / "checkpoint.tmp"
    torch.save(state, partial)
    partial.replace(config.folder / "checkpoint.pt")

    judged = DBNet(config.backbone)
    judged.load_state_dict({name: value.to(net.state_dict()[name].dtype) for name, value in average.items()})
    figures = validate(judged.fuse(), validation, config, config.folder / f"seen-{step:06d}.jpg")
    report("validation  " + "  ".join(f"{name} {value:.3f}" for name, value in figures.items()))
    export(config, average, figures | {"steps": step, "minutes": round(spent_s / 60, 1)})
    return figures


@torch.no_grad()
def validate(net: DBNet, pictures: list[Scene], config: Config, sheet: Path) -> dict[str, float]:
    """Precision, recall and F at IoU 0.5 over generated pictures, at the score that gives the best F.

    ``sheet`` shows the first six pictures with their boxes at ``config.score``, each beside its P.
    """
    tallies = [Tally() for _ in SCORES]
    shown: list[np.ndarray] = []
    for scene in pictures:
        height, width = scene.picture.shape[:2]
        margins = ((0, -height % SIZE_MULTIPLE), (0, -width % SIZE_MULTIPLE), (0, 0))
        padded = np.pad(scene.picture, margins)
        with torch.autocast("cpu", torch.bfloat16, enabled=bool(computes_bf16("cpu"))):
            p_HW = net(normalise(padded)[None].contiguous(memory_format=torch.channels_last))[0].numpy()
        boxes = find_boxes(p_HW, binarise=config.binarise, score=SCORES[0], unclip=config.unclip, shrink=config.shrink)
        for row, least in enumerate(SCORES):
            found = [quad * net.stride for quad, score in boxes if score >= least]
            tallies[row] += by_iou(found, scene.quads, heights(scene.quads) >= SMALLEST_PX)
        if len(shown) < 6:
            shown.append(
                picture_of(padded, p_HW, [quad * net.stride for quad, score in boxes if score >= config.score])
            )
    cv2.imwrite(str(sheet), cv2.cvtColor(np.vstack(shown), cv2.COLOR_RGB2BGR))
    best = max(range(len(SCORES)), key=lambda row: tallies[row].f)
    tally = tallies[best]
    return {"P": tally.precision, "R": tally.recall, "F": tally.f, "score": SCORES[best]}


def picture_of(picture: np.ndarray, p_HW: np.ndarray, found: list[np.ndarray]) -> np.ndarray:
    """The picture with its boxes beside its probability map."""
    drawn = picture.copy()
    cv2.polylines(drawn, [q.round().astype(np.int32) for q in found], True, (255, 0, 0), 2)
    heat = cv2.resize((p_HW * 255).astype(np.uint8), (picture.shape[1], picture.shape[0]))
    pair = np.hstack([drawn, cv2.cvtColor(heat, cv2.COLOR_GRAY2RGB)])
    return cv2.resize(pair, (960, 360), interpolation=cv2.INTER_AREA)


def export(config: Config, state: dict[str, Tensor], figures: dict[str, float]) -> None:
    """The averaged weights as fp16 under ``config.name``, with what is needed to use them."""
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
            "binarise": config.binarise,
            "score": figures["score"],
            "unclip": config.unclip,
        },
        "recipe": json.loads(json.dumps(dataclasses.asdict(config), default=str)),
        "data": "generated pictures only: Latin fonts of Debian, the word list of MJSynth (MIT), "
        "photographs of BSDS500 and ImageNet samples (research data sets) as grounds",
        "licence": "Apache-2.0",
        "figures": figures,
    }
    weights.save(config.name, state, entry, config.weights)


if __name__ == "__main__":
    main(load_config(Path(sys.argv[1])), lambda line: print(line, flush=True))
