"""Calibration of confidences by temperature scaling.

Networks are overconfident. The odds of each character are raised to the power 1 / temperature, one number per network,
fitted on crops that training keeps aside (``training.fit_temperature``). A text is right when all of its characters
are, about as often as if their errors were independent: its confidence is their product.
"""

from collections.abc import Sequence

import numpy as np

_MIN_PROBABILITY, _MAX_PROBABILITY = 1e-6, 1 - 1e-6  # keeps the odds finite


def calibrate(char_confidences: Sequence[float], temperature: float) -> tuple[float, ...]:
    """Return the calibrated probability of each character, 0 to 1, from the network's own."""
    p = np.clip(char_confidences, _MIN_PROBABILITY, _MAX_PROBABILITY)
    odds = (p / (1 - p)) ** (1 / temperature)
    return tuple((odds / (1 + odds)).tolist())


def text_confidence(char_confidences: Sequence[float]) -> float:
    """Return the probability that a whole text is right, from calibrated characters; 0 for an empty text."""
    return float(np.prod(char_confidences)) if len(char_confidences) else 0.0
