import subprocess
import sys

import pytest
import torch

from stream_ocr.errors import DeviceError
from stream_ocr.models.devices import pick_device, usable_cores


def test_pick_device_is_deterministic_and_gives_a_reason() -> None:
    for runtime in ("torch", "onnx"):
        backend = pick_device(runtime=runtime)
        assert backend == pick_device(runtime=runtime)
        assert backend.reason
        assert backend.runtime in str(backend)
        assert backend.device in str(backend)


def test_pick_device_takes_explicit_settings() -> None:
    backend = pick_device("cpu", dtype="fp32", threads=3)
    assert (backend.device, backend.dtype, backend.threads) == ("cpu", "fp32", 3)
    assert "3 threads" in str(backend)
    assert 1 <= pick_device("cpu", runtime="onnx").threads <= usable_cores()


def test_pick_device_rejects_bf16_for_onnx() -> None:
    assert pick_device("cpu", runtime="onnx").dtype == "fp32"
    with pytest.raises(DeviceError, match="bf16"):
        pick_device("cpu", runtime="onnx", dtype="bf16")


@pytest.mark.parametrize("runtime", ["torch", "onnx"])
def test_pick_device_never_replaces_missing_cuda_silently(runtime) -> None:
    if torch.cuda.is_available():
        pytest.skip("there is a CUDA device")
    with pytest.raises(DeviceError, match="cuda was requested"):
        pick_device("cuda", runtime=runtime)
    assert "CUDA" in pick_device("auto", runtime=runtime).reason


@pytest.mark.parametrize("overrides", ["'cuda'", "'cpu', dtype='bf16'", "'cpu'"])
def test_pick_device_names_the_extra_of_a_runtime_that_is_not_installed(overrides: str) -> None:
    program = (
        "import sys; sys.modules['torch'] = None\n"
        "from stream_ocr.errors import DeviceError\nfrom stream_ocr.models.devices import pick_device\n"
        f"try: pick_device({overrides}, runtime='torch')\n"
        "except DeviceError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.endswith("torch is not installed (pip install 'stream-ocr[torch]').\n")
