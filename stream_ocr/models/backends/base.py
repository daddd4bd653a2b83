"""The interface of inference backends. Arrays in, arrays out."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

import numpy as np

from stream_ocr.models.devices import BackendChoice

INPUT, OUTPUT = "x", "p"
"""Names of the input and the output of exported networks."""

_OUT_OF_MEMORY = ("out of memory", "allocate memory", "bad_alloc", "bad allocation")


class Engine(Protocol):
    """A network that is ready to run."""

    backend: BackendChoice

    def run(self, x: np.ndarray) -> np.ndarray:
        """Return the network's first output for a batch, both float32. Raise MemoryError for a batch too large."""
        ...


@contextmanager
def convert_out_of_memory() -> Iterator[None]:
    """Raise MemoryError where a runtime reports that memory ran out.

    Neither torch nor ONNX Runtime has one exception class for it on all devices, so the message decides.
    """
    try:
        yield
    except Exception as error:
        if any(sign in str(error).lower() for sign in _OUT_OF_MEMORY):
            raise MemoryError(str(error).partition("\n")[0]) from error
        raise
