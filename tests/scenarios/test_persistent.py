"""Texts that persist while detections, cameras, covers or backgrounds change."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from stream_ocr.synthetic import footage
from stream_ocr.synthetic.scene import Cover
from stream_ocr.synthetic.text import VisibleLine


def flickering(run: int, lines: Sequence[VisibleLine]) -> Iterator[tuple[VisibleLine, float]]:
    """Return lines with a high score, a low score, or not at all, in turn."""
    score = (0.9, 0.52, 0.0)[run % 3]
    return ((line, score) for line in lines if score)


def in_words(line: VisibleLine) -> Iterator[VisibleLine]:
    """Yield the words of a line, each with its own box."""
    centres = np.array([x for _, x in line.letters])
    half = np.diff(centres).mean() / 2
    spaces = [-1, *(n for n, (letter, _) in enumerate(line.letters) if letter == " "), len(centres)]
    for before, after in pairwise(spaces):
        letters = line.letters[before + 1 : after]
        left, right = letters[0][1] - half, letters[-1][1] + half
        yield replace(line, box=(round(left), line.box[1], round(right - left), line.box[3]), letters=letters)


def splitting(run: int, lines: Sequence[VisibleLine]) -> Iterator[tuple[VisibleLine, float]]:
    """Return whole lines and single words in turn."""
    return ((part, 0.9) for line in lines for part in (in_words(line) if run % 2 else [line]))


def splitting_at_first(run: int, lines: Sequence[VisibleLine]) -> Iterator[tuple[VisibleLine, float]]:
    """Return single words, and whole lines from the fifth run."""
    return ((part, 0.9) for line in lines for part in (in_words(line) if run < 4 else [line]))


@pytest.mark.parametrize("perturb", [flickering, splitting])
def test_unstable_detections_are_one_text(builder, read_scene, perturb) -> None:
    text = builder.text("Platform nine opens", 0.4, 2.6, (160, 280))
    result = read_scene(builder.scene(text, duration_s=3.2, background="pan"), perturb)
    result.assert_exact()


def test_words_are_merged_into_a_line_once_it_is_detected(builder, read_scene) -> None:
    text = builder.text("Platform nine opens", 0.4, 2.6, (160, 280))
    result = read_scene(builder.scene(text, duration_s=3.2, background="pan"), splitting_at_first)
    whole = [span for span in result.found if span[0] == "Platform nine opens"]
    assert whole == [("Platform nine opens", pytest.approx(0.4, abs=0.042), pytest.approx(2.6, abs=0.042))]
    assert all(end_s <= 1.6 for text, _, end_s in result.found if text != "Platform nine opens"), result.found


@pytest.mark.parametrize("hidden_s", [0.4, 0.8])
def test_text_covered_for_less_than_a_second_is_one_text(builder, read_scene, hidden_s) -> None:
    text = builder.text("Under the bridge", 0.4, 3.2, (160, 150))
    cover = Cover(tuple(round(v * builder.unit) for v in (120, 120, 400, 100)), 1.2, 1.2 + hidden_s)
    result = read_scene(builder.scene(text, duration_s=3.6, background="static", covers=(cover,)))
    result.assert_exact()
    assert len({event.track for event in result.events}) == 1


def test_moving_background_does_not_cause_new_readings(builder, read_scene) -> None:
    text = builder.text("The train is late", 0.4, 3.6, (180, 290))
    result = read_scene(builder.scene(text, duration_s=4.0, background="moving"))
    result.assert_exact()
    assert [event.kind for event in result.events] == ["appeared", "ended"]
    assert result.counts["crops_read"] <= 3


def test_channel_logo_persists_through_cuts(builder, read_scene) -> None:
    logo = builder.text("NEWS 24", 0.0, 3.6, (500, 20), 28)
    first, second = (builder.text(text, a, b, (160, 300)) for text, a, b in (("One", 0.2, 1.2), ("Another", 1.2, 3.0)))
    result = read_scene(builder.scene(logo, first, second, duration_s=3.6, background=footage.film(shot_s=1.2)))
    result.assert_exact()


def test_noise_and_codec_flicker_are_not_changes(builder, read_scene) -> None:
    rng = np.random.default_rng(0)
    grain = rng.normal(0, 4, (8, *builder.size[::-1], 1))

    def noisy(picture: np.ndarray, _: float) -> None:
        picture[:] = np.clip(picture + grain[rng.integers(8)], 0, 255)

    text = builder.text("Gate four is open", 0.8, 3.2, (160, 150))
    result = read_scene(
        builder.scene(text, duration_s=4.0, background="static", post_process=noisy, seed=3), gop=12, crf=28
    )
    result.assert_exact()
    assert result.counts["crops_read"] <= 3
    assert result.counts["detector_frames"] <= 10


def test_static_picture_causes_no_further_work(builder, read_scene) -> None:
    text = builder.text("Nothing new here", 0.0, 4.0, (160, 150))
    result = read_scene(builder.scene(text, duration_s=4.0, background="static"))
    result.assert_exact()
    assert result.counts["detector_frames"] <= 4
    assert result.counts["crops_read"] <= 3
