"""MNN runs a convolutional network on a CPU in three quarters of the time that others take: it uses Winograd's minimal
filters (arXiv 1509.09308) with AVX2, too. See docs/decisions/0015.
"""

import ctypes
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from stream_ocr.errors import WeightsError
from stream_ocr.models.devices import Picked, no_mnn

_OUT_OF_MEMORY = 1
# The tool of this name would install a package and send records of what it converts; what it calls does neither.
_CONVERT = "import sys, MNN, _tools; _tools.mnnconvert(['mnnconvert', *sys.argv[1:]])"


class MnnEngine:
    """A network in MNN's own form on the CPU: one input, one output. Raises WeightsError when its file is missing."""

    def __init__(self, path: Path, picked: Picked) -> None:
        self.picked = picked
        with _no_greetings():
            import MNN
        self._mnn = MNN
        if not path.is_file():
            raise WeightsError(f"{path} is missing; reinstall stream-ocr, or export it again.")
        self._interpreter = MNN.Interpreter(str(path))
        self._session = self._interpreter.createSession({"backend": "CPU", "numThread": picked.threads})
        self._input = self._interpreter.getSessionInput(self._session)

    def run(self, x: np.ndarray) -> np.ndarray:
        if self._input.getShape() != x.shape:
            self._interpreter.resizeTensor(self._input, x.shape)
            self._interpreter.resizeSession(self._session)
        self._input.copyFrom(self._tensor(np.ascontiguousarray(x)))
        if code := self._interpreter.runSession(self._session):
            if code == _OUT_OF_MEMORY:
                raise MemoryError(f"MNN has not enough memory for a batch of {x.shape}.")
            raise RuntimeError(f"MNN could not run the network on a batch of {x.shape} (code {code}).")
        output = self._interpreter.getSessionOutput(self._session)
        y = self._tensor(np.empty(output.getShape(), dtype=np.float32))
        output.copyToHostTensor(y)
        return np.array(y.getNumpyData())

    def _tensor(self, array: np.ndarray) -> Any:
        return self._mnn.Tensor(array.shape, self._mnn.Halide_Type_Float, array, self._mnn.Tensor_DimensionType_Caffe)


def convert(onnx: Path, path: Path) -> None:
    """Write an ONNX file in MNN's form, weights as fp16. Raises WeightsError."""
    if reason := no_mnn():
        raise WeightsError(f"To export for MNN takes MNN, and {reason}; pip install mnn.")
    told = ["-f", "ONNX", "--modelFile", str(onnx), "--MNNModel", str(path), "--fp16", "--bizCode", "stream-ocr"]
    path.unlink(missing_ok=True)  # a conversion that fails says so only by leaving no file
    done = subprocess.run([sys.executable, "-c", _CONVERT, *told], capture_output=True, text=True, check=False)
    if not path.is_file():
        raise WeightsError(f"{onnx} could not be converted for MNN ({done.stderr.strip()[-200:] or done.returncode}).")


@contextmanager
def _no_greetings() -> Iterator[None]:
    """MNN greets on C's standard output, where events may be written. Python's own output goes other ways."""
    libc = ctypes.CDLL(None)
    libc.fopen.restype = ctypes.c_void_p
    stdout = ctypes.c_void_p.in_dll(libc, "stdout")
    before, stdout.value = stdout.value, libc.fopen(b"/dev/null", b"w")
    try:
        yield
    finally:
        stdout.value = before  # the other stays open: what was loaded meanwhile may have kept it
