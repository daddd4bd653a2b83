import numpy as np
import pytest

from stream_ocr.models.recognition.charset import Charset
from stream_ocr.models.recognition.ctc import greedy
from stream_ocr.models.recognition.space_prior import apply_space_prior

CHARSET = Charset(" ABDYIm")


def line(letters: dict[int, str], spaces: dict[int, float], steps: int = 40) -> np.ndarray:
    """p_TC with letters that are sure and spaces that are not."""
    p_TC = np.full((steps, len(CHARSET)), 1e-4)
    p_TC[:, 0] = 1
    for step, letter in letters.items():
        p_TC[step, [0, *CHARSET.encode(letter)]] = 0.01, 1
    for step, p in spaces.items():
        p_TC[step, [0, *CHARSET.encode(" ")]] = 1 - p, p
    return p_TC / p_TC.sum(axis=1, keepdims=True)


def read(p_TC: np.ndarray) -> str:
    return greedy(apply_space_prior(p_TC, CHARSET), CHARSET).text


def test_apply_space_prior_reads_an_unsure_space_where_letters_are_far_apart() -> None:
    near = line({0: "A", 6: "D", 12: "A", 18: "Y"}, {3: 0.08})
    far = line({0: "A", 11: "D", 17: "A", 23: "Y"}, {5: 0.08})
    assert greedy(far, CHARSET).text == "ADAY"
    assert read(near) == "ADAY"
    assert read(far) == "A DAY"


def test_apply_space_prior_invents_no_space_without_evidence() -> None:
    assert read(line({0: "A", 20: "D", 26: "A", 32: "Y"}, {10: 0.01})) == "ADAY"


def test_apply_space_prior_allows_for_the_width_of_letters() -> None:
    wide = line({0: "A", 6: "D", 12: "A", 20: "m", 30: "m"}, {25: 0.08})
    narrow = line({0: "A", 6: "D", 12: "A", 18: "Y", 26: "I"}, {22: 0.08})
    assert read(wide) == "ADAmm"
    assert read(narrow) == "ADAY I"


@pytest.mark.parametrize("letters", [{}, {3: "A"}, {3: "A", 9: "B"}])
def test_apply_space_prior_leaves_short_lines_as_they_are(letters: dict[int, str]) -> None:
    scores = apply_space_prior(line(letters, {}), CHARSET)
    assert greedy(scores, CHARSET).text == "".join(letters.values())
    np.testing.assert_allclose(scores.sum(axis=1), 1)
