"""Batches for the detector: pieces of generated pictures and of real ones, with their targets."""

import json
import random
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from stream_ocr.models.detection.dbnet import normalise
from stream_ocr.training.data.backgrounds import Backgrounds
from stream_ocr.training.data.corpus import Corpus
from stream_ocr.training.data.fonts import find_fonts
from stream_ocr.training.data.real_images import RealPictures
from stream_ocr.training.data.sample_pool import Pool
from stream_ocr.training.data.scene import Scene
from stream_ocr.training.data.scene_images import Scenes
from stream_ocr.training.data.scripts import OtherScripts, find_script_fonts
from stream_ocr.training.data.word_patches import RealWords
from stream_ocr.training.detector_config import Config
from stream_ocr.training.detector_run import Counters
from stream_ocr.training.targets import make_targets


class Pieces:
    """Make batches of pieces of generated pictures, which keep coming, and of real ones; the step decides which."""

    def __init__(self, config: Config, counters: Counters) -> None:
        self._config = config
        self.pool = Pool(config.folder / "pool", config.pool, counters.pictures)
        self._begun_at = counters.begun_at
        self.real = RealPictures(config.real_pictures)
        seed = config.seed + len(self.pool) + self._begun_at
        self._scenes, self._quality = scenes(config, seed), random.Random(seed)
        self._fill(counters.step)

    def _fill(self, step: int) -> None:
        taken = step - self._begun_at
        while len(self.pool) < self._config.first_pictures + taken * self._config.pictures_per_step:
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
        targets = [make_targets(p.quads, size, shrink=config.shrink, ignored=p.ignored) for p in pieces]
        x_BCHW = normalise(np.stack([p.picture for p in pieces])).contiguous(memory_format=torch.channels_last)
        names = ("kernel", "care", "threshold", "band")
        maps = {name: torch.from_numpy(np.stack([getattr(t, name) for t in targets])).to(device) for name in names}
        return x_BCHW.to(device), maps


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
