"""Exported networks give the same results in ONNX Runtime as in torch."""

import json
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch

from stream_ocr.config.settings import Settings
from stream_ocr.errors import WeightsError
from stream_ocr.models import builtin, presets, weights
from stream_ocr.models.detection.dbnet import Backbone, DBNet
from stream_ocr.models.export import export


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    where = tmp_path_factory.mktemp("onnx")
    assert sorted(path.stem for path in export(where)) == [presets.DETECTOR, presets.RECOGNIZER]
    return where


def run_both(folder: Path, name: str, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the outputs of ONNX Runtime and of torch."""
    _, net = builtin.load_net(name)
    with torch.inference_mode():
        torch_output: np.ndarray = net(torch.from_numpy(x)).numpy()
    session = onnxruntime.InferenceSession(str(folder / f"{name}.onnx"), providers=["CPUExecutionProvider"])
    return session.run(["p"], {"x": x})[0], torch_output


@pytest.mark.parametrize("shape", [(1, 1, 32, 32), (3, 1, 32, 112), (1, 1, 32, 640)])
def test_exported_recogniser_matches_torch(folder: Path, shape: tuple[int, ...]) -> None:
    x = np.random.default_rng(1).normal(0, 1, shape).astype(np.float32)
    onnx_output, torch_output = run_both(folder, presets.RECOGNIZER, x)
    charset = json.loads((folder / f"{presets.RECOGNIZER}.json").read_text())["charset"]
    assert onnx_output.shape == (shape[0], shape[3] // 4, len(charset) + 1)
    np.testing.assert_allclose(onnx_output, torch_output, atol=1e-4)
    np.testing.assert_allclose(onnx_output.sum(axis=2), 1, atol=1e-4)


@pytest.mark.parametrize("shape", [(1, 3, 64, 96), (2, 3, 384, 640)])
def test_exported_detector_matches_torch(folder: Path, shape: tuple[int, ...]) -> None:
    x = np.random.default_rng(2).normal(0, 1, shape).astype(np.float32)
    onnx_output, torch_output = run_both(folder, presets.DETECTOR, x)
    assert onnx_output.shape == (shape[0], shape[2] // 2, shape[3] // 2)
    np.testing.assert_allclose(onnx_output, torch_output, atol=1e-4)


@pytest.mark.parametrize(
    ("name", "shape", "tolerance"),
    [(presets.RECOGNIZER, (1, 1, 32, 96), 5e-3), (presets.DETECTOR, (1, 3, 96, 160), 0.01)],  # constants in fp16
)
def test_packaged_exports_match_the_packaged_weights(name, shape, tolerance) -> None:
    _, engine = builtin.engine(name, Settings.load(overrides=["device=cpu", "dtype=fp32"]))
    assert engine.backend.runtime == ("onnx" if name == presets.RECOGNIZER else "mnn")
    x = np.random.default_rng(4).normal(0, 1, shape).astype(np.float32)
    _, net = builtin.load_net(name)
    with torch.inference_mode():
        torch_output = net(torch.from_numpy(x)).numpy()
    np.testing.assert_allclose(engine.run(x), torch_output, atol=tolerance)


def test_save_invalidates_an_earlier_export(tmp_path: Path) -> None:
    entry, state = weights.load_net(presets.DETECTOR)
    entry.pop("mnn_sha256", None)
    weights.save("net", state, entry, tmp_path)
    assert not weights.has_export("net", "mnn", tmp_path)
    (path,) = export(tmp_path, tmp_path)
    assert weights.verified_path("net", "mnn", tmp_path) == path
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(WeightsError, match="checksum"):
        weights.verified_path("net", "mnn", tmp_path)
    weights.save("net", state, entry, tmp_path)
    assert not weights.has_export("net", "mnn", tmp_path)


def test_export_into_the_weights_folder_writes_the_recogniser_for_both_runtimes(tmp_path: Path) -> None:
    entry, state = weights.load_net(presets.RECOGNIZER)
    weights.save("net", state, entry, tmp_path)
    assert [path.name for path in export(tmp_path, tmp_path)] == ["net.onnx", "net.mnn"]
    for file_format in ("onnx", "mnn"):
        assert weights.verified_path("net", file_format, tmp_path).is_file()


def test_export_writes_the_manifest_entry_beside_each_model(folder: Path) -> None:
    for name in (presets.DETECTOR, presets.RECOGNIZER):
        entry = weights.manifest()[name]
        assert json.loads((folder / f"{name}.json").read_text(encoding="utf-8")) == entry


@pytest.mark.parametrize("backbone", ["resnet18", "base"])
def test_export_accepts_the_other_backbones(tmp_path: Path, backbone: Backbone) -> None:
    torch.manual_seed(0)
    net = DBNet(backbone)
    entry = {"kind": "detector", "architecture": "dbnet", "parameters": {"backbone": backbone}}
    path = weights.save("detector-other", net.state_dict(), entry, tmp_path)
    assert path.stat().st_size <= 25_000_000
    (exported,) = export(tmp_path / "onnx", tmp_path)
    session = onnxruntime.InferenceSession(str(exported), providers=["CPUExecutionProvider"])
    x = np.random.default_rng(3).normal(0, 1, (1, 3, 64, 96)).astype(np.float32)
    _, loaded = builtin.load_net("detector-other", tmp_path)
    with torch.inference_mode():
        torch_output = loaded(torch.from_numpy(x)).numpy()
    np.testing.assert_allclose(session.run(["p"], {"x": x})[0], torch_output, atol=1e-4)


def test_export_raises_weights_error_for_a_folder_that_cannot_be_created(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(WeightsError, match="cannot be created"):
        list(export(tmp_path / "file" / "onnx"))
