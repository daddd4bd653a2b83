import random
from pathlib import Path

import pytest

from stream_ocr.models.recognition.charset import EUROPEAN
from stream_ocr.training.data.languages import EuropeanCorpus, TextShares, normalised
from stream_ocr.training.data.thresholds import SPLITS


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    (tmp_path / "freq_en.txt").write_text("you 100\ni 90\ni'm 80\ndon’t 5\n漢字 4\n")
    (tmp_path / "freq_pl.txt").write_text("się 100\nżółw 50\nźle 30\n")
    trained = [f"Ein Satz mit Nummer {i}, größer als zuvor." for i in range(50)]
    kept = [f"Validierung {i}." for i in range(SPLITS.caption_sentences)]
    (tmp_path / "captions_de.txt").write_text("\n".join(trained + kept))
    return tmp_path


def test_languages_draw_texts_within_the_charset_and_the_limit(texts: Path) -> None:
    corpus = EuropeanCorpus(None, texts, random.Random(0))
    for _ in range(2000):
        word, line = corpus.word(20), corpus.line(40)
        assert EUROPEAN.covers(word + line)
        assert 0 < len(word) <= 20
        assert 0 < len(line) <= 40
        assert " " not in word


def test_languages_draw_words_of_every_language(texts: Path) -> None:
    corpus = EuropeanCorpus(None, texts, random.Random(1), TextShares(frequent_line=1.0, caption_line=0.0))
    lines = [corpus.line() for _ in range(400)]
    assert any("żółw" in line.lower() for line in lines)
    assert any(line.startswith("I ") for line in lines)
    assert not any(" i " in line for line in lines)


def test_languages_never_draw_sentences_of_the_validation_set(texts: Path) -> None:
    corpus = EuropeanCorpus(None, texts, random.Random(2), TextShares(caption_line=1.0))
    assert not any("validierung" in corpus.line().lower() for _ in range(500))


def test_languages_fall_back_to_the_corpus_without_lists(tmp_path: Path) -> None:
    corpus = EuropeanCorpus(None, tmp_path, random.Random(3))
    assert all(corpus.line(30) and corpus.word() for _ in range(200))


def test_languages_normalise_confusable_characters() -> None:
    assert normalised("WE´RE  here…") == "WE'RE here..."
