import numpy as np
import pytest
import torch
from torch import nn

from stream_ocr.models.backends.torch import TorchEngine, fold_batch_norms
from stream_ocr.models.devices import pick_device


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


def test_fold_batch_norms_keeps_the_output() -> None:
    net, x_BCHW = small_net().eval(), torch.randn(2, 3, 16, 24)
    with torch.no_grad():
        before = net(x_BCHW)
        after = fold_batch_norms(net)(x_BCHW)
    assert not any(isinstance(module, nn.BatchNorm2d) for module in net.modules())
    torch.testing.assert_close(after, before, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("dtype", "tolerance"), [("fp32", 1e-5), ("bf16", 0.05)])
def test_torch_engine_restores_the_threads_of_the_process(dtype, tolerance) -> None:
    x = np.random.default_rng(0).standard_normal((2, 3, 16, 24), dtype=np.float32)
    with torch.no_grad():
        expected = small_net().eval()(torch.from_numpy(x)).numpy()
    before = torch.get_num_threads()
    engine = TorchEngine(small_net(), pick_device("cpu", dtype=dtype, threads=before + 1))
    y = engine.run(x)
    assert torch.get_num_threads() == before
    assert y.dtype == np.float32
    np.testing.assert_allclose(y, expected, atol=tolerance)


def test_torch_engine_raises_memory_error_and_recovers() -> None:
    engine = TorchEngine(small_net(), pick_device("cpu", dtype="fp32"))
    with pytest.raises(MemoryError, match="allocate"):
        engine.run(np.lib.stride_tricks.as_strided(np.zeros(1, np.float32), (1, 3, 1 << 20, 1 << 20), (0, 0, 0, 0)))
    assert engine.run(np.zeros((1, 3, 16, 16), np.float32)).shape == (1, 1, 16, 16)
