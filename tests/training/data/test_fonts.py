import pytest

from stream_ocr.training.data.fonts import BUILT_IN, can_write, find_fonts, is_unicase, load_font


def test_fonts_are_found_on_every_machine() -> None:
    fonts = find_fonts()
    assert fonts
    assert len(set(fonts)) == len(fonts)
    assert load_font(fonts[0], 30).getlength("Hamburg") > 40


def test_built_in_font_scales_and_writes_ascii() -> None:
    small, large = load_font(BUILT_IN, 10), load_font(BUILT_IN, 40)
    assert large.getlength("text") == pytest.approx(4 * small.getlength("text"), rel=0.15)
    assert can_write("cafe", BUILT_IN)
    assert not can_write("café", BUILT_IN)
    assert not is_unicase(BUILT_IN)


def test_fonts_draw_the_characters_they_claim() -> None:
    for path in find_fonts()[:20]:
        font = load_font(path, 24)
        for character in "AgQ7&" if path == BUILT_IN else "AgQ7&éÑß":
            assert font.getbbox(character) is not None
            assert bytes(font.getmask(character)) != bytes(font.getmask("\uffff"))


def test_fonts_are_loaded_once() -> None:
    assert load_font(BUILT_IN, 20) is load_font(BUILT_IN, 20)
