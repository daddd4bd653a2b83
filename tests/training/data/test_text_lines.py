import numpy as np

from stream_ocr.core.geometry import rectangle
from stream_ocr.training.data.text_lines import lines_of_words, uncovered


def test_text_lines_merge_words_side_by_side() -> None:
    (line,) = lines_of_words([rectangle(60, 11, 50, 20), rectangle(0, 10, 50, 20)])
    np.testing.assert_allclose(line, rectangle(0, 10, 110, 21))


def test_text_lines_keep_rows_columns_and_other_sizes_apart() -> None:
    row_below = [rectangle(0, 0, 50, 20), rectangle(0, 24, 50, 20)]
    column = [rectangle(0, 0, 50, 20), rectangle(90, 0, 50, 20)]
    larger = [rectangle(0, 0, 50, 20), rectangle(55, 0, 90, 60)]
    assert all(len(lines_of_words(words)) == 2 for words in (row_below, column, larger))


def test_text_lines_follow_a_slope_word_by_word() -> None:
    words = [rectangle(60 * i, 6 * i, 50, 20) for i in range(6)]
    assert len(lines_of_words(words)) == 1


def test_text_lines_leave_out_covered_quads() -> None:
    known, new = rectangle(0, 0, 100, 20), rectangle(0, 60, 40, 20)
    left = uncovered([rectangle(5, 2, 60, 16), new], [known])
    assert len(left) == 1
    np.testing.assert_allclose(left[0], new)
