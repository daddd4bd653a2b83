import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from stream_ocr.errors import DeviceError, WeightsError
from stream_ocr.models import builtin, presets, weights
from stream_ocr.models.backends.mnn import MnnEngine, convert
from stream_ocr.models.devices import pick_device


@pytest.fixture(scope="module")
def engine() -> MnnEngine:
    return MnnEngine(weights.verified_path(presets.DETECTOR, "mnn"), pick_device("cpu", runtime="mnn", threads=1))


def test_mnn_engine_accepts_changing_sizes_and_batches(engine: MnnEngine) -> None:
    _, net = builtin.load_net(presets.DETECTOR)
    rng = np.random.default_rng(0)
    for shape in [(1, 3, 96, 160), (1, 3, 32, 32), (3, 3, 64, 96), (1, 3, 96, 160), (1, 3, 288, 480)]:
        x = rng.normal(0, 1, shape).astype(np.float32)
        with torch.inference_mode():
            expected = net(torch.from_numpy(x)).numpy()
        np.testing.assert_allclose(engine.run(x), expected, atol=0.01)


def test_mnn_engine_runs_the_recogniser_at_changing_widths() -> None:
    engine = MnnEngine(weights.verified_path(presets.RECOGNIZER, "mnn"), pick_device("cpu", runtime="mnn", threads=1))
    _, net = builtin.load_net(presets.RECOGNIZER)
    rng = np.random.default_rng(3)
    for shape in [(1, 1, 32, 96), (1, 1, 32, 640), (2, 1, 32, 32), (1, 1, 32, 96)]:
        x = rng.normal(0, 1, shape).astype(np.float32)
        with torch.inference_mode():
            expected = net(torch.from_numpy(x)).numpy()
        np.testing.assert_allclose(engine.run(x), expected, atol=0.02)  # weights as fp16


def test_mnn_engine_raises_memory_error_for_a_batch_it_cannot_run(engine: MnnEngine) -> None:
    with pytest.raises(MemoryError, match="1, 2, 32, 32"):
        engine.run(np.zeros((1, 2, 32, 32), np.float32))  # fails inside MNN as exhausted memory does
    assert engine.run(np.zeros((1, 3, 32, 32), np.float32)).shape == (1, 16, 16)


def test_mnn_engine_results_do_not_depend_on_earlier_calls(engine: MnnEngine) -> None:
    other = MnnEngine(weights.verified_path(presets.DETECTOR, "mnn"), engine.backend)
    x = np.random.default_rng(1).normal(0, 1, (1, 3, 96, 160)).astype(np.float32)
    first = engine.run(x)
    expected = first.copy()
    engine.run(x[:, :, :64])
    engine.run(x + 1)
    np.testing.assert_array_equal(first, expected)
    np.testing.assert_array_equal(engine.run(x), first)
    np.testing.assert_array_equal(other.run(x), first)


def test_mnn_engine_accepts_non_contiguous_arrays(engine: MnnEngine) -> None:
    x = np.random.default_rng(2).normal(0, 1, (1, 96, 160, 3)).astype(np.float32).transpose(0, 3, 1, 2)
    np.testing.assert_array_equal(engine.run(x), engine.run(x.copy()))


def test_mnn_engine_writes_nothing_to_standard_output() -> None:
    code = """if True:
        import os
        from stream_ocr.config.settings import Settings
        from stream_ocr.models import builtin, presets
        import numpy as np
        _, engine = builtin.engine(presets.DETECTOR, Settings.load(overrides=["device=cpu", "dtype=fp32"]))
        engine.run(np.zeros((1, 3, 32, 32), np.float32))
        assert engine.backend.runtime == "mnn"
        print("ours", flush=True)
        os.system("echo a child")
    """
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("ours\na child\n", "")


def test_mnn_engine_and_convert_raise_weights_errors_for_bad_files(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="missing"):
        MnnEngine(tmp_path / "none.mnn", pick_device("cpu", runtime="mnn"))
    (tmp_path / "net.onnx").write_bytes(b"no network")
    (tmp_path / "net.mnn").write_bytes(b"of an earlier network")
    with pytest.raises(WeightsError, match="could not be converted"):
        convert(tmp_path / "net.onnx", tmp_path / "net.mnn")
    assert not (tmp_path / "net.mnn").exists(), "it would be taken for this one"


def test_pick_device_rejects_cuda_and_bf16_for_mnn() -> None:
    with pytest.raises(DeviceError, match="MNN is used on CPUs only"):
        pick_device("cuda", runtime="mnn")
    with pytest.raises(DeviceError, match="bf16"):
        pick_device("cpu", runtime="mnn", dtype="bf16")
