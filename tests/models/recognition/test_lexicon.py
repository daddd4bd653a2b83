import random

import numpy as np
import pytest
from rapidfuzz.distance import Levenshtein

from stream_ocr.models.recognition.charset import DEFAULT, Charset
from stream_ocr.models.recognition.lexicon import Lexicon, _letter_set
from stream_ocr.models.recognition.thresholds import THRESHOLDS

WORDS = ["platform", "station", "stations", "departure", "o'clock", "NASA", "Zürich", "of", "off"]


def scores(text: str, hint: str = "") -> np.ndarray:
    """Every character for a step and a blank after it. hint: what the network also finds possible; _ is nothing."""
    p_TC = np.full((2 * len(text), len(DEFAULT)), 1e-5)
    for i, (character, other) in enumerate(zip(text, hint or text, strict=True)):
        p_TC[2 * i, 0 if other == "_" else DEFAULT.encode(other)[0]] += 0.15
        p_TC[2 * i, DEFAULT.encode(character)[0]] += 0.8
        p_TC[2 * i + 1, 0] = 0.95
    return p_TC / p_TC.sum(axis=1, keepdims=True)


def read(text: str, hint: str = "", distance: int = 2) -> str:
    return Lexicon(WORDS, DEFAULT, distance=distance).decode(scores(text, hint)).text


@pytest.mark.parametrize(
    ("raw", "hint", "text"),
    [
        ("platfarm", "platform", "platform"),
        ("PLATF0RM", "PLATFORM", "PLATFORM"),
        ("Platfonn", "Platfor_", "Platfonn"),  # nothing speaks for an m
        ("Platforn", "Platform", "Platform"),
        ("(statlon)", "(station)", "(station)"),
        ("platfarm 12 deparlure", "platform 12 departure", "platform 12 departure"),
        ("o'clack", "o'clock", "o'clock"),
        ("N4SA", "NASA", "NASA"),
        ("Ziirich", "Zü_rich", "Zürich"),
        ("12:45", "12:45", "12:45"),  # no letters
        ("unrelated", "unrelated", "unrelated"),  # nothing near
        ("of", "if", "of"),
        ("xf", "of", "of"),
        ("xy", "of", "xy"),  # one of two characters at most
        ("Staton", "Staton", "Staton"),  # a name: nothing speaks for another letter
    ],
)
def test_lexicon_corrects_words_and_keeps_the_rest(raw: str, hint: str, text: str) -> None:
    assert read(raw, hint) == text


def test_lexicon_corrects_nothing_beyond_the_distance() -> None:
    assert read("plotfarm", "platform", 2) == "platform"
    assert read("plotfarm", "platform", 1) == "plotfarm"
    assert read("platfarm", "platform", 0) == "platfarm"


def test_lexicon_takes_the_most_probable_candidate() -> None:
    assert read("statiom", "station") == "station"
    assert read("stationz", "stations") == "stations"
    two = Lexicon(["cat", "cut"], DEFAULT, distance=1)
    assert two.decode(scores("cot", "cut")).text == "cut"
    assert two.decode(scores("cot", "cAt")).text == "cat"


def test_lexicon_confidence_is_that_of_the_corrected_characters() -> None:
    fixed = Lexicon(["cut"], DEFAULT, distance=1).decode(scores("cot", "cut"))
    assert fixed.text == "cut"
    assert fixed.char_confidences == pytest.approx((0.998, 0.15, 0.998), abs=0.01)


def test_lexicon_leaves_out_words_that_the_charset_cannot_spell() -> None:
    words = Lexicon(["Łódź", "x" * (THRESHOLDS.lexicon_max_length + 1), "", "fine"], DEFAULT, distance=2)
    assert len(words) == 1


def test_near_finds_what_a_comparison_with_every_word_finds() -> None:
    rng = random.Random(1)
    words = sorted({"".join(rng.choices("aeiostnr'1", k=rng.randint(1, 9))) for _ in range(2000)})
    book = Lexicon(words, DEFAULT, distance=3)
    for _ in range(50):
        word = "".join(rng.choices("aeiostnr'1", k=rng.randint(1, 9)))
        most = min(3, len(word) // 2)
        near = [words[i] for i in book.near(word)]
        distances = [Levenshtein.distance(word, other) for other in near]
        assert set(near) == {other for other in words if Levenshtein.distance(word, other) <= most}
        assert distances == sorted(distances)


def test_letter_set_changes_by_at_most_two_elements_per_edit() -> None:
    rng = random.Random(2)
    for _ in range(500):
        word = "".join(rng.choices("abcabcz-é9", k=rng.randint(2, 12)))
        i, letter = rng.randrange(len(word)), rng.choice("abcz-é9")
        for edited in (word[:i] + word[i + 1 :], word[:i] + letter + word[i:], word[:i] + letter + word[i + 1 :]):
            assert (_letter_set(word) ^ _letter_set(edited)).bit_count() <= 2


def test_lexicon_keeps_a_word_whose_lower_case_is_longer() -> None:
    charset = Charset("İabilnstu")
    ids = charset.encode("İstanbil")
    p_TC = np.full((2 * len(ids), len(charset)), 1e-4, np.float32)
    p_TC[np.arange(0, len(p_TC), 2), ids] = p_TC[1::2, 0] = 1
    assert Lexicon(["istanbul"], charset, distance=2).decode(p_TC).text == "İstanbil"
