"""Hold a labelled picture: what generators make and photographs are cut to."""

from dataclasses import dataclass, field

import numpy as np

NO_QUADS = np.zeros((0, 4, 2), np.float32)


@dataclass(frozen=True, slots=True)
class Scene:
    """A labelled picture.

    picture: (H, W, 3) uint8 RGB. quads: (N, 4, 2) float32, clockwise from the reading direction's top left. ignored:
    further quads (M, 4, 2), in which no answer counts.
    """

    picture: np.ndarray
    quads: np.ndarray
    ignored: np.ndarray = field(default_factory=lambda: NO_QUADS)
