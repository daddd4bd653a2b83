"""Inference with MNN on a CPU.

With AVX2, MNN runs convolutional networks in three quarters of the time of the other backends, since it uses Winograd's
minimal filters (arXiv 1509.09308) there as well. See docs/decisions/0015 and 0021.
"""

import ctypes
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from stream_ocr.errors import WeightsError
from stream_ocr.models.backends.base import INPUT, OUTPUT
from stream_ocr.models.devices import BackendChoice, not_installed

# The command-line tool would install a package and send usage records; the function behind it does neither.
_CONVERT_SCRIPT = "import sys, MNN, _tools; _tools.mnnconvert(['mnnconvert', *sys.argv[1:]])"


class MnnEngine:
    """A network in MNN's format on the CPU, with the input and the output that ``export`` names.

    Uses MNN's module interface, since a session cannot run the loop that MNN makes of a recurrent layer. Raises
    WeightsError when the file is missing.
    """

    def __init__(self, path: Path, backend: BackendChoice) -> None:
        self.backend = backend
        if not path.is_file():
            raise WeightsError(f"{path} is missing; reinstall stream-ocr, or export it again.")
        with _muted_stdout():
            import MNN
            from MNN import expr

            self._expr = expr
            self._runtime = MNN.nn.create_runtime_manager(({"backend": "CPU", "numThread": backend.threads},))
            self._module = MNN.nn.load_module_from_file(str(path), [INPUT], [OUTPUT], runtime_manager=self._runtime)

    def run(self, x: np.ndarray) -> np.ndarray:
        outputs = self._module.forward([self._expr.const(np.ascontiguousarray(x), x.shape, self._expr.NCHW)])
        y = np.array(self._expr.convert(outputs[0], self._expr.NCHW).read()) if outputs else np.empty(0)
        if not y.size:
            # MNN reports no reason here; its own network on a valid batch fails only when memory runs out.
            raise MemoryError(f"MNN could not run the network on a batch of {x.shape}.")
        return y


def convert(onnx: Path, path: Path) -> None:
    """Convert an ONNX file to MNN's format, weights as fp16. Raise WeightsError when MNN is missing or fails."""
    if absent := not_installed("mnn"):
        raise WeightsError(f"Networks cannot be exported for MNN: {absent}.")
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
