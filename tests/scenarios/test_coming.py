"""Texts that come and go little by little, or all at once."""

import pytest

from stream_ocr.synthetic import footage

FRAME_S = 0.042
FAINT, CLEAR = 0.25, 0.6  # opacities: a fade has no frame of its own, but it can be read from here or there on


@pytest.mark.parametrize(("in_s", "out_s"), [(0.6, 0.6), (2.0, 0.0)])
def test_a_fade_is_one_text_from_when_it_can_be_read(sheet, play, fails, in_s, out_s) -> None:
    fails("starts at a fifth of its opacity", "libvpx-vp9-2.0")
    text = sheet.text("A day by the sea", 0.2, 3.4, (320, 150), 36, anchor="middle", fade_in_s=in_s, fade_out_s=out_s)
    played = play(sheet.scene(text, duration_s=3.8, background="static"))
    played.has_no_parts()
    ((_, start_s, end_s),) = played.found
    assert 0.2 + FAINT * in_s - FRAME_S <= start_s <= 0.2 + CLEAR * in_s + FRAME_S
    assert 3.4 - CLEAR * out_s - FRAME_S <= end_s <= 3.4 - FAINT * out_s + FRAME_S


def test_a_wipe_is_one_text_from_when_it_is_whole(sheet, play) -> None:
    text = sheet.text("A day by the sea", 0.4, 3.2, (320, 150), 36, anchor="middle", wipe_in_s=0.8, wipe_out_s=0.6)
    played = play(sheet.scene(text, duration_s=3.6, background="static"))
    played.has_no_parts()
    ((_, start_s, end_s),) = played.found
    ((_, whole_s, cut_s),) = played.shown
    assert start_s == pytest.approx(whole_s, abs=FRAME_S)
    assert cut_s - FRAME_S <= end_s <= 3.2 + FRAME_S, "while some of it can be seen"


def test_a_cut_ends_all_texts_and_begins_others_in_the_same_frame(sheet, play) -> None:
    before = (sheet.text("Two lines of", 0.2, 1.6, (80, 100)), sheet.text("the scene before", 0.2, 1.6, (80, 150)))
    after = (sheet.text("Somewhere else", 1.6, 2.8, (240, 240)), sheet.text("later", 1.6, 2.8, (400, 60)))
    played = play(sheet.scene(*before, *after, duration_s=3.2, background=footage.film(shot_s=1.6)))
    played.is_exact()
