"""Train a CRNN on made-up lines and real crops: `python -m stream_ocr.training.train_recognizer CONFIG`.

One loop, top to bottom. A run has a budget in minutes (or steps); learning rate, difficulty and the share of real
crops follow the part of it that is spent. Checkpoints resume with optimiser, averages and counters; weights for use
are exported at each checkpoint that is the best so far.
"""

import argparse
import random
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from math import cos, pi
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
import torch
import yaml
from torch import Tensor, nn

from stream_ocr.evaluation.recognition_metrics import Sample, accuracy, exact, letters_and_digits, read
from stream_ocr.models import weights
from stream_ocr.models.devices import computes_bf16
from stream_ocr.models.recognition.charset import DEFAULT
from stream_ocr.models.recognition.crnn import CRNN, normalise
from stream_ocr.models.recognition.input_sizes import ASPECT, HEIGHT, WIDTHS
from stream_ocr.training.data.backgrounds import Backgrounds
from stream_ocr.training.data.corpus import Corpus
from stream_ocr.training.data.fonts import find_fonts
from stream_ocr.training.data.line_images import Lines
from stream_ocr.training.data.word_crops import augment, load_crops
from stream_ocr.training.fit_temperature import best_temperature


@dataclass(frozen=True)
class Recipe:
    """Values of `configs/train/recognizer.yaml`. Paths are relative to the working directory."""

    name: str
    output: Path
    weights: Path
    seed: int
    minutes: float | None
    steps: int | None
    """Used instead of `minutes` where it is given."""
    device: str
    dtype: Literal["auto", "bfloat16", "float32"]
    """auto: bfloat16 where the device computes in it; elsewhere it is many times slower than float32."""
    channels: tuple[int, ...]
    hidden: int
    batch: int
    peak_rate: float
    warm_up: float
    weight_decay: float
    clip: float
    average_decay: float
    easy_samples: int
    line_share: float
    real_shares: dict[float, float]
    """From which part of the budget on, which share of real crops."""
    checkpoint_every_s: float
    words: Path
    greys: Path
    backgrounds: Path
    real_crops: tuple[Path, ...]
    licence: str


def main(config: Path, *, resume: bool = False, minutes: float | None = None, start_from: Path | None = None) -> Path:
    """Run the recipe in `config`, from its checkpoint if `resume`; returns the exported weights.

    start_from: folder of exported weights of the same name to begin with, where there is no checkpoint to resume.
    """
    recipe = read_recipe(config, minutes)
    torch.manual_seed(recipe.seed)
    cv2.setNumThreads(1)
    device, charset = torch.device(recipe.device), DEFAULT
    dtype = dtype_of(recipe)

    net, averaged = (CRNN(len(charset), recipe.channels, recipe.hidden).to(device) for _ in range(2))
    for module in (net, averaged):
        module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    if start_from is not None:
        net.load_state_dict(weights.load_net(recipe.name, start_from)[1])
    averaged.load_state_dict(net.state_dict())
    optimiser = torch.optim.AdamW(net.parameters(), lr=0.0, betas=(0.9, 0.98), weight_decay=recipe.weight_decay)
    step, samples, spent_s, best = 0, 0, 0.0, -1.0
    checkpoint = recipe.output / "checkpoint.pt"
    if resume and checkpoint.is_file():
        saved = torch.load(checkpoint, map_location=device, weights_only=True)
        net.load_state_dict(saved["net"])
        averaged.load_state_dict(saved["average"])
        optimiser.load_state_dict(saved["optimiser"])
        step, samples, spent_s, best = saved["step"], saved["samples"], saved["spent_s"], saved["best"]
        print(f"resumed at step {step}, {spent_s / 60:.1f} minutes spent")

    real, real_validation = load_real(recipe)
    made_up_validation = make_validation(recipe, hardness=0.7, count=384)
    batches = Batches(recipe, real, f"{recipe.seed}-{samples}")
    size = sum(p.numel() for p in net.parameters()) / 1e6
    print(
        f"{size:.2f} M parameters in {dtype} on {device}; {len(find_fonts())} fonts, {len(real)} real crops", flush=True
    )

    losses: list[float] = []
    before = last_checkpoint = last_line = time.monotonic()
    while (part := budget_part(recipe, step, spent_s)) < 1:
        rate = recipe.peak_rate * one_cycle(part, recipe.warm_up)
        for group in optimiser.param_groups:
            group["lr"] = rate

        images_BHW, texts = batches.next(part, samples)
        x_B1HW = normalise(images_BHW).to(device).contiguous(memory_format=torch.channels_last)
        net.train()
        with torch.autocast(device.type, dtype, enabled=dtype != torch.float32):
            logits_TBC = net(x_B1HW)
        loss = ctc_loss(logits_TBC, [charset.encode(text) for text in texts])
        optimiser.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(net.parameters(), recipe.clip)
        optimiser.step()
        update_average(averaged, net, min(recipe.average_decay, (1 + step) / (10 + step)))

        losses = [*losses[-199:], loss.item()]
        step, samples = step + 1, samples + len(texts)
        now = time.monotonic()
        spent_s, before = spent_s + now - before, now
        is_last = budget_part(recipe, step, spent_s) >= 1
        if is_last or now - last_line > 15:
            left_min = (spent_s / budget_part(recipe, step, spent_s) - spent_s) / 60
            print(f"step {step}  samples {samples}  loss {np.mean(losses):.3f}  rate {rate:.1e}  ", end="")
            print(f"{samples / spent_s:.0f} samples/s  {left_min:.1f} min left", flush=True)
            last_line = now

        if is_last or now - last_checkpoint > recipe.checkpoint_every_s:
            figures = {"made_up_exact": accuracy(averaged, charset, made_up_validation, exact)}
            for source, crops in real_validation.items():
                figures[source] = accuracy(averaged, charset, crops, letters_and_digits)
            print(
                f"validation after {samples} samples  ",
                "  ".join(f"{k} {v:.1%}" for k, v in figures.items()),
                flush=True,
            )
            score = sum(figures.values()) / len(figures)
            if score >= best:
                best = score
                entry = manifest_entry(recipe, figures, samples, spent_s)
                entry["calibration"] = {"temperature": honest_temperature(averaged, real_validation)}
                weights.save(recipe.name, averaged.state_dict(), entry, recipe.weights)
            counters = {"step": step, "samples": samples, "spent_s": spent_s, "best": best}
            states = {"net": net.state_dict(), "average": averaged.state_dict(), "optimiser": optimiser.state_dict()}
            save_checkpoint(checkpoint, counters | states)
            last_checkpoint = time.monotonic()
    return recipe.weights / f"{recipe.name}.safetensors"


def read_recipe(config: Path, minutes: float | None = None) -> Recipe:
    """The recipe in a YAML file, its budget replaced by `minutes` if given. Raises ValueError for wrong keys."""
    values: dict[str, Any] = yaml.safe_load(config.read_text(encoding="utf-8"))
    names = {field.name for field in fields(Recipe)}
    missing, unknown = sorted(names - values.keys()), sorted(values.keys() - names)
    if missing or unknown:
        raise ValueError(f"{config} lacks the keys {missing} and has the unknown keys {unknown}; correct them")
    if minutes is not None:
        values |= {"minutes": minutes, "steps": None}
    if (values["minutes"] is None) == (values["steps"] is None):
        raise ValueError(f"{config}: give the budget in minutes or in steps, and set the other to null")
    for name in ("output", "weights", "words", "greys", "backgrounds"):
        values[name] = Path(values[name])
    values |= {"channels": tuple(values["channels"]), "real_crops": tuple(map(Path, values["real_crops"]))}
    return Recipe(**values)


def dtype_of(recipe: Recipe) -> torch.dtype:
    """Return the data type of convolutions and LSTM."""
    if recipe.dtype == "auto":
        return torch.bfloat16 if computes_bf16("cuda" if recipe.device.startswith("cuda") else "cpu") else torch.float32
    return torch.bfloat16 if recipe.dtype == "bfloat16" else torch.float32


def budget_part(recipe: Recipe, step: int, spent_s: float) -> float:
    """Return the spent share of the budget, 0 to 1."""
    if recipe.steps is not None:
        return step / recipe.steps
    assert recipe.minutes is not None
    return spent_s / (60 * recipe.minutes)


def one_cycle(part: float, warm_up: float) -> float:
    """Share of the peak learning rate: a linear rise, then half a cosine down to 1 %."""
    if part < warm_up:
        return 0.02 + 0.98 * part / warm_up
    return 0.01 + 0.99 * 0.5 * (1 + cos(pi * min(1.0, (part - warm_up) / (1 - warm_up))))


def ctc_loss(logits_TBC: Tensor, targets: Sequence[Sequence[int]]) -> Tensor:
    """CTC loss in fp32, averaged over characters and samples; a text too long for its picture counts nothing."""
    steps, size, _ = logits_TBC.shape
    lengths = torch.tensor([len(target) for target in targets])
    joined = torch.tensor([i for target in targets for i in target], device=logits_TBC.device)
    log_p_TBC = logits_TBC.float().log_softmax(dim=2)
    return nn.functional.ctc_loss(log_p_TBC, joined, torch.full((size,), steps), lengths, zero_infinity=True)


@torch.no_grad()
def update_average(averaged: nn.Module, net: nn.Module, decay: float) -> None:
    """Exponential moving average of parameters and batch statistics."""
    for mean, tensor in zip(averaged.state_dict().values(), net.state_dict().values(), strict=True):
        if tensor.is_floating_point():
            mean.lerp_(tensor, 1 - decay)
        else:
            mean.copy_(tensor)


class Batches:
    """Batches of one width. Samples wait in their width's queue until it is full, so nothing is padded."""

    def __init__(self, recipe: Recipe, real: Sequence[Sample], seed: str) -> None:
        self._recipe, self._real = recipe, real
        self._rng = random.Random(seed)
        self._lines = make_lines(recipe, seed)
        self._waiting: dict[int, list[Sample]] = {}

    def next(self, part: float, samples: int) -> tuple[np.ndarray, list[str]]:
        """`images_BHW` uint8 and texts, as hard as this part of the run wants them."""
        ease = min(1.0, samples / max(1, self._recipe.easy_samples))
        hardness, max_characters = 0.25 + 0.75 * ease, round(6 + 42 * ease)
        real_share = max((share for since, share in self._recipe.real_shares.items() if part >= since), default=0.0)
        while True:
            if self._real and self._rng.random() < real_share:
                sample = augment(self._rng.choice(self._real), self._rng)
            else:
                sample = self._lines.sample(hardness, max_characters)
            width = sample.image.shape[1]
            queue = self._waiting.setdefault(width, [])
            queue.append(sample)
            if len(queue) == self._recipe.batch:
                del self._waiting[width]
                return np.stack([s.image for s in queue]), [s.text for s in queue]


def make_lines(recipe: Recipe, seed: str) -> Lines:
    """The recipe's generator. Data that is not there is replaced by made-up words, greys and grounds."""
    rng = random.Random(f"lines-{seed}")
    grounds = Backgrounds(recipe.backgrounds, rng)
    return Lines(Corpus(recipe.words, rng), grounds, find_fonts(), recipe.greys, rng, line_share=recipe.line_share)


def make_validation(recipe: Recipe, hardness: float, count: int) -> list[Sample]:
    """Made-up lines, the same ones in every run with the same fonts and data."""
    for path in (recipe.words, recipe.greys, recipe.backgrounds):
        if not path.exists():
            print(f"{path} is not here: made-up stand-ins are used")
    lines = make_lines(recipe, "validation")
    return [lines.sample(hardness) for _ in range(count)]


def load_real(recipe: Recipe) -> tuple[list[Sample], dict[str, list[Sample]]]:
    """Real crops to train on, and by source those kept for validation."""
    training: list[Sample] = []
    validation: dict[str, list[Sample]] = {}
    for archive in recipe.real_crops:
        if not archive.is_file():
            print(f"{archive} is not here: trained without it")
            continue
        crops = load_crops(archive, DEFAULT)
        training += crops.training
        validation[archive.stem] = crops.validation
    return training, validation


def manifest_entry(recipe: Recipe, figures: dict[str, float], samples: int, spent_s: float) -> dict[str, Any]:
    """Return the manifest entry of these weights."""
    data = [path.stem for path in (recipe.words, recipe.greys, recipe.backgrounds, *recipe.real_crops) if path.exists()]
    values = {key: value for key, value in asdict(recipe).items() if isinstance(value, int | float)}
    return {
        "kind": "recognizer",
        "architecture": "crnn",
        "parameters": {"channels": list(recipe.channels), "hidden": recipe.hidden},
        "charset": DEFAULT.characters,
        "preprocessing": {
            "height": HEIGHT,
            "widths": list(WIDTHS),
            "aspect": ASPECT,
            "input": "grey, (x - mean) / (deviation + 8)",
        },
        "recipe": values | {"dtype": recipe.dtype, "samples": samples, "minutes_spent": round(spent_s / 60, 1)},
        "data": ["generated lines", *data],
        "licence": recipe.licence,
        "figures": {name: round(value, 4) for name, value in figures.items()},
    }


def honest_temperature(net: CRNN, validation: dict[str, list[Sample]]) -> float:
    """Return the temperature fitted on the real validation crops; 1 without any."""
    return best_temperature(list(read(net, DEFAULT, [sample for crops in validation.values() for sample in crops])))


def save_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Write a checkpoint so that a run killed half-way leaves the one before."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".part")
    torch.save(state, temporary)
    temporary.replace(path)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Train a text recogniser.")
    parser.add_argument("config", type=Path)
    parser.add_argument("--resume", action="store_true", help="go on from the last checkpoint")
    parser.add_argument("--minutes", type=float, help="another budget than the recipe's")
    parser.add_argument("--start-from", type=Path, help="folder of exported weights to begin with")
    options = vars(parser.parse_args())
    print(main(options.pop("config"), **options))
