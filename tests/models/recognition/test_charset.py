import pytest

from stream_ocr.models.recognition.charset import BLANK, DEFAULT, Charset


def test_encoding_and_decoding_are_inverse() -> None:
    text = "Déjà vu: 12:01:33, ½".replace("½", "~") + DEFAULT.characters
    assert DEFAULT.decode(DEFAULT.encode(text)) == text


def test_default_has_ascii_and_latin1_letters_and_one_class_more_for_the_blank() -> None:
    assert len(DEFAULT) == 95 + 62 + 1
    assert DEFAULT.covers(" AZaz09~éßÿÀ")
    assert not DEFAULT.covers("×")
    assert not DEFAULT.covers("\n")
    assert "é" in DEFAULT


def test_blank_is_no_character() -> None:
    assert BLANK not in DEFAULT.encode(DEFAULT.characters)
    assert Charset("ab").decode([0, 1, 0, 2, 2]) == "abb"


def test_a_character_outside_the_set_is_named() -> None:
    with pytest.raises(ValueError, match="'Ж'"):
        DEFAULT.encode("aЖ")


def test_a_character_listed_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="'b'"):
        Charset("abcb")
