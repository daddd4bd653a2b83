import json
from pathlib import Path

import numpy as np
import pytest

from stream_ocr.core.geometry import rectangle
from stream_ocr.errors import SettingsError, SourceError, WorkerError
from stream_ocr.evaluation.bench.clips import ClipOptions
from stream_ocr.evaluation.bench.process import measure
from stream_ocr.evaluation.bench.rapidocr import join
from stream_ocr.evaluation.bench.suite import contestants, run
from stream_ocr.synthetic.clips import build_clip
from stream_ocr.synthetic.scene import render, truth

OWN = ("models=builtin", "device=cpu", "threads=1")


@pytest.mark.slow
def test_run_generates_reads_and_decodes_a_clip(tmp_path: Path) -> None:
    options = ClipOptions.parse(tmp_path, "320x180", 2.0, "libx264")
    steps: list[str] = []
    results = run(["slides"], contestants("decoding"), options, OWN, progress=steps.append)
    (row,) = json.loads(json.dumps(results))["clips"]
    assert (row["clip"], row["size"], row["duration_s"]) == ("slides", [320, 180], 2.0)
    ours, decoding = row["runs"]["ours"], row["runs"]["decoding"]
    assert ours["frames"] == decoding["frames"] == 50
    assert ours["wall_s"] > ours["running_s"] > 0
    assert ours["cpu_s"] > decoding["cpu_s"] > 0
    assert ours["peak_mb"] > decoding["peak_mb"] > 1
    assert ours["speed"] == pytest.approx(2 / ours["wall_s"], rel=0.01)
    assert row["compared"]["speed_to_decoding"] == pytest.approx(ours["speed"] / decoding["speed"], rel=0.01)
    assert 0 < ours["detection_ratio"] < 0.5
    assert ours["score"]["true_words"] > 10
    assert results["total"]["ours"]["f1"] == ours["score"]["f1"]
    assert results["models"] == "builtin"
    assert {file.suffix for file in tmp_path.iterdir()} == {".mp4", ".json", ".jsonl"}
    assert [step.split(":")[0] for step in steps] == ["slides"] * 3


@pytest.mark.slow
def test_run_takes_the_clips_and_the_truth_of_folders(tmp_path: Path) -> None:
    scene = build_clip("slides", (320, 180), 2.0)
    render(scene, tmp_path / "slides.mp4")
    (tmp_path / "truth").mkdir()
    (tmp_path / "truth" / "slides.json").write_text(json.dumps(truth(scene)))
    options = ClipOptions(tmp_path / "logs")
    results = run([str(tmp_path)], contestants("builtin"), options, OWN, tmp_path / "truth")
    (row,) = results["clips"]
    assert row["runs"]["ours"]["score"] == row["runs"]["builtin"]["score"]
    assert {"f1", "mota", "idf1", "time_weighted_cer"} <= row["runs"]["ours"]["score"].keys()
    assert results["total"]["ours"]["mota"] == row["runs"]["ours"]["score"]["mota"]


def test_run_and_parse_reject_invalid_arguments(tmp_path: Path) -> None:
    options = ClipOptions(tmp_path)
    with pytest.raises(SourceError, match="slidez"):
        run(["slidez"], ["ours"], options)
    assert contestants("builtin, none,ours,rapidocr") == ["ours", "builtin", "rapidocr"]
    with pytest.raises(SettingsError, match="tesseract"):
        contestants("decoding,tesseract")
    for size, seconds, codec in (("720p", 9.0, "libx264"), ("64x64", 9.0, "libx264"), ("640x360", 0.1, "libx264")):
        with pytest.raises(SettingsError):
            ClipOptions.parse(tmp_path, size, seconds, codec)
    with pytest.raises(SettingsError, match="divx"):
        ClipOptions.parse(tmp_path, "640x360", 9.0, "divx")


def test_measure_raises_worker_error_with_the_last_line(tmp_path: Path) -> None:
    with pytest.raises(
        WorkerError, match=r"stream_ocr\.evaluation\.bench\.decode_only ended with code 1: .*missing\.mp4"
    ):
        measure("stream_ocr.evaluation.bench.decode_only", [tmp_path / "missing.mp4", "1"])


def test_join_matches_samples_by_place_and_similarity() -> None:
    here, there = rectangle(10, 10, 100, 20), rectangle(14, 10, 100, 20)
    far = rectangle(300, 10, 100, 20)
    samples: list[tuple[float, list[tuple[np.ndarray, str, float]]]] = [
        (0.0, [(here, "Platforn 7", 0.7), (far, "Exit", 0.9)]),
        (0.2, [(there, "Platform 7", 0.9)]),
        (0.4, [(there, "Arrivals", 0.9), (far, "Exit", 0.9)]),
    ]
    texts = [(text.text, text.start_s, end) for text, end in join(samples)]
    assert texts == [("Exit", 0.0, 0.2), ("Platform 7", 0.0, 0.4), ("Arrivals", 0.4, None), ("Exit", 0.4, None)]
