"""Tuning values and limits of the settings loader and of password redaction."""

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

    max_yaml_characters: int = 100_000
    """Longest settings file, in characters: about a thousand cameras, which PyYAML parses in about two seconds."""

    max_yaml_depth: int = 20
    """Deepest nesting of values; regions of a source need six."""

    max_yaml_values: int = 50_000
    """Most values of a settings file, with aliases expanded."""

    max_name_characters: int = 200
    """Longest dotted name of a setting, in characters."""

    max_shown_characters: int = 80
    """Longer wrong values are shortened in messages, in characters."""

    max_shown_mistakes: int = 20
    """So many mistakes are described in one message; the others are counted."""

    max_pattern_characters: int = 1000
    """Longest ``pattern``, in characters."""

    max_pattern_repeats: int = 200_000
    """Maximum of the length of a ``pattern`` times its repeat counts, such as 4 in ``\\d{4}``: the regex package writes
    repetitions out, with 300 bytes for each character (measured)."""

    max_lexicon_characters: int = 20_000_000
    """Longest lexicon, in characters: about a million words."""

    max_sources: int = 1000
    """Most sources of one run. Each has a process."""


THRESHOLDS = ConfigThresholds()
