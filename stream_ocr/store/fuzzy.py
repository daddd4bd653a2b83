"""Approximate substring search that tolerates misread letters."""

from itertools import pairwise

from stream_ocr.store.thresholds import THRESHOLDS


class FuzzyMatcher:
    """Matches a query against texts, ignoring case, with one error allowed per four letters."""

    def __init__(self, text: str) -> None:
        self._text = text.lower()
        self.errors = len(self._text) // THRESHOLDS.letters_per_error

    def parts(self) -> list[str]:
        """Return parts of the query of which every match contains at least one without an error."""
        count, length = self.errors + 1, len(self._text)
        cuts = [length * n // count for n in range(count + 1)]
        return [self._text[start:end] for start, end in pairwise(cuts)]

    def matches(self, text: str) -> bool:
        """Return whether a substring of ``text`` is within ``errors`` edits (Levenshtein) of the query.

        Sellers' algorithm: one row of the distance matrix per character of ``text``.
        """
        previous = list(range(len(self._text) + 1))
        if previous[-1] <= self.errors:
            return True
        for found in text.lower():
            row = [0]  # a match may start anywhere
            for n, wanted in enumerate(self._text):
                row.append(min(previous[n] + (wanted != found), previous[n + 1] + 1, row[n] + 1))
            if row[-1] <= self.errors:
                return True
            previous = row
        return False
