"""Texts that stay, while the detector, the camera or what is behind them does not."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from stream_ocr.synthetic import footage
from stream_ocr.synthetic.scene import Cover
from stream_ocr.synthetic.text import Line


def flickering(look: int, lines: Sequence[Line]) -> Iterator[tuple[Line, float]]:
    """Sure of it, unsure, or blind, in turn."""
    score = (0.9, 0.52, 0.0)[look % 3]
    return ((line, score) for line in lines if score)


def in_words(line: Line) -> Iterator[Line]:
    """The words of a line, each with its own box."""
    places = np.array([place for _, place in line.letters])
    half = np.diff(places).mean() / 2
    spaces = [-1, *(n for n, (letter, _) in enumerate(line.letters) if letter == " "), len(places)]
    for before, after in pairwise(spaces):
        letters = line.letters[before + 1 : after]
        left, right = letters[0][1] - half, letters[-1][1] + half
        yield replace(line, box=(round(left), line.box[1], round(right - left), line.box[3]), letters=letters)


def splitting(look: int, lines: Sequence[Line]) -> Iterator[tuple[Line, float]]:
    """Whole lines and single words in turn."""
    return ((part, 0.9) for line in lines for part in (in_words(line) if look % 2 else [line]))


def splitting_at_first(look: int, lines: Sequence[Line]) -> Iterator[tuple[Line, float]]:
    """Single words, and from the fifth look on whole lines."""
    return ((part, 0.9) for line in lines for part in (in_words(line) if look < 4 else [line]))


@pytest.mark.parametrize("disturb", [flickering, splitting])
def test_a_detector_that_cannot_make_up_its_mind(sheet, play, disturb) -> None:
    text = sheet.text("Platform nine opens", 0.4, 2.6, (160, 280))
    played = play(sheet.scene(text, duration_s=3.2, background="pan"), disturb)
    played.is_exact()


def test_words_that_turn_out_to_be_a_line_are_one_text_from_then_on(sheet, play) -> None:
    text = sheet.text("Platform nine opens", 0.4, 2.6, (160, 280))
    played = play(sheet.scene(text, duration_s=3.2, background="pan"), splitting_at_first)
    whole = [span for span in played.found if span[0] == "Platform nine opens"]
    assert whole == [("Platform nine opens", pytest.approx(0.4, abs=0.042), pytest.approx(2.6, abs=0.042))]
    assert all(end_s <= 1.6 for text, _, end_s in played.found if text != "Platform nine opens"), played.found


@pytest.mark.parametrize("hidden_s", [0.4, 0.8])
def test_a_text_that_is_covered_for_less_than_a_second_goes_on(sheet, play, hidden_s) -> None:
    text = sheet.text("Under the bridge", 0.4, 3.2, (160, 150))
    cover = Cover(tuple(round(v * sheet.unit) for v in (120, 120, 400, 100)), 1.2, 1.2 + hidden_s)
    played = play(sheet.scene(text, duration_s=3.6, background="static", covers=(cover,)))
    played.is_exact()
    assert len({event.track for event in played.events}) == 1


def test_film_behind_a_text_is_no_reason_to_read_it_again(sheet, play) -> None:
    text = sheet.text("The train is late", 0.4, 3.6, (180, 290))
    played = play(sheet.scene(text, duration_s=4.0, background="moving"))
    played.is_exact()
    assert [event.kind for event in played.events] == ["appeared", "ended"]
    assert played.counts["crops_read"] <= 3


def test_a_mark_of_the_channel_stays_through_cuts(sheet, play) -> None:
    logo = sheet.text("NEWS 24", 0.0, 3.6, (500, 20), 28)
    first, second = (sheet.text(text, a, b, (160, 300)) for text, a, b in (("One", 0.2, 1.2), ("Another", 1.2, 3.0)))
    played = play(sheet.scene(logo, first, second, duration_s=3.6, background=footage.film(shot_s=1.2)))
    played.is_exact()


def test_noise_and_a_codec_that_flickers_are_no_change(sheet, play) -> None:
    rng = np.random.default_rng(0)
    grain = rng.normal(0, 4, (8, *sheet.size[::-1], 1))

    def noisy(picture: np.ndarray, _: float) -> None:
        picture[:] = np.clip(picture + grain[rng.integers(8)], 0, 255)

    text = sheet.text("Gate four is open", 0.8, 3.2, (160, 150))
    played = play(sheet.scene(text, duration_s=4.0, background="static", finish=noisy, seed=3), gop=12, crf=28)
    played.is_exact()
    assert played.counts["crops_read"] <= 3
    assert played.counts["detector_frames"] <= 10


def test_a_picture_that_does_not_change_costs_nothing(sheet, play) -> None:
    text = sheet.text("Nothing new here", 0.0, 4.0, (160, 150))
    played = play(sheet.scene(text, duration_s=4.0, background="static"))
    played.is_exact()
    assert played.counts["detector_frames"] <= 4
    assert played.counts["crops_read"] <= 3
