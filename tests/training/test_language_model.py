import json
import math
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from stream_ocr.errors import WeightsError
from stream_ocr.models import weights
from stream_ocr.models.recognition.charset import EUROPEAN
from stream_ocr.models.recognition.language_model import BEGIN, LanguageModel
from stream_ocr.training.language_model import count_ngrams, read_words, smooth, train, weigh
from stream_ocr.training.thresholds import LANGUAGE_MODEL_TRAINING


def test_read_words_reads_counts_and_plain_text(tmp_path: Path) -> None:
    counted, text = tmp_path / "freq_en.txt", tmp_path / "text.txt"
    counted.write_text("you 28\nI'm 3\nyou! 2\n1234 9\nдом 5\n\n", encoding="utf-8")
    text.write_text("The street, the station.\n\nÖl (neu)\nGate 7\n", encoding="utf-8")
    assert read_words(counted) == {"you": 30, "i'm": 3}
    assert read_words(text) == {"the": 2, "street": 1, "station": 1, "öl": 1, "neu": 1, "gate": 1}


def test_weigh_gives_each_language_the_same_weight_and_english_more() -> None:
    weights = weigh({"freq_en": Counter(a=4, b=1), "freq_de": Counter(ü=9)}, LANGUAGE_MODEL_TRAINING)
    whole = LANGUAGE_MODEL_TRAINING.words_per_language
    assert weights["ü"] == pytest.approx(whole)
    assert weights["a"] + weights["b"] == pytest.approx(whole * LANGUAGE_MODEL_TRAINING.english_weight)
    assert weights["a"] == pytest.approx(2 * weights["b"]), "counts are tempered"


def test_probabilities_of_the_letters_after_a_context_sum_to_one() -> None:
    counts = count_ngrams({"ab": 1.0, "ac": 2.0}, order=3)
    log_p, log_back_off = smooth(counts, LANGUAGE_MODEL_TRAINING)
    for context in ("", BEGIN, BEGIN + "a", "a"):
        seen = [ngram for ngram in log_p if ngram[:-1] == context]
        # What is unseen after the context shares its back-off weight as after the shorter context.
        shorter = sum(math.exp(log_p[ngram[1:]]) for ngram in seen) if context else len(seen) / len(EUROPEAN)
        unseen = math.exp(log_back_off[context]) * (1 - shorter)
        assert sum(math.exp(log_p[ngram]) for ngram in seen) + unseen == pytest.approx(1.0)


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


def test_command_updates_the_checksum_in_the_manifest(tmp_path: Path) -> None:
    (tmp_path / "words.txt").write_text("harbour 9\nfuel 4\n")
    entry = {"kind": "language model", "architecture": "letter 7-grams", "sha256": "of the last table"}
    (tmp_path / weights.MANIFEST).write_text(json.dumps({"own": entry}))
    with pytest.raises(WeightsError, match="is missing"):
        weights.verify("own", tmp_path)
    command = [sys.executable, "-m", "stream_ocr.training.language_model", tmp_path / "own.npz", tmp_path / "words.txt"]
    subprocess.run(command, capture_output=True, check=True, timeout=120)
    assert weights.verify("own", tmp_path) == ("npz",)
