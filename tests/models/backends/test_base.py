import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from stream_ocr.errors import DeviceError
from stream_ocr.models import weights
from stream_ocr.models.backends.base import TorchEngine, fold_batch_norms
from stream_ocr.models.devices import pick_device, usable_cores


def small_net() -> nn.Module:
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Sequential(nn.Conv2d(3, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8), nn.ReLU()),
        nn.Conv2d(8, 1, 1),
    )
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.running_mean, -0.5, 0.5)  # type: ignore[arg-type]
            nn.init.uniform_(module.running_var, 0.5, 2.0)  # type: ignore[arg-type]
    return net


def test_the_same_machine_always_picks_the_same_and_says_why() -> None:
    for runtime in ("torch", "onnx"):
        picked = pick_device(runtime=runtime)
        assert picked == pick_device(runtime=runtime)
        assert picked.why
        assert picked.runtime in str(picked)
        assert picked.device in str(picked)


def test_what_is_asked_for_is_taken() -> None:
    picked = pick_device("cpu", dtype="fp32", threads=3)
    assert (picked.device, picked.dtype, picked.threads) == ("cpu", "fp32", 3)
    assert "3 threads" in str(picked)
    assert 1 <= pick_device("cpu", runtime="onnx").threads <= usable_cores()


def test_onnx_models_run_in_fp32_only() -> None:
    assert pick_device("cpu", runtime="onnx").dtype == "fp32"
    with pytest.raises(DeviceError, match="bf16"):
        pick_device("cpu", runtime="onnx", dtype="bf16")


@pytest.mark.parametrize("runtime", ["torch", "onnx"])
def test_cuda_that_is_not_there_is_refused_and_never_replaced_in_silence(runtime) -> None:
    if torch.cuda.is_available():
        pytest.skip("there is a CUDA device")
    with pytest.raises(DeviceError, match="cuda was asked for"):
        pick_device("cuda", runtime=runtime)
    assert "CUDA" in pick_device("auto", runtime=runtime).why


def test_folded_batch_norms_leave_the_answer_as_it_was() -> None:
    net, x_BCHW = small_net().eval(), torch.randn(2, 3, 16, 24)
    with torch.no_grad():
        before = net(x_BCHW)
        after = fold_batch_norms(net)(x_BCHW)
    assert not any(isinstance(module, nn.BatchNorm2d) for module in net.modules())
    torch.testing.assert_close(after, before, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("dtype", "tolerance"), [("fp32", 1e-5), ("bf16", 0.05)])
def test_torch_engine_runs_arrays_and_leaves_the_threads_of_the_process_alone(dtype, tolerance) -> None:
    x = np.random.default_rng(0).standard_normal((2, 3, 16, 24), dtype=np.float32)
    with torch.no_grad():
        wanted = small_net().eval()(torch.from_numpy(x)).numpy()
    before = torch.get_num_threads()
    engine = TorchEngine(small_net(), pick_device("cpu", dtype=dtype, threads=before + 1))
    y = engine.run(x)
    assert torch.get_num_threads() == before
    assert y.dtype == np.float32
    np.testing.assert_allclose(y, wanted, atol=tolerance)


def test_a_batch_that_is_too_large_is_scarce_memory_and_the_next_one_is_run() -> None:
    engine = TorchEngine(small_net(), pick_device("cpu", dtype="fp32"))
    with pytest.raises(MemoryError, match="allocate"):
        engine.run(np.lib.stride_tricks.as_strided(np.zeros(1, np.float32), (1, 3, 1 << 20, 1 << 20), (0, 0, 0, 0)))
    assert engine.run(np.zeros((1, 3, 16, 16), np.float32)).shape == (1, 1, 16, 16)


def test_onnx_runtime_keeps_no_record_for_its_makers(tmp_path: Path) -> None:
    path = weights.verified("recognizer-small", "onnx")
    code = f"""if True:
        from pathlib import Path
        from stream_ocr.models.devices import pick_device
        from stream_ocr.models.backends.base import OnnxEngine
        OnnxEngine(Path({str(path)!r}), pick_device("cpu", runtime="onnx"))
    """
    subprocess.run([sys.executable, "-c", code], check=True, env={**os.environ, "TMPDIR": str(tmp_path)})
    assert list(tmp_path.iterdir()) == [], "its telemetry begins with a file for the session"
