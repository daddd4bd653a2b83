"""Random styles of text."""

import random

from stream_ocr.training.data.compositing import Style


def overlay_style(rng: random.Random) -> Style:
    """Return a style of overlays: captions, clocks, names, watermarks."""
    u, faint = rng.random(), rng.random() < 0.15
    return Style(
        plate=rng.uniform(0.3, 1) if u < 0.4 else 0,
        outline=rng.uniform(0.04, 0.12) if u > 0.7 else 0,
        shadow=rng.uniform(0.4, 0.9) if rng.random() < 0.2 else 0,
        opacity=rng.uniform(0.35, 0.8) if faint else rng.uniform(0.85, 1),
        captions=rng.random() < 0.7,
        least_contrast=25 if faint else 50,
    )


def scene_style(rng: random.Random) -> Style:
    """Return a style of text in the scene: signs, walls, shirts."""
    return Style(
        outline=rng.uniform(0.03, 0.14) if rng.random() < 0.14 else 0,
        shadow=rng.uniform(0.4, 0.9) if rng.random() < 0.2 else 0,
        opacity=rng.uniform(0.8, 1) if rng.random() < 0.85 else rng.uniform(0.45, 0.8),
        blur=rng.uniform(0.4, 1.3) if rng.random() < 0.2 else 0,
        least_contrast=22 if rng.random() < 0.25 else 45,
    )
