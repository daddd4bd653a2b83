"""Calibration of confidences by temperature scaling.

Networks are overconfident. The odds of each character are raised to the power 1 / temperature, one number per network,
fitted on crops that training keeps aside (``training.fit_temperature``). A text is right when all of its characters
are. Their errors are not independent: what blurs one letter of a line blurs the others, and the further inputs, the
language model and the second reader correct some. So the product of the characters is too low a confidence for a text,
the lower the longer it is.
"""

from collections.abc import Sequence

import numpy as np

from stream_ocr.models.recognition.thresholds import THRESHOLDS

_MIN_PROBABILITY, _MAX_PROBABILITY = 1e-6, 1 - 1e-6  # keeps the odds finite


def calibrate(char_confidences: Sequence[float], temperature: float) -> tuple[float, ...]:
    """Return the calibrated probability of each character, 0 to 1, from the network's own."""
    p = np.clip(char_confidences, _MIN_PROBABILITY, _MAX_PROBABILITY)
    odds = (p / (1 - p)) ** (1 / temperature)
    return tuple((odds / (1 + odds)).tolist())


def text_confidence(char_confidences: Sequence[float]) -> float:
    """Return the probability that a whole text is right, from calibrated characters; 0 for an empty text.

    n characters err as often as n ** (1 - ``length_exponent``) independent ones.
    """
    if not len(char_confidences):
        return 0.0
    return float(joint_probability(char_confidences) ** (len(char_confidences) ** -THRESHOLDS.length_exponent))


def joint_probability(char_confidences: Sequence[float]) -> float:
    """Return the product of calibrated characters, by which readings of one text are compared; 0 for an empty text."""
    return float(np.prod(char_confidences)) if len(char_confidences) else 0.0
