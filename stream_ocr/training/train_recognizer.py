"""Train the recogniser: ``python -m stream_ocr.training.train_recognizer CONFIG``.

The same line resumes a run that was stopped or killed. The learning rate is constant after a warm-up, so a run has no
planned end. ``--anneal STEPS`` makes usable weights of its present state and leaves it alone: a copy trains so many
steps more while its rate falls to zero. ``--export FOLDER`` writes the averaged weights as they are, for a run that is
to go on (``--start-from FOLDER``) on a machine without its checkpoint.
"""

import argparse
import dataclasses
import time
from collections import deque
from collections.abc import Callable, Mapping
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np

from stream_ocr.models import weights
from stream_ocr.training.data.line_batches import LineBatches, load_real, missing_data
from stream_ocr.training.optimisation import LearningRate
from stream_ocr.training.recognizer_export import export_weights, table
from stream_ocr.training.recognizer_recipe import Recipe, read_recipe
from stream_ocr.training.recognizer_run import Run, begin
from stream_ocr.training.recognizer_sets import ValidationSet, figures, load_sets
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


def train(recipe: Recipe, report: Report = print, *, start_from: Path | None = None, steps: int | None = None) -> Run:
    """Train from the checkpoint, if there is one, until the recipe's core-hours are spent or SIGTERM arrives.

    Where the recipe has ``anneal_steps``, weights are annealed and exported then. start_from: see
    ``recognizer_run.begin``. steps: ends the run after so many steps in all. Raise SettingsError while another process
    trains into the folder.
    """
    with locked(recipe.output):
        run = begin(recipe, recipe.output, start_from)
        continued = exported_curve(recipe.name, start_from) if start_from else None
        curve = Curve(recipe.output / CURVE, "samples", run.counters.samples, continued)
        ended = _Trainer(run, recipe.output, curve, report).train(recipe.schedule.core_hours, steps)
    if ended and recipe.schedule.anneal_steps:
        anneal(recipe, recipe.schedule.anneal_steps, report=report)
    return run


def anneal(recipe: Recipe, steps: int, into: Path | None = None, report: Report = print) -> Path:
    """Train a copy of the checkpoint for ``steps`` more while the rate falls to zero; return its exported weights.

    into: folder of the copy, ``annealed-<samples>`` in the run's folder unless given. Started again after a kill with
    the same folder, the annealing goes on.
    """
    samples = load_checkpoint(recipe.output / CHECKPOINT)["counters"]["samples"]
    into = into or recipe.output / f"annealed-{samples}"
    origin = copy_origin(recipe.output, into)
    last_step = load_checkpoint(origin)["counters"]["step"] + steps
    with locked(into):
        run = begin(recipe, into, origin)
        curve = Curve(into / CURVE, "samples", run.counters.samples)
        trainer = _Trainer(run, into, curve, report, last_step=last_step, anneal_steps=steps)
        trainer.train(None, last_step)
        return export_weights(run, trainer.sets(), into, ANNEALED, report)


def export(recipe: Recipe, folder: Path, report: Report = print) -> Path:
    """Write the averaged weights of the checkpoint and the curve into a folder, without annealing; return the weights.

    The run may be in progress.
    """
    run = begin(recipe, recipe.output, recipe.output / CHECKPOINT)
    sets = load_sets(recipe.data, recipe.charset)
    path = export_weights(run, sets, folder, IN_TRAINING, report)
    row = _curve_row(run, weights.manifest(folder)[recipe.name]["figures"], sets)
    export_curve(recipe.output / CURVE, recipe.name, folder, row)
    return path


class _Trainer:
    """The loop: batches, steps, log lines, validations and checkpoints in a folder."""

    def __init__(
        self,
        run: Run,
        folder: Path,
        curve: Curve,
        report: Report,
        *,
        last_step: int | None = None,
        anneal_steps: int = 0,
    ) -> None:
        recipe = run.recipe
        self._run, self._schedule, self._folder, self._curve, self._report = run, recipe.schedule, folder, curve, report
        self._rate = LearningRate(
            recipe.schedule.peak_rate, recipe.schedule.warm_up_steps, run.counters.begun_at, last_step, anneal_steps
        )
        self.sets: Callable[[], dict[str, ValidationSet]] = cache(partial(load_sets, recipe.data, recipe.charset))
        real = load_real(recipe.data, recipe.charset)
        crops = [crop for part in real.values() for crop in part]
        # New samples after a resumption, not those of the beginning once more.
        seed = f"{recipe.schedule.seed}-{run.counters.samples}"
        self._batches = LineBatches(recipe.data, recipe.charset, crops, seed)
        self._losses: deque[float] = deque(maxlen=REPORTS.recognizer_loss_steps)
        counters, size = run.counters, sum(p.numel() for p in run.net.parameters()) / 1e6
        report(
            f"{size:.2f} M parameters in {'bf16' if run.uses_bf16 else 'fp32'} on {recipe.device}; begins at step "
            f"{counters.step}, {counters.samples} samples, {counters.core_s / 3600:.2f} core-hours"
        )
        report("real crops: " + (", ".join(f"{name} {len(part)}" for name, part in real.items()) or "none"))
        if missing := missing_data(recipe.data, real):
            report(f"not here, trained without: {', '.join(missing)}")

    def train(self, core_hours: float | None, last_step: int | None) -> bool:
        """Train until so much processor time or so many steps in all; return False if SIGTERM arrived before."""
        run, counters, schedule = self._run, self._run.counters, self._schedule
        counted_from_s, first_sample = counters.core_s - time.process_time(), counters.samples
        begun_s, logged, saved = counters.core_s, time.monotonic(), time.monotonic()
        with stop_on_sigterm() as stop:
            while not stop.is_set() and not _is_over(run, core_hours, last_step):
                self._losses.append(run.take_step(*self._batches.next(counters.samples), self._rate))
                counters.core_s = counted_from_s + time.process_time()
                now = time.monotonic()
                if now - logged > REPORTS.recognizer_s:
                    self._log((counters.samples - first_sample) / (counters.core_s - begun_s))
                    logged = now
                is_due = counters.core_s - counters.validated_core_s > schedule.validate_every_core_s
                if is_due:
                    self._validate()
                if is_due or now - saved > schedule.checkpoint_every_s:
                    run.save(self._folder)
                    saved = time.monotonic()
            if self._losses:
                self._log((counters.samples - first_sample) / max(1e-9, counters.core_s - begun_s))
                if not stop.is_set():
                    self._validate()
                run.save(self._folder)
            return not stop.is_set()

    def _log(self, samples_per_core_s: float) -> None:
        counters = self._run.counters
        self._report(
            f"step {counters.step}  samples {counters.samples}  core-hours {counters.core_s / 3600:.3f}  "
            f"loss {np.mean(self._losses):.3f}  rate {self._rate.at(counters.step):.1e}  "
            f"{samples_per_core_s:.1f} samples/core-s"
        )

    def _validate(self) -> None:
        counters, sets = self._run.counters, self.sets()
        counters.validated_core_s = counters.core_s
        shares = figures(self._run.average.module, self._run.recipe.charset, sets)
        loss = round(float(np.mean(self._losses)), 4)
        self._curve.add({"loss": loss} | _curve_row(self._run, shares, sets))
        self._report(table(shares))


def _curve_row(run: Run, shares: Mapping[str, float], sets: Mapping[str, ValidationSet]) -> dict[str, Any]:
    counters = run.counters
    core_hours = round(counters.core_s / 3600, 4)
    return {
        "step": counters.step,
        "samples": counters.samples,
        "core_hours": core_hours,
        **{name: round(share, 4) for name, share in shares.items()},
        "crops": {name: len(part.samples) for name, part in sets.items()},
    }


def _is_over(run: Run, core_hours: float | None, last_step: int | None) -> bool:
    counters = run.counters
    return (last_step is not None and counters.step >= last_step) or (
        core_hours is not None and counters.core_s >= 3600 * core_hours
    )


def run_command(
    recipe: Recipe,
    report: Report,
    start_from: Path | None = None,
    anneal_steps: int | None = None,
    into: Path | None = None,
    export_to: Path | None = None,
) -> None:
    """Export, anneal or train, as the command line says."""
    if export_to:
        report(f"exported: {export(recipe, export_to, report)}")
    elif anneal_steps:
        report(f"exported: {anneal(recipe, anneal_steps, into, report)}")
    else:
        train(recipe, report, start_from=start_from)


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description="Train a text recogniser, or resume its training.")
    parser.add_argument("config", type=Path)
    parser.add_argument("--start-from", type=Path, metavar="FOLDER", help="exported weights, if there is no checkpoint")
    parser.add_argument("--core-hours", type=float, help="processor time in all at which the run ends")
    parser.add_argument("--anneal", type=int, metavar="STEPS", help="make usable weights of the run's present state")
    parser.add_argument("--into", type=Path, metavar="FOLDER", help="folder of the annealing")
    parser.add_argument("--export", type=Path, metavar="FOLDER", help="export the present state without annealing")
    parser.add_argument("--output", type=Path, metavar="FOLDER", help="another folder than the recipe's")
    options = parser.parse_args()
    recipe = read_recipe(options.config)
    if options.output:
        recipe = dataclasses.replace(recipe, output=options.output)
    if options.core_hours:
        recipe = dataclasses.replace(
            recipe, schedule=dataclasses.replace(recipe.schedule, core_hours=options.core_hours)
        )
    report = partial(print, flush=True)
    run_command(recipe, report, options.start_from, options.anneal, options.into, options.export)


if __name__ == "__main__":
    main()
