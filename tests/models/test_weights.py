import hashlib
import json
from pathlib import Path

import pytest
import torch

from stream_ocr.errors import WeightsError
from stream_ocr.models import weights

STATE = {"layer.weight": torch.linspace(-1, 1, 12).reshape(3, 4), "steps": torch.tensor(7)}
ENTRY = {"kind": "recognizer", "architecture": "crnn", "charset": "aé"}


def test_load_net_returns_what_was_saved(tmp_path: Path) -> None:
    weights.save("one", STATE, ENTRY, tmp_path)
    entry, state = weights.load_net("one", tmp_path)
    assert {key: entry[key] for key in ENTRY} == ENTRY
    assert state["layer.weight"].dtype == torch.float32
    assert torch.allclose(state["layer.weight"], STATE["layer.weight"], atol=1e-3)
    assert state["steps"] == 7


def test_save_adds_and_replaces_networks_in_a_folder(tmp_path: Path) -> None:
    weights.save("one", STATE, ENTRY, tmp_path)
    weights.save("two", STATE, ENTRY, tmp_path)
    weights.save("one", {"steps": torch.tensor(8)}, ENTRY, tmp_path)
    assert sorted(weights.manifest(tmp_path)) == ["one", "two"]
    assert weights.load_net("one", tmp_path)[1]["steps"] == 8
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["manifest.json", "one.safetensors", "two.safetensors"]


def test_save_stores_half_precision(tmp_path: Path) -> None:
    path = weights.save("big", {"w": torch.zeros(1000)}, ENTRY, tmp_path)
    assert path.stat().st_size < 2500


def test_save_clamps_values_beyond_half_precision(tmp_path: Path) -> None:
    weights.save("huge", {"w": torch.tensor([1e6, -1e6])}, ENTRY, tmp_path)
    assert torch.isfinite(weights.load_net("huge", tmp_path)[1]["w"]).all()


def test_load_net_rejects_a_damaged_file(tmp_path: Path) -> None:
    path = weights.save("one", STATE, ENTRY, tmp_path)
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(WeightsError, match="checksum"):
        weights.load_net("one", tmp_path)


def test_load_net_lists_the_known_names(tmp_path: Path) -> None:
    weights.save("one", STATE, ENTRY, tmp_path)
    with pytest.raises(WeightsError, match=r"'three'.*one"):
        weights.load_net("three", tmp_path)


def test_load_net_distinguishes_a_missing_file_from_a_broken_manifest(tmp_path: Path) -> None:
    weights.save("one", STATE, ENTRY, tmp_path).unlink()
    with pytest.raises(WeightsError, match="cannot be read"):
        weights.load_net("one", tmp_path)
    (tmp_path / weights.MANIFEST).write_text("{")
    with pytest.raises(WeightsError, match="JSON"):
        weights.load_net("one", tmp_path)


def test_load_net_rejects_a_file_that_is_not_safetensors(tmp_path: Path) -> None:
    path = weights.save("one", STATE, ENTRY, tmp_path)
    path.write_bytes(b"nonsense")
    entries = json.loads((tmp_path / weights.MANIFEST).read_text())
    entries["one"]["sha256"] = hashlib.sha256(b"nonsense").hexdigest()
    (tmp_path / weights.MANIFEST).write_text(json.dumps(entries))
    with pytest.raises(WeightsError, match="not a safetensors file"):
        weights.load_net("one", tmp_path)


def test_verify_checks_the_weights_and_their_exports(tmp_path: Path) -> None:
    path = weights.save("one", STATE, ENTRY, tmp_path)
    assert weights.verify("one", tmp_path) == ("safetensors",)
    exported = tmp_path / "one.mnn"
    exported.write_bytes(b"network")
    weights.update_entry("one", {"mnn_sha256": weights.sha256(exported)}, tmp_path)
    assert weights.verify("one", tmp_path) == ("safetensors", "mnn")
    for damaged in (exported, path):
        damaged.write_bytes(b"damaged")
        with pytest.raises(WeightsError, match="checksum"):
            weights.verify("one", tmp_path)
