"""Names and texts of strangers, made safe for a terminal and for JSON."""

import os
import unicodedata

_ESCAPED = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def escape_unprintable(text: str) -> str:
    """Escape control characters and those that change the text direction.

    Text in front of a camera, or the name of a file, must not move the cursor or hide earlier output.
    """
    return "".join(char if is_printable(char) else _escaped(char) for char in text)


def encodable(text: str) -> str:
    """Return a name without the surrogates that stand for bytes that are not UTF-8; they are written as ``\\xNN``."""
    return "".join(_escaped(char) if "\ud800" <= char <= "\udfff" else char for char in text)


def path_to_text(path: str | os.PathLike[str]) -> str:
    """Return a path with a character for each byte, because JSON has none for bytes that are not UTF-8."""
    return os.fsencode(path).decode("latin-1")


def text_to_path(text: str) -> str:
    """Return the path that ``path_to_text`` wrote."""
    return os.fsdecode(text.encode("latin-1"))


def is_printable(char: str) -> bool:
    """Return whether the character is visible on a terminal and has no other effect."""
    return char == " " or unicodedata.category(char) not in _ESCAPED


def _escaped(char: str) -> str:
    if "\udc80" <= char <= "\udcff":  # a byte of a file name that is not UTF-8 (PEP 383)
        return f"\\x{ord(char) - 0xDC00:02x}"
    return f"\\u{{{ord(char):x}}}"
