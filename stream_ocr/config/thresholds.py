"""Tuning values of the settings loader and of password redaction."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ConfigThresholds:
    """Chosen by hand on typical misspellings and camera addresses."""

    name_similarity: float = 0.7
    """Minimum ratio of difflib (0–1) between an unknown and a known dotted name for "did you mean"."""

    last_part_similarity: float = 0.75
    """The same for the last part of the names only, which is tried second."""

    min_secret_length: int = 4
    """Shorter passwords and tokens (in characters) are not redacted on their own: they occur in ordinary words."""


THRESHOLDS = ConfigThresholds()
