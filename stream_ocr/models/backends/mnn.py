"""Inference with MNN on a CPU.

MNN runs convolutional networks in three quarters of the time of the other backends: it uses Winograd's minimal filters
(arXiv 1509.09308) with AVX2 as well. See docs/decisions/0015.
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
from stream_ocr.models.devices import BackendChoice, mnn_unavailable

_OUT_OF_MEMORY = 1  # MNN::OUT_OF_MEMORY
# The command-line tool would install a package and send usage records; the function behind it does neither.
_CONVERT_SCRIPT = "import sys, MNN, _tools; _tools.mnnconvert(['mnnconvert', *sys.argv[1:]])"


class MnnEngine:
    """A network in MNN's format on the CPU, with one input and one output.

    Raises WeightsError when the file is missing.
    """

    def __init__(self, path: Path, backend: BackendChoice) -> None:
        self.backend = backend
        with _muted_stdout():
            import MNN
        self._mnn = MNN
        if not path.is_file():
            raise WeightsError(f"{path} is missing; reinstall stream-ocr, or export it again.")
        self._interpreter = MNN.Interpreter(str(path))
        self._session = self._interpreter.createSession({"backend": "CPU", "numThread": backend.threads})
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
    """Convert an ONNX file to MNN's format, weights as fp16. Raise WeightsError when MNN is missing or fails."""
    if reason := mnn_unavailable():
        raise WeightsError(f"Exporting for MNN needs MNN, and {reason}; pip install mnn.")
    arguments = ["-f", "ONNX", "--modelFile", str(onnx), "--MNNModel", str(path), "--fp16", "--bizCode", "stream-ocr"]
    path.unlink(missing_ok=True)  # a conversion that fails shows only in that no file is written
    command = [sys.executable, "-c", _CONVERT_SCRIPT, *arguments]
    completed = subprocess.run(command, capture_output=True, text=True, check=False)
    if not path.is_file():
        reason = completed.stderr.strip()[-200:] or f"exit code {completed.returncode}"
        raise WeightsError(f"{onnx} could not be converted for MNN ({reason}).")


@contextmanager
def _muted_stdout() -> Iterator[None]:
    """Mute C's standard output, where MNN prints a banner and events may be written; Python's own is not affected."""
    libc = ctypes.CDLL(None)
    libc.fopen.restype = ctypes.c_void_p
    stdout = ctypes.c_void_p.in_dll(libc, "stdout")
    before, stdout.value = stdout.value, libc.fopen(b"/dev/null", b"w")
    try:
        yield
    finally:
        stdout.value = before  # the null file stays open: libraries loaded meanwhile may hold it
