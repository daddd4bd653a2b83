"""Texts that fade, wipe or cut in and out."""

import pytest

from stream_ocr.synthetic import footage

FRAME_S = 0.042
FAINT, CLEAR = 0.25, 0.6  # opacity range in which a fading text becomes readable; its exact frame is undefined


@pytest.mark.parametrize(("in_s", "out_s"), [(0.6, 0.6), (2.0, 0.0)])
def test_fading_text_is_one_text_while_it_is_readable(builder, read_scene, known_failure, in_s, out_s) -> None:
    known_failure("starts at a fifth of the opacity", "libvpx-vp9-2.0")
    text = builder.text("A day by the sea", 0.2, 3.4, (320, 150), 36, anchor="middle", fade_in_s=in_s, fade_out_s=out_s)
    result = read_scene(builder.scene(text, duration_s=3.8, background="static"))
    result.assert_no_partial_texts()
    ((_, start_s, end_s),) = result.found
    assert 0.2 + FAINT * in_s - FRAME_S <= start_s <= 0.2 + CLEAR * in_s + FRAME_S
    assert 3.4 - CLEAR * out_s - FRAME_S <= end_s <= 3.4 - FAINT * out_s + FRAME_S


def test_wiped_text_is_one_text_once_it_is_complete(builder, read_scene) -> None:
    text = builder.text("A day by the sea", 0.4, 3.2, (320, 150), 36, anchor="middle", wipe_in_s=0.8, wipe_out_s=0.6)
    result = read_scene(builder.scene(text, duration_s=3.6, background="static"))
    result.assert_no_partial_texts()
    ((_, start_s, end_s),) = result.found
    ((_, whole_s, cut_s),) = result.expected
    assert start_s == pytest.approx(whole_s, abs=FRAME_S)
    assert cut_s - FRAME_S <= end_s <= 3.2 + FRAME_S, "while some of it is visible"


def test_cut_ends_all_texts_and_starts_others_in_the_same_frame(builder, read_scene) -> None:
    before = (builder.text("Two lines of", 0.2, 1.6, (80, 100)), builder.text("the scene before", 0.2, 1.6, (80, 150)))
    after = (builder.text("Somewhere else", 1.6, 2.8, (240, 240)), builder.text("later", 1.6, 2.8, (400, 60)))
    result = read_scene(builder.scene(*before, *after, duration_s=3.2, background=footage.film(shot_s=1.6)))
    result.assert_exact()
