import json
from pathlib import Path

import pytest

from stream_ocr.errors import SettingsError
from stream_ocr.training.run_folder import Curve, copy_origin, export_curve, exported_curve, load_checkpoint


def steps(path: Path) -> list[int]:
    return [json.loads(line)["step"] for line in path.read_text().splitlines()]


def test_curve_drops_a_torn_row_and_those_after_the_checkpoint(tmp_path: Path) -> None:
    path = tmp_path / "curve.jsonl"
    path.write_text('{"step": 1}\n{"step": 2}\n{"step": 3}\n{"ste')
    Curve(path, "step", 2).add({"step": 5})
    assert steps(path) == [1, 2, 5]


def test_curve_continues_an_exported_one(tmp_path: Path) -> None:
    exported, path = tmp_path / "exported.jsonl", tmp_path / "curve.jsonl"
    exported.write_text('{"step": 1}\n{"step": 2}\n')
    Curve(path, "step", 2, exported).add({"step": 3})
    Curve(path, "step", 3, exported).add({"step": 4})
    assert steps(path) == [1, 2, 3, 4]


def test_exported_curve_is_thinned_but_keeps_every_validation(tmp_path: Path) -> None:
    rows = [{"step": n} | ({"validation": {}} if n == 5 else {}) for n in range(9)]
    (tmp_path / "curve.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    export_curve(tmp_path / "curve.jsonl", "net", tmp_path, {"step": 9}, every=4)
    assert steps(exported_curve("net", tmp_path)) == [0, 4, 5, 8, 9]


def test_run_folder_names_a_missing_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"no checkpoint .*checkpoint.pt; start the training first"):
        load_checkpoint(tmp_path / "checkpoint.pt")
    with pytest.raises(SettingsError, match="no checkpoint"):
        copy_origin(tmp_path, tmp_path / "into")
    assert not (tmp_path / "into").exists()
