from collections import Counter

import numpy as np
import pytest

from stream_ocr.models.recognition.charset import Charset
from stream_ocr.models.recognition.ctc import NO_TEXT, greedy
from stream_ocr.models.recognition.rescoring import Rescorer
from stream_ocr.training.language_model import train

CHARSET = Charset(" STREFxyz1")
MODEL = train(Counter({"street": 50.0, "tree": 20.0}))


def line(text: str, doubts: dict[int, tuple[str, float]] | None = None) -> np.ndarray:
    """Return probabilities p_TC of a text with a blank after each letter; doubts: other letter and its probability."""
    p_TC = np.full((2 * len(text), len(CHARSET)), 1e-4)
    for i, character in enumerate(text):
        p_TC[2 * i, CHARSET.encode(character)[0]] = 1.0
        p_TC[2 * i + 1, 0] = 1.0
        if doubts and i in doubts:
            other, p = doubts[i]
            p_TC[2 * i, CHARSET.encode(other)[0]] = p
            p_TC[2 * i, CHARSET.encode(character)[0]] = 1 - p
    return p_TC / p_TC.sum(axis=1, keepdims=True)


def test_choose_takes_the_likeliest_text_without_a_language_model() -> None:
    p_TC = line("STRFET", {3: ("E", 0.4)})
    assert Rescorer(CHARSET, None).choose([p_TC]) == greedy(p_TC, CHARSET)


def test_choose_takes_the_word_where_the_network_leaves_a_doubt() -> None:
    read = Rescorer(CHARSET, MODEL).choose([line("STRFET", {3: ("E", 0.2)})])
    assert read.text == "STREET"
    assert read.char_confidences[3] == pytest.approx(0.2, abs=0.01), "the confidence is the network's"


def test_choose_keeps_what_the_network_is_sure_of() -> None:
    assert Rescorer(CHARSET, MODEL).choose([line("STRFET", {3: ("E", 1e-3)})]).text == "STRFET"


def test_choose_keeps_a_code() -> None:
    assert Rescorer(CHARSET, MODEL).choose([line("TF1", {1: ("E", 0.4)})]).text == "TF1"


def test_choose_weighs_all_inputs() -> None:
    unsure, sure = line("xy", {1: ("z", 0.45)}), line("xz", {1: ("y", 0.2)})
    assert Rescorer(CHARSET, None).choose([unsure]).text == "xy"
    read = Rescorer(CHARSET, None).choose([unsure, sure])
    assert (read.text, read.char_confidences[1]) == ("xz", pytest.approx(0.8, abs=0.01))


def test_choose_returns_no_text_for_blanks() -> None:
    p_TC = np.zeros((6, len(CHARSET)))
    p_TC[:, 0] = 1.0
    assert Rescorer(CHARSET, MODEL).choose([p_TC, p_TC]) == NO_TEXT
