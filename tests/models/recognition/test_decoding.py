from pathlib import Path

import numpy as np
import pytest

from stream_ocr.config.settings import Settings
from stream_ocr.errors import SettingsError
from stream_ocr.models import zoo
from stream_ocr.models.recognition.charset import DEFAULT, Charset
from stream_ocr.models.recognition.ctc import NOTHING, Decoded
from stream_ocr.models.recognition.decoding import of_sources, transcription


def scores(text: str, others: dict[int, tuple[str, float]] | None = None, charset: Charset = DEFAULT) -> np.ndarray:
    """Every character for a step, a blank after it; ``others``: at that place another character, and its share."""
    p_TC = np.full((2 * len(text), len(charset)), 1e-5 * len(DEFAULT) / len(charset))
    for i, character in enumerate(text):
        other, share = (others or {}).get(i, (character, 0.0))
        p_TC[2 * i, charset.encode(other)[0]] += share
        p_TC[2 * i, charset.encode(character)[0]] += 0.95 - share
        p_TC[2 * i + 1, 0] = 0.95
    return p_TC / p_TC.sum(axis=1, keepdims=True)


def read(p_TC: np.ndarray, **wanted: object) -> Decoded:
    section = Settings.model_validate({"recognition": wanted}).recognition
    return transcription(section, DEFAULT, beam=section.beam)(p_TC)


def test_the_best_path_unless_told_otherwise() -> None:
    assert read(scores("GATE 4")).text == "GATE 4"
    assert read(scores("GATE 4"), beam=8).text == "GATE 4"


@pytest.mark.parametrize(
    ("seen", "pattern", "text"),
    [
        ("LSI5 EBC", r"[A-Z]{2}\d{2} [A-Z]{3}", "LS15 EBC"),
        ("I2:O5", r"\d\d:\d\d", "12:05"),
        ("GATE 4", r"GATE \d+", "GATE 4"),
        ("GATE 4", r"(?i)gate \w+", "GATE 4"),
    ],
)
def test_what_is_read_matches_the_pattern(seen: str, pattern: str, text: str) -> None:
    lookalikes = {i: ({"I": "1", "O": "0"}[c], 0.05) for i, c in enumerate(seen) if c in "IO" and text[i] != c}
    assert read(scores(seen, lookalikes), pattern=pattern).text == text


def test_what_cannot_match_is_not_read() -> None:
    assert (
        read(scores("WELCOME"), pattern=r"\d\d") == NOTHING
        or read(scores("WELCOME"), pattern=r"\d\d").confidence < 0.01
    )


def test_a_lexicon_is_a_file_of_words(tmp_path: Path) -> None:
    words = tmp_path / "words.txt"
    words.write_text("gate\n\nplatform\n")
    seen = scores("GATF 4", {3: ("E", 0.1)})
    assert read(seen, lexicon=words).text == "GATE 4"
    assert read(seen, lexicon=words, lexicon_distance=0).text == "GATF 4"


def test_mistakes_are_told_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"recognition.pattern.*no regular expression"):
        Settings.load(overrides=["recognition.pattern='(a'"])
    with pytest.raises(SettingsError, match="only one of them"):
        Settings.load(overrides=["recognition.pattern=a", "recognition.lexicon=words.txt"])
    with pytest.raises(SettingsError, match="cannot be read"):
        read(scores("a"), lexicon=tmp_path / "missing.txt")
    (tmp_path / "empty.txt").write_text("\n")
    with pytest.raises(SettingsError, match="no word"):
        read(scores("a"), lexicon=tmp_path / "empty.txt")


def test_a_source_may_have_a_vocabulary_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "words.txt").write_text("gate\n")
    sources = {
        "gate": {"path": "/dev/video0", "lexicon": tmp_path / "words.txt"},
        "plates": {"path": "/dev/video1", "pattern": "[A-Z]{4}"},
        "hall": {"path": "/dev/video2"},
    }
    own = of_sources(Settings.model_validate({"sources": sources}), DEFAULT)
    seen = scores("GATF 4", {3: ("E", 0.1)})
    assert {name: transcribe(seen).text for name, transcribe in own.items()} == {"gate": "GATE 4", "plates": "GATF"}


@pytest.mark.parametrize("choice", ["builtin", "ppocr"])
def test_both_engines_follow_the_settings(choice: str, tmp_path: Path) -> None:
    if choice == "ppocr":
        pytest.importorskip("rapidocr", reason="pip install 'stream-ocr[ppocr]'")
    words = tmp_path / "words.txt"
    words.write_text("gate\n")
    for wanted, text in (
        ("lexicon_distance=1", "GATF"),
        (f"lexicon={words}", "GATE"),
        ("pattern='[A-E]*T[A-E]*'", "BATE"),
        ("beam=4", "GATF"),
    ):
        overrides = [f"models={choice}", f"recognition.{wanted}", "device=cpu"]
        reader = zoo.load_recognizer(Settings.load(overrides=overrides))
        assert reader.transcribe(scores("GATF", {0: ("B", 0.1), 3: ("E", 0.1)}, reader.charset)).text == text
