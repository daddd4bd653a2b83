"""Train the detector: ``python -m stream_ocr.training.train_detector CONFIG``.

The schedule follows steps. A run that is started again goes on where its last checkpoint stood, and draws from the
pictures in its folder. ``--cool-down STEPS --into FOLDER`` makes usable weights of its present state and leaves it
alone: a copy trains so many steps more while its rate falls to nothing.
"""

import argparse
import dataclasses
import json
import os
import random
import shutil
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor

from stream_ocr.evaluation.detector_by_source import measure, net_finder, validation_sets
from stream_ocr.models import weights
from stream_ocr.models.detection.dbnet import MEAN, SCALE, SIZE_MULTIPLE, DBNet, normalise
from stream_ocr.models.devices import computes_bf16
from stream_ocr.training.data.backgrounds import Backgrounds
from stream_ocr.training.data.corpus import Corpus
from stream_ocr.training.data.fonts import find_fonts
from stream_ocr.training.data.real_images import RealPictures
from stream_ocr.training.data.sample_pool import Pool
from stream_ocr.training.data.scene import Scene
from stream_ocr.training.data.scene_images import Scenes
from stream_ocr.training.data.scripts import OtherScripts, find_script_fonts
from stream_ocr.training.data.word_patches import RealWords
from stream_ocr.training.detector_config import Config, load_config
from stream_ocr.training.detector_run import CHECKPOINT, CURVE, Curve, Run, begin, save_checkpoint
from stream_ocr.training.losses import detector_losses
from stream_ocr.training.targets import make_targets
from stream_ocr.training.validation import SMALLEST_PX, validate

_DATA = (
    "generated pictures: Latin fonts of Debian, the word list of MJSynth (MIT), photographs of BSDS500 and ImageNet "
    "samples (research data sets) as grounds"
)
REPORT_STEPS = 50


def main(config: Config, report: Callable[[str], None] = print, *, start_from: Path | None = None) -> dict[str, Any]:
    """Train until the last step; returns the last validation figures. Exports the weights at every validation.

    start_from: where there is no checkpoint to go on from: exported weights, or the checkpoint of another run.
    """
    torch.set_num_threads(config.threads)
    cv2.setNumThreads(1)
    torch.manual_seed(config.seed)
    config.folder.mkdir(parents=True, exist_ok=True)
    device = torch.device(config.device)

    run = begin(config, device, start_from)
    if run.step:
        report(f"goes on at step {run.step}, {run.core_s / 3600:.2f} core-hours")
    curve = Curve(config.folder / CURVE, run.step)
    begun_s = time.process_time() - run.core_s
    pieces = Pieces(config, run)
    report(f"{len(pieces.pool)} generated and {len(pieces.real)} real pictures")

    recent: list[list[float]] = []
    figures: dict[str, Any] = {}
    shown_s = time.process_time()
    while run.step < config.steps:
        recent.append(_step(run, config, *pieces.batch(run.step, device)))
        run.core_s = time.process_time() - begun_s
        if run.step % REPORT_STEPS == 0:
            rate = len(recent) * config.batch / (time.process_time() - shown_s)
            losses = dict(zip(("loss", "bce", "dice_b", "dice_p", "threshold"), np.mean(recent, axis=0), strict=True))
            curve.add(run, crops_per_core_s=round(rate, 2), **{k: round(float(v), 4) for k, v in losses.items()})
            told = "  ".join(f"{name} {value:.3f}" for name, value in losses.items())
            report(f"step {run.step:6d}  {told}  {rate:.1f} crops/s  {run.core_s / 3600:.2f} core-hours")
            recent, shown_s = [], time.process_time()
        last = run.step == config.steps
        if last or run.step % config.checkpoint_steps == 0:
            run.pictures = len(pieces.pool)
            save_checkpoint(run, config.folder)
        if last or run.step % config.validation_steps == 0:
            figures = judge(run, config, report)
            curve.add(run, validation=figures)
            shown_s = time.process_time()
    return figures


class Pieces:
    """Make batches of pieces of generated pictures, which keep coming, and of real ones; the step decides which."""

    def __init__(self, config: Config, run: Run) -> None:
        self._config = config
        self.pool = Pool(config.folder / "pool", config.pool, run.pictures)
        self.real = RealPictures(config.real_pictures)
        seed = config.seed + len(self.pool)
        self._scenes, self._quality = scenes(config, seed), random.Random(seed)
        self._fill(run.step)

    def _fill(self, step: int) -> None:
        while len(self.pool) < self._config.first_pictures + step * self._config.pictures_per_step:
            self.pool.add(next(self._scenes), self._quality.randint(30, 95))

    def batch(self, step: int, device: torch.device) -> tuple[Tensor, dict[str, Tensor]]:
        """Return normalised pieces x_BCHW and the target maps (B, H/2, W/2) by name."""
        config = self._config
        self._fill(step)
        rng = random.Random(f"{config.seed}/{step}")
        noise = np.random.default_rng(rng.getrandbits(64))
        pieces = [
            self.real.draw(rng, noise, config.crop, config.scales)
            if rng.random() < config.real_share
            else self.pool.draw(rng, config.crop, config.scales)
            for _ in range(config.batch)
        ]
        size = (config.crop, config.crop)
        targets = [
            make_targets(p.quads, size, shrink=config.shrink, smallest=SMALLEST_PX, ignored=p.ignored) for p in pieces
        ]
        x_BCHW = normalise(np.stack([p.picture for p in pieces])).contiguous(memory_format=torch.channels_last)
        names = ("kernel", "care", "threshold", "band")
        maps = {name: torch.from_numpy(np.stack([getattr(t, name) for t in targets])).to(device) for name in names}
        return x_BCHW.to(device), maps


def _step(run: Run, config: Config, x_BCHW: Tensor, targets: dict[str, Tensor]) -> list[float]:
    """Take one step of the optimiser; returns the losses."""
    device = x_BCHW.device.type
    run.net.train()
    # Where it is not computed in hardware bf16 is many times slower.
    with torch.autocast(device, torch.bfloat16, enabled=bool(computes_bf16("cuda" if device == "cuda" else "cpu"))):
        p_BHW, t_BHW, b_BHW = run.net.maps(x_BCHW)
    losses = detector_losses(p_BHW, t_BHW, b_BHW, **targets)
    run.optimizer.zero_grad(set_to_none=True)
    losses.total.backward()  # type: ignore[no-untyped-call]
    torch.nn.utils.clip_grad_norm_(run.net.parameters(), config.clip)
    run.optimizer.step()
    run.scheduler.step()
    run.average.update_parameters(run.net)
    run.step += 1
    run.crops += len(x_BCHW)
    return [loss.item() for loss in losses]


def scenes(config: Config, seed: int) -> Iterator[Scene]:
    """Yield generated pictures without end."""
    rng = random.Random(seed)
    backgrounds = Backgrounds(config.backgrounds, rng, procedural=config.procedural)
    words = RealWords(config.real_words, rng) if config.real_words else None
    fonts = [*config.fonts] or _fonts(config.folder)
    others = OtherScripts({} if config.fonts else find_script_fonts(), rng)
    maker = Scenes(fonts, Corpus(config.words, rng), backgrounds, rng, words, others)
    while True:
        yield maker.make()


def _fonts(folder: Path) -> list[Path]:
    """Return the fonts that the run began with: to look through thousands of files takes minutes."""
    listed = folder / "fonts.json"
    if listed.exists():
        return [Path(path) for path in json.loads(listed.read_text())]
    fonts = find_fonts()
    listed.write_text(json.dumps([str(path) for path in fonts]) + "\n")
    return fonts


def judge(run: Run, config: Config, report: Callable[[str], None]) -> dict[str, Any]:
    """Validate the averaged weights and export them."""
    net = DBNet(config.backbone)
    net.load_state_dict(run.averaged_state())
    net.fuse().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    figures: dict[str, Any]
    if config.validation is not None:
        measured = measure(net_finder(net, shrink=config.shrink), validation_sets(config.validation))
        report(measured.table())
        figures = measured.values()
    else:
        figures = validate(
            net,
            list(islice(scenes(config, config.seed + 1_000_000), config.validation_pictures)),
            config.folder / f"seen-{run.step:06d}.jpg",
            bin_thresh=config.bin_thresh,
            shown_box_thresh=config.box_thresh,
            unclip_ratio=config.unclip_ratio,
            shrink=config.shrink,
        )
        report("validation  " + "  ".join(f"{name} {value:.3f}" for name, value in figures.items()))
    export(run, config, figures | {"steps": run.step, "core_hours": round(run.core_s / 3600, 2)})
    return figures


def export(run: Run, config: Config, figures: dict[str, Any]) -> None:
    """Save the averaged weights as fp16 under ``config.name``, with what is needed to use them."""
    archives = ", ".join(path.stem for path in config.real_words)
    pictures = ", ".join(path.stem for path in config.real_pictures)
    recipe = dataclasses.asdict(dataclasses.replace(config, real_pictures={}))
    recipe["real_pictures"] = {path.stem: weight for path, weight in config.real_pictures.items()}
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
        "recipe": json.loads(json.dumps(recipe, default=str)),
        "data": _DATA
        + (f"; word crops (research data sets) of {archives}" if archives else "")
        + (f"; pictures (research data sets, in part labelled by PP-OCRv6) of {pictures}" if pictures else ""),
        "licence": "Apache-2.0 for the weights; the data behind them are under their own terms",
        "figures": figures,
    }
    if run.begun_from:
        entry["begun_from"] = run.begun_from
    weights.save(config.name, run.averaged_state(), entry, config.weights)


def cool_down(config: Config, steps: int, into: Path, report: Callable[[str], None] = print) -> dict[str, Any]:
    """Train a copy of the run's present state for ``steps`` more while the rate falls to nothing.

    Checkpoint and ``weights`` go into the folder ``into``; the run itself stays as it is. Started again after a kill,
    it goes on.
    """
    checkpoint, origin = config.folder / CHECKPOINT, into / "origin.pt"
    into.mkdir(parents=True, exist_ok=True)
    if not origin.exists():
        origin.write_bytes(checkpoint.read_bytes())
    begun_at = torch.load(origin, weights_only=True)["step"]
    if not (into / "pool").exists():
        # Links, since the run goes on and drops its oldest pictures; its index is another's to write.
        shutil.copytree(config.folder / "pool", into / "pool", copy_function=_link_picture)
    cooling = dataclasses.replace(
        config,
        folder=into,
        weights=into / "weights",
        steps=begun_at + steps,
        cooldown_steps=steps,
        validation_steps=10 * begun_at + steps,  # at the end only
        pictures_per_step=0,
    )
    return main(cooling, report, start_from=origin)


def _link_picture(source: str, target: str) -> None:
    if source.endswith(".jpg"):
        os.link(source, target)
    else:
        shutil.copy(source, target)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Train a text detector.")
    parser.add_argument("config", type=Path)
    parser.add_argument("--start-from", type=Path, help="folder of exported weights, or a checkpoint, to begin with")
    parser.add_argument("--cool-down", type=int, metavar="STEPS", help="make usable weights of the run's present state")
    parser.add_argument("--into", type=Path, help="folder of the cool-down")
    options = parser.parse_args()

    def say(line: str) -> None:
        print(line, flush=True)

    if options.cool_down:
        cool_down(load_config(options.config), options.cool_down, options.into, say)
    else:
        main(load_config(options.config), say, start_from=options.start_from)
