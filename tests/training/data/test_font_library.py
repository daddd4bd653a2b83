import json
from pathlib import Path

from stream_ocr.models.recognition.charset import EUROPEAN
from stream_ocr.training.data.font_library import FontEntry, FontLibrary
from stream_ocr.training.data.fonts import BUILT_IN


def test_font_library_leaves_out_missing_fonts(tmp_path: Path) -> None:
    there = tmp_path / "there.ttf"
    there.touch()
    rows = [
        [str(there), "text", "żę", False],
        [str(tmp_path / "gone.ttf"), "text", "", False],
        [str(BUILT_IN), "digits", "abc", True],
    ]
    (tmp_path / "fonts.json").write_text(json.dumps(rows))
    library = FontLibrary.read(tmp_path / "fonts.json")
    assert library.text_fonts == [there]
    assert library.digit_fonts == [BUILT_IN]


def test_font_library_writes_only_characters_of_the_font() -> None:
    entry = FontEntry(BUILT_IN, "text", frozenset("żę"), unicase=False)
    assert entry.can_write("cafe")
    assert not entry.can_write("że")


def test_european_charset_lists_each_character_once() -> None:
    assert EUROPEAN.covers("Příliš žluťoučký kůň, Şişli, Țară, Győző, Łódź, Ķēniņš, Reykjavík, Œuvre, “¿Qué?” – 5 €")
