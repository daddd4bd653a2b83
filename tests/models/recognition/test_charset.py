import pytest

from stream_ocr.models.recognition.charset import BLANK, DEFAULT, Charset


def test_charset_decode_inverts_encode() -> None:
    text = "Déjà vu: 12:01:33, ½".replace("½", "~") + DEFAULT.characters
    assert DEFAULT.decode(DEFAULT.encode(text)) == text


def test_default_charset_has_ascii_latin1_letters_and_the_blank() -> None:
    assert len(DEFAULT) == 95 + 62 + 1
    assert DEFAULT.covers(" AZaz09~éßÿÀ")
    assert not DEFAULT.covers("×")
    assert not DEFAULT.covers("\n")
    assert "é" in DEFAULT


def test_charset_decode_skips_the_blank() -> None:
    assert BLANK not in DEFAULT.encode(DEFAULT.characters)
    assert Charset("ab").decode([0, 1, 0, 2, 2]) == "abb"


def test_charset_encode_names_an_unknown_character() -> None:
    with pytest.raises(ValueError, match="'Ж'"):
        DEFAULT.encode("aЖ")


def test_charset_rejects_a_duplicate_character() -> None:
    with pytest.raises(ValueError, match="'b'"):
        Charset("abcb")
