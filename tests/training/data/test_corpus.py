import random
import re
from pathlib import Path

from stream_ocr.models.recognition.charset import DEFAULT
from stream_ocr.training.data.corpus import Corpus


def test_corpus_words_have_no_space_and_lines_have_single_ones() -> None:
    corpus = Corpus(None, random.Random(1))
    assert not any(" " in corpus.word() for _ in range(1000))
    for _ in range(1000):
        line = corpus.line()
        assert line == " ".join(line.split())
        assert 1 <= len(line) <= 48


def test_corpus_texts_are_within_the_charset_and_the_limit() -> None:
    corpus = Corpus(None, random.Random(2))
    for limit in (1, 5, 12, 25):
        for _ in range(300):
            text = corpus.word(limit)
            assert 1 <= len(text) <= limit
            assert DEFAULT.covers(text)
    assert all(DEFAULT.covers(corpus.line()) for _ in range(1000))


def test_corpus_has_many_numbers_of_overlays() -> None:
    corpus = Corpus(None, random.Random(3))
    words = [corpus.word() for _ in range(4000)]
    assert sum(bool(re.fullmatch(r"\d", w)) for w in words) > 80
    assert sum(bool(re.fullmatch(r"\d\d:\d\d:\d\d", w)) for w in words) > 15
    assert sum(any(c.isdigit() for c in w) for w in words) / len(words) < 0.35
    assert sum(bool(re.search(r"[^\x00-\x7f]", w)) for w in words) / len(words) < 0.05


def test_corpus_uses_listed_words(tmp_path: Path) -> None:
    (tmp_path / "words.txt").write_text("zyzzyva\nquokka\nnaïve\n" + "overlongword" * 4)
    corpus = Corpus(tmp_path / "words.txt", random.Random(4))
    seen = " ".join(corpus.word().lower() for _ in range(500))
    assert "zyzzyva" in seen
    assert "quokka" in seen
    assert "overlongword" not in seen


def test_corpus_depends_on_the_seed_only() -> None:
    first, second = Corpus(None, random.Random(5)), Corpus(None, random.Random(5))
    assert [first.line() for _ in range(50)] == [second.line() for _ in range(50)]
