"""Characters of a recogniser and their class numbers."""

from collections.abc import Iterable

BLANK = 0
"""Class that CTC uses for "no character here"."""

ASCII = "".join(map(chr, range(0x20, 0x7F)))
LATIN1_LETTERS = "".join(chr(c) for c in range(0xC0, 0x100) if c not in (0xD7, 0xF7))


class Charset:
    """An ordered set of characters. Character ``i`` is class ``i + 1``; class 0 is the blank.

    ``len()`` is the number of classes, including the blank. Raises ValueError for a character that is listed twice.
    """

    def __init__(self, characters: str) -> None:
        if len(set(characters)) != len(characters):
            duplicate = next(c for i, c in enumerate(characters) if c in characters[:i])
            raise ValueError(f"a charset lists each character once, but {duplicate!r} is there twice")
        self.characters = characters
        self._ids = {character: i for i, character in enumerate(characters, start=BLANK + 1)}

    def __len__(self) -> int:
        return len(self.characters) + 1

    def __contains__(self, character: str) -> bool:
        return character in self._ids

    def covers(self, text: str) -> bool:
        """Return True when every character of the text has a class."""
        return all(character in self._ids for character in text)

    def encode(self, text: str) -> list[int]:
        """Return the class numbers of a text. Raise ValueError for a character outside the set."""
        try:
            return [self._ids[character] for character in text]
        except KeyError as error:
            raise ValueError(f"{text!r} holds {error.args[0]!r}, which this charset does not know") from None

    def decode(self, ids: Iterable[int]) -> str:
        """Return the text of class numbers without blanks. Repeats are kept; CTC decoding collapses them first."""
        return "".join(self.characters[i - 1] for i in ids if i != BLANK)


DEFAULT = Charset(ASCII + LATIN1_LETTERS)
"""Space, printable ASCII and the letters of Latin-1: 157 characters, 158 classes."""
