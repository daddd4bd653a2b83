"""Names and other texts of strangers, as they can be shown on a terminal."""

import unicodedata

_ESCAPED = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Controls, invisible formatting such as bidi overrides, undecodable bytes, line and paragraph separators."""


def printable(text: str) -> str:
    """Return the text with everything escaped that a terminal would act on or could not show."""
    return "".join(_escaped(char) if unicodedata.category(char) in _ESCAPED else char for char in text)


def _escaped(char: str) -> str:
    if "\udc80" <= char <= "\udcff":  # a byte of a file name that is not UTF-8 (PEP 383)
        return f"\\x{ord(char) - 0xDC00:02x}"
    return char.encode("unicode_escape").decode("ascii")
