import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from stream_ocr.models.recognition.language_model import LanguageModel
from stream_ocr.training.language_model import read_words, train, weigh
from stream_ocr.training.thresholds import LANGUAGE_MODEL_TRAINING


def test_read_words_reads_counts_and_plain_text(tmp_path: Path) -> None:
    counted, text = tmp_path / "freq_en.txt", tmp_path / "text.txt"
    counted.write_text("you 28\nI'm 3\n1234 9\nдом 5\n", encoding="utf-8")
    text.write_text("The street, the station.\n\nÖl (neu)", encoding="utf-8")
    assert read_words(counted) == {"you": 28, "i'm": 3}
    assert read_words(text) == {"the": 2, "street": 1, "station": 1, "öl": 1, "neu": 1}


def test_weigh_gives_each_language_the_same_weight_and_english_more() -> None:
    weights = weigh({"freq_en": Counter(a=4, b=1), "freq_de": Counter(ü=9)}, LANGUAGE_MODEL_TRAINING)
    whole = LANGUAGE_MODEL_TRAINING.words_per_language
    assert weights["ü"] == pytest.approx(whole)
    assert weights["a"] + weights["b"] == pytest.approx(whole * LANGUAGE_MODEL_TRAINING.english_weight)
    assert weights["a"] == pytest.approx(2 * weights["b"]), "counts are tempered"


def test_probabilities_of_the_letters_after_a_context_sum_to_one() -> None:
    unpruned = replace(LANGUAGE_MODEL_TRAINING, prune_below=0.0)
    model = train({"ab": 1.0, "ac": 2.0}, unpruned)
    two = model.word_scores(["ab", "ac"])
    assert two[1] > two[0]


def test_pruning_leaves_out_what_shorter_ngrams_predict() -> None:
    words = {"street": 5.0, "stream": 5.0, "tree": 5.0}
    whole = train(words, replace(LANGUAGE_MODEL_TRAINING, prune_below=0.0))
    pruned = train(words, replace(LANGUAGE_MODEL_TRAINING, prune_below=5.0))
    assert 0 < pruned.size < whole.size


def test_command_writes_a_table_that_can_be_loaded(tmp_path: Path) -> None:
    (tmp_path / "words.txt").write_text("harbour 9\nfuel 4\n")
    out = tmp_path / "own.npz"
    command = [sys.executable, "-m", "stream_ocr.training.language_model", out, tmp_path / "words.txt"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    assert "2 words" in done.stdout
    scores = LanguageModel.load(out).text_scores(["harbour", "harbqur"])
    assert scores[0] > scores[1]
