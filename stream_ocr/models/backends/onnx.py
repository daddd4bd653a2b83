"""Inference with ONNX Runtime."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from stream_ocr.errors import DeviceError, WeightsError
from stream_ocr.models.backends.base import convert_out_of_memory
from stream_ocr.models.devices import BackendChoice, import_onnxruntime

_LOG_ERRORS_ONLY = 3  # log_severity_level of ONNX Runtime


class OnnxEngine:
    """An ONNX file in ONNX Runtime, with one input and one output that counts, the first.

    Raises WeightsError when the file is missing or not an ONNX model, DeviceError when CUDA does not start.
    """

    def __init__(self, path: Path, backend: BackendChoice) -> None:
        onnxruntime = import_onnxruntime()
        self.backend = backend
        providers = ["CUDAExecutionProvider"] if backend.device == "cuda" else []
        try:
            self._session = onnxruntime.InferenceSession(
                str(path), _session_options(backend.threads), providers=[*providers, "CPUExecutionProvider"]
            )
        except Exception as error:  # onnxruntime has a class for each status code, with no common base of its own
            reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
            raise WeightsError(f"{path} cannot be loaded as an ONNX model ({reason}); check the path.") from error
        if providers and providers[0] not in self._session.get_providers():
            raise DeviceError(f"onnxruntime could not start CUDA for {path.name}; set device to cpu.")
        self._input = self._session.get_inputs()[0].name
        self._output = self._session.get_outputs()[0].name

    def run(self, x: np.ndarray) -> np.ndarray:
        with convert_out_of_memory():
            result: np.ndarray = self._session.run([self._output], {self._input: x})[0]
            return result

    @property
    def input_shape(self) -> tuple[int | None, ...]:
        """Shape (B, C, H, W) of the input, None for dimensions of any size."""
        return _fixed_sizes(self._session.get_inputs()[0].shape)

    @property
    def output_shape(self) -> tuple[int | None, ...]:
        """Shape of the first output, None for dimensions that depend on the input."""
        return _fixed_sizes(self._session.get_outputs()[0].shape)

    @property
    def metadata(self) -> dict[str, str]:
        """Custom metadata of the file."""
        metadata: dict[str, str] = self._session.get_modelmeta().custom_metadata_map
        return metadata


def _fixed_sizes(shape: Sequence[int | str | None]) -> tuple[int | None, ...]:
    return tuple(size if isinstance(size, int) and size > 0 else None for size in shape)


def _session_options(threads: int) -> Any:
    options = import_onnxruntime().SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = _LOG_ERRORS_ONLY
    # Spinning threads take the core from the other stages: half of the throughput with two busy processes.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # Memory plans would be kept for every input shape.
    options.enable_mem_pattern = False
    return options
