"""Train the detector: ``python -m stream_ocr.training.train_detector CONFIG``.

The same line resumes a run that was stopped or killed; it draws from the pictures in its folder. ``--anneal STEPS``
makes usable weights of the run's present state and leaves it alone: a copy trains so many steps more while its rate
falls to zero. ``--export FOLDER`` writes the averaged weights as they are, for a run that is to go on (``--start-from
FOLDER``) on a machine without its checkpoint.
"""

import argparse
import dataclasses
import os
import shutil
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from stream_ocr.models.devices import computes_bf16
from stream_ocr.training.detector_config import Config, load_config
from stream_ocr.training.detector_export import export_weights
from stream_ocr.training.detector_pieces import Pieces
from stream_ocr.training.detector_run import Run, begin
from stream_ocr.training.losses import detector_losses
from stream_ocr.training.run_folder import (
    CHECKPOINT,
    CURVE,
    Curve,
    copy_origin,
    export_curve,
    exported_curve,
    load_checkpoint,
    locked,
    stop_on_sigterm,
)
from stream_ocr.training.snapshots import ANNEALED, IN_TRAINING
from stream_ocr.training.thresholds import REPORTS

Report = Callable[[str], None]


def train(config: Config, report: Report = print, *, start_from: Path | None = None) -> dict[str, Any]:
    """Train until the last step or SIGTERM; return the last validation figures. Each validation exports the weights.

    start_from: see ``detector_run.begin``. Raise SettingsError while another process trains into the folder.
    """
    with locked(config.folder), stop_on_sigterm() as stop:
        run = begin(config, torch.device(config.device), start_from)
        return _train(run, config, report, start_from, stop)


def _train(run: Run, config: Config, report: Report, start_from: Path | None, stop: threading.Event) -> dict[str, Any]:
    counters, device = run.counters, torch.device(config.device)
    if counters.step:
        report(f"continued at step {counters.step}, {counters.core_s / 3600:.2f} core-hours")
    continued = exported_curve(config.name, start_from) if start_from else None
    curve = Curve(config.folder / CURVE, "step", counters.step, continued)
    counted_from_s = time.process_time() - counters.core_s
    pieces = Pieces(config, run.counters)
    report(f"{len(pieces.pool)} generated and {len(pieces.real)} real pictures")

    recent: list[list[float]] = []
    figures: dict[str, Any] = {}
    logged_s = time.process_time()
    while counters.step < config.steps and not stop.is_set():
        recent.append(_step(run, config, *pieces.batch(counters.step, device)))
        counters.core_s = time.process_time() - counted_from_s
        if counters.step % REPORTS.detector_steps == 0:
            rate = len(recent) * config.batch / (time.process_time() - logged_s)
            losses = dict(zip(("loss", "bce", "dice_b", "dice_p", "threshold"), np.mean(recent, axis=0), strict=True))
            rounded = {name: round(float(value), 4) for name, value in losses.items()}
            curve.add(_progress(run) | {"crops_per_core_s": round(rate, 2)} | rounded)
            line = "  ".join(f"{name} {value:.3f}" for name, value in losses.items())
            report(f"step {counters.step:6d}  {line}  {rate:.1f} crops/s  {counters.core_s / 3600:.2f} core-hours")
            recent, logged_s = [], time.process_time()
        is_last = counters.step == config.steps
        if is_last or stop.is_set() or counters.step % config.checkpoint_steps == 0:
            counters.pictures = len(pieces.pool)
            run.save(config.folder)
        if is_last or counters.step % config.validation_steps == 0:
            state = ANNEALED if is_last and config.anneal_steps else IN_TRAINING
            figures = export_weights(run, config, report, state)
            curve.add(_progress(run) | {"validation": figures})
            logged_s = time.process_time()
    return figures


def _progress(run: Run) -> dict[str, Any]:
    counters = run.counters
    return {"step": counters.step, "crops": counters.crops, "core_hours": round(counters.core_s / 3600, 3)}


def _step(run: Run, config: Config, x_BCHW: Tensor, targets: dict[str, Tensor]) -> list[float]:
    """Take one step of the optimiser; returns the losses."""
    device = x_BCHW.device.type
    run.rate.apply(run.optimizer, run.counters.step)
    run.net.train()
    # bf16 is many times slower where the hardware does not compute in it.
    with torch.autocast(device, torch.bfloat16, enabled=bool(computes_bf16("cuda" if device == "cuda" else "cpu"))):
        p_BHW, t_BHW, b_BHW = run.net.maps(x_BCHW)
    losses = detector_losses(p_BHW, t_BHW, b_BHW, **targets)
    run.optimizer.zero_grad(set_to_none=True)
    losses.total.backward()  # type: ignore[no-untyped-call]
    torch.nn.utils.clip_grad_norm_(run.net.parameters(), config.clip)
    run.optimizer.step()
    run.average.update_parameters(run.net)
    run.counters.step += 1
    run.counters.crops += len(x_BCHW)
    return [loss.item() for loss in losses]


def anneal(config: Config, steps: int, into: Path | None = None, report: Report = print) -> Path:
    """Train a copy of the checkpoint for ``steps`` more while the rate falls to zero; return its exported weights.

    into: folder of the copy and of its ``weights``, ``annealed-<step>`` in the run's folder unless given. Started again
    after a kill with the same folder, the annealing goes on.
    """
    into = into or config.folder / f"annealed-{load_checkpoint(config.folder / CHECKPOINT)['step']}"
    origin = copy_origin(config.folder, into)
    last_step = load_checkpoint(origin)["step"] + steps
    if not (into / "pool").exists():
        # Links, since the run goes on and drops its oldest pictures; its index is another's to write.
        shutil.copytree(config.folder / "pool", into / "pool", copy_function=_link_picture)
    annealing = dataclasses.replace(
        config,
        folder=into,
        weights=into / "weights",
        steps=last_step,
        anneal_steps=steps,
        validation_steps=2 * last_step,  # at the end only
        pictures_per_step=0,
    )
    train(annealing, report, start_from=origin)
    return into / "weights" / f"{config.name}.safetensors"


def _link_picture(source: str, target: str) -> None:
    if source.endswith(".jpg"):
        os.link(source, target)
    else:
        shutil.copy(source, target)


def export(config: Config, folder: Path, report: Report = print) -> Path:
    """Write the averaged weights of the checkpoint and the curve into a folder, without annealing; return the weights.

    The run may be in progress.
    """
    run = begin(dataclasses.replace(config, device="cpu"), torch.device("cpu"), config.folder / CHECKPOINT)
    figures = export_weights(run, dataclasses.replace(config, weights=folder), report, IN_TRAINING)
    row = _progress(run) | {"validation": figures}
    export_curve(config.folder / CURVE, config.name, folder, row, every=REPORTS.exported_every)
    return folder / f"{config.name}.safetensors"


def run_command(
    config: Config,
    report: Report,
    start_from: Path | None = None,
    anneal_steps: int | None = None,
    into: Path | None = None,
    export_to: Path | None = None,
) -> None:
    """Export, anneal or train, as the command line says."""
    if export_to:
        report(f"exported: {export(config, export_to, report)}")
    elif anneal_steps:
        report(f"exported: {anneal(config, anneal_steps, into, report)}")
    else:
        train(config, report, start_from=start_from)


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description="Train a text detector, or resume its training.")
    parser.add_argument("config", type=Path)
    parser.add_argument("--start-from", type=Path, metavar="FOLDER", help="exported weights, if there is no checkpoint")
    parser.add_argument("--anneal", type=int, metavar="STEPS", help="make usable weights of the run's present state")
    parser.add_argument("--into", type=Path, metavar="FOLDER", help="folder of the annealing")
    parser.add_argument("--export", type=Path, metavar="FOLDER", help="export the present state without annealing")
    options = parser.parse_args()
    config, report = load_config(options.config), partial(print, flush=True)
    run_command(config, report, options.start_from, options.anneal, options.into, options.export)


if __name__ == "__main__":
    main()
