from typing import Any

import pytest

from stream_ocr.evaluation.bench.accuracy_table import comparisons, show_accuracy


def run(f1: float, true_words: int = 9, predicted_words: int = 9) -> dict[str, Any]:
    score = {
        "true_words": true_words, "predicted_words": predicted_words, "f1": f1, "precision": 0.5, "recall": 0.25,
        "duplicates": None, "start_ms": [0.0, 40.0], "end_ms": None,
    }  # fmt: skip
    return {"score": score, "speed": 3.0}


def total(f1: float | None) -> dict[str, Any]:
    return {**run(f1 or 0.0)["score"], "f1": f1, "speed": 2.0}


@pytest.fixture
def results() -> dict[str, Any]:
    decoding = {"speed": 30.0}
    clips = [
        {"clip": "news", "runs": {"ours": run(0.7), "rapidocr": run(0.9), "decoding": decoding}},
        {"clip": "quote", "runs": {"ours": run(1.0), "rapidocr": run(0.5), "decoding": decoding}},
        {"clip": "dam", "runs": {"ours": run(1.0, 0, 0), "rapidocr": run(0.0, 0, 4), "decoding": decoding}},
    ]
    return {"clips": clips, "total": {"ours": total(0.85), "rapidocr": total(0.7), "decoding": total(None)}}


def test_show_accuracy_prints_all_contestants_side_by_side(results, capsys) -> None:
    show_accuracy(results)
    groups, columns, *rows = capsys.readouterr().out.splitlines()
    assert groups.split() == ["ours", "rapidocr"]
    assert columns.split()[:4] == ["clip", "F1", "P", "R"]
    assert [row.split()[0] for row in rows[:3]] == ["news", "quote", "mean"]
    assert rows[0].split() == ["news", *["0.700", "0.500", "0.250", "0/40", "3.00"], "0.900", *rows[0].split()[7:]]
    assert rows[2].split()[1] == "0.850"
    assert rows[3] == "words in 1 clips without text: ours 0, rapidocr 4"


def test_comparisons_name_the_clips_in_which_ours_is_worse(results) -> None:
    assert list(comparisons(results)) == ["ours is worse than rapidocr in 1 of 2 clips: news (0.700, 0.900)"]
