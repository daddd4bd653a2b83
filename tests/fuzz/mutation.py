"""Hostile inputs: mutated bytes, and files that hold them."""

import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

T = TypeVar("T")


@cache
def folder() -> Path:
    """Return a folder for the files of this process."""
    holder = tempfile.TemporaryDirectory(prefix="stream-ocr-fuzz-")
    _kept.append(holder)
    return Path(holder.name)


_kept: list[tempfile.TemporaryDirectory] = []


def attempt(error: type[Exception], call: Callable[..., T], *args: Any, **kwargs: Any) -> tuple[T | None, str]:
    """Return the result of a call and no sentence, or None and the sentence of the error."""
    try:
        return call(*args, **kwargs), ""
    except error as caught:
        return None, str(caught)


@st.composite
def mutated(draw: st.DrawFn, originals: SearchStrategy[bytes]) -> bytes:
    """Draw bytes with some replaced, removed, repeated or inserted."""
    data = bytearray(draw(originals))
    for _ in range(draw(st.integers(1, 8))):
        at = draw(st.integers(0, len(data)))
        length = draw(st.sampled_from([0, 1, 1, 2, 4, 16, 256, 4096]))
        match draw(st.sampled_from(["replace", "remove", "repeat", "insert", "cut", "extreme"])):
            case "replace":
                data[at : at + length] = draw(st.binary(min_size=length, max_size=length))
            case "remove":
                del data[at : at + length]
            case "repeat":
                data[at:at] = data[at : at + length]
            case "insert":
                data[at:at] = draw(st.binary(max_size=32))
            case "cut":
                del data[max(at, 8) :]
            case "extreme":
                value = draw(st.sampled_from([b"\0", b"\xff", b"\x7f"]))
                data[at : at + length] = value * length
    return bytes(data)
