"""From what a network says of its own readings to how likely they are right.

Networks are surer than they should be. The odds of each character are taken to the power 1 / temperature, one number a
network, found on crops that training keeps aside (``training.calibration``). A text is right when all of its characters
are, which turns out to happen about as often as if they erred independently: its confidence is their product.
"""

from collections.abc import Sequence

import numpy as np

_LEAST, _MOST = 1e-6, 1 - 1e-6


def calibrated(characters: Sequence[float], temperature: float) -> tuple[float, ...]:
    """How likely each character is right, from the network's own probabilities."""
    p = np.clip(characters, _LEAST, _MOST)
    odds = (p / (1 - p)) ** (1 / temperature)
    return tuple((odds / (1 + odds)).tolist())


def certainty(characters: Sequence[float]) -> float:
    """How likely a text is right as a whole; 0 for no text."""
    return float(np.prod(characters)) if len(characters) else 0.0
