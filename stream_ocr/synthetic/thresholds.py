"""Tuning values of synthetic clips, one frozen dataclass per concern.

Tests and benchmarks compare with figures of these clips; to change a value changes the clips.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class VisibilityThresholds:
    """When a text counts as visible in the truth (``text.py``); a convention, which the metrics rely on."""

    min_opacity: float = 0.5
    """Least opacity, 0 to 1: half faded in."""

    min_height_share: float = 0.9
    """Share of the height of a clipped line below which none of its letters counts as visible."""


@dataclass(frozen=True, slots=True)
class BackgroundRecipe:
    """Simple backgrounds (``backgrounds.py``); chosen by hand."""

    discs: int = 7
    """Discs that drift over a "moving" background."""

    pan_margin_px: int = 240
    """Pixels by which a texture is larger than the picture, for the pan."""

    noise_margin_px: int = 64
    """Pixels by which the grain of "noise" is larger than the picture, for random shifts."""

    noise_levels: float = 5.0
    """Standard deviation of "noise" in grey levels."""


@dataclass(frozen=True, slots=True)
class FootageRecipe:
    """Film, street and room (``footage.py``); chosen by hand to resemble footage."""

    objects: int = 5
    """Moving objects in a shot."""

    texture_scale: float = 1.25
    """Size of the texture of a shot relative to the picture, for the pan."""

    grain_margin_px: int = 64
    """Pixels by which the grain is larger than the picture, for random shifts."""


VISIBILITY = VisibilityThresholds()
BACKGROUNDS = BackgroundRecipe()
FOOTAGE = FootageRecipe()
