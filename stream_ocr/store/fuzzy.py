"""Whether a text is somewhere in another, but for a few letters that were misread."""

from itertools import pairwise

_LETTERS_PER_ERROR = 4


class Fuzzy:
    """A text to look for, one error allowed for every four letters; case does not count."""

    def __init__(self, text: str) -> None:
        self._text = text.lower()
        self.errors = len(self._text) // _LETTERS_PER_ERROR

    def parts(self) -> list[str]:
        """Parts of which at least one stands unharmed in every text that ``is_in`` accepts."""
        count, length = self.errors + 1, len(self._text)
        cuts = [length * n // count for n in range(count + 1)]
        return [self._text[start:end] for start, end in pairwise(cuts)]

    def is_in(self, text: str) -> bool:
        """Whether some part of ``text`` is at most ``errors`` insertions, deletions and replacements away."""
        before = list(range(len(self._text) + 1))
        if before[-1] <= self.errors:
            return True
        for there in text.lower():
            row = [0]  # it may begin anywhere
            for n, here in enumerate(self._text):
                row.append(min(before[n] + (here != there), before[n + 1] + 1, row[n] + 1))
            if row[-1] <= self.errors:
                return True
            before = row
        return False
