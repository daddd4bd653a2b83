import json
from pathlib import Path

from stream_ocr.models.recognition.charset import EUROPEAN
from stream_ocr.training.data.font_library import FontEntry, FontLibrary
from stream_ocr.training.data.fonts import BUILT_IN


def test_a_list_leaves_out_fonts_that_are_gone(tmp_path: Path) -> None:
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


def test_a_font_writes_only_what_it_has() -> None:
    entry = FontEntry(BUILT_IN, "text", frozenset("żę"), unicase=False)
    assert entry.can_write("cafe")
    assert not entry.can_write("że")


def test_the_charset_lists_each_character_once_and_has_all_of_europe() -> None:
    assert EUROPEAN.covers("Příliš žluťoučký kůň, Şişli, Țară, Győző, Łódź, Ķēniņš, Reykjavík, Œuvre, “¿Qué?” – 5 €")
