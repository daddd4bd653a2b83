import time
from pathlib import Path

import numpy as np
import pytest
from structlog.testing import capture_logs

from stream_ocr.config.settings import Settings
from stream_ocr.errors import SettingsError
from stream_ocr.models import zoo
from stream_ocr.models.recognition.charset import DEFAULT, Charset
from stream_ocr.models.recognition.ctc import NO_TEXT, Decoded
from stream_ocr.models.recognition.decoding import make_decoder, source_decoders


def scores(text: str, others: dict[int, tuple[str, float]] | None = None, charset: Charset = DEFAULT) -> np.ndarray:
    """Every character for a step, a blank after it; ``others``: at that place another character, and its share."""
    p_TC = np.full((2 * len(text), len(charset)), 1e-5 * len(DEFAULT) / len(charset))
    for i, character in enumerate(text):
        other, share = (others or {}).get(i, (character, 0.0))
        p_TC[2 * i, charset.encode(other)[0]] += share
        p_TC[2 * i, charset.encode(character)[0]] += 0.95 - share
        p_TC[2 * i + 1, 0] = 0.95
    return p_TC / p_TC.sum(axis=1, keepdims=True)


def read(p_TC: np.ndarray, **constraints: object) -> Decoded:
    section = Settings.model_validate({"recognition": constraints}).recognition
    return make_decoder(section, DEFAULT, beam=section.beam)(p_TC)


def test_make_decoder_decodes_the_best_path_by_default() -> None:
    assert read(scores("GATE 4")).text == "GATE 4"
    assert read(scores("GATE 4"), beam=8).text == "GATE 4"


@pytest.mark.parametrize(
    ("raw", "pattern", "text"),
    [
        ("LSI5 EBC", r"[A-Z]{2}\d{2} [A-Z]{3}", "LS15 EBC"),
        ("I2:O5", r"\d\d:\d\d", "12:05"),
        ("GATE 4", r"GATE \d+", "GATE 4"),
        ("GATE 4", r"(?i)gate \w+", "GATE 4"),
    ],
)
def test_make_decoder_with_a_pattern_reads_only_matching_text(raw: str, pattern: str, text: str) -> None:
    lookalikes = {i: ({"I": "1", "O": "0"}[c], 0.05) for i, c in enumerate(raw) if c in "IO" and text[i] != c}
    assert read(scores(raw, lookalikes), pattern=pattern).text == text


def test_make_decoder_with_a_pattern_rejects_text_that_cannot_match() -> None:
    assert (
        read(scores("WELCOME"), pattern=r"\d\d") == NO_TEXT
        or read(scores("WELCOME"), pattern=r"\d\d").confidence < 0.01
    )


def test_make_decoder_gives_up_a_text_on_which_the_pattern_takes_too_long() -> None:
    section = Settings.model_validate({"recognition": {"pattern": r"(?:(\w|\w\w)+)+\d"}}).recognition
    decode = make_decoder(section, DEFAULT)
    started_s = time.process_time()
    with capture_logs() as logs:
        assert decode(scores("A" * 30 + "#A" * 5)) == NO_TEXT
        assert decode(scores("A" * 30 + "#B" * 5)) == NO_TEXT
    assert time.process_time() - started_s < 20, "it would take hours"
    assert [line["event"] for line in logs] == ["texts are not read: this pattern takes too long"]
    assert decode(scores("A1")).text == "A1"


def test_make_decoder_reads_the_lexicon_from_a_file(tmp_path: Path) -> None:
    words = tmp_path / "words.txt"
    words.write_text("gate\n\nplatform\n")
    raw = scores("GATF 4", {3: ("E", 0.1)})
    assert read(raw, lexicon=words).text == "GATE 4"
    assert read(raw, lexicon=words, lexicon_distance=0).text == "GATF 4"


def test_constraints_raise_settings_errors(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"recognition.pattern.*not a valid regular expression"):
        Settings.load(overrides=["recognition.pattern='(a'"])
    with pytest.raises(SettingsError, match="only one of the two"):
        Settings.load(overrides=["recognition.pattern=a", "recognition.lexicon=words.txt"])
    with pytest.raises(SettingsError, match="cannot be read"):
        read(scores("a"), lexicon=tmp_path / "missing.txt")
    (tmp_path / "empty.txt").write_text("\n")
    with pytest.raises(SettingsError, match="no word"):
        read(scores("a"), lexicon=tmp_path / "empty.txt")


def test_source_decoders_uses_the_constraints_of_each_source(tmp_path: Path) -> None:
    (tmp_path / "words.txt").write_text("gate\n")
    sources = {
        "gate": {"path": "/dev/video0", "lexicon": tmp_path / "words.txt"},
        "plates": {"path": "/dev/video1", "pattern": "[A-Z]{4}"},
        "hall": {"path": "/dev/video2"},
    }
    own = source_decoders(Settings.model_validate({"sources": sources}), DEFAULT)
    raw = scores("GATF 4", {3: ("E", 0.1)})
    assert {name: decode(raw).text for name, decode in own.items()} == {"gate": "GATE 4", "plates": "GATF"}


def test_source_decoders_leave_out_a_lexicon_that_is_gone(tmp_path: Path) -> None:
    sources = {
        "gate": {"path": "/dev/video0", "lexicon": tmp_path / "gone.txt"},
        "plates": {"path": "/dev/video1", "pattern": "[A-Z]{4}"},
    }
    settings = Settings.model_validate({"sources": sources})
    with capture_logs() as logs:
        assert source_decoders(settings, DEFAULT).keys() == {"plates"}
    assert [line["stream"] for line in logs] == ["gate"]
    with pytest.raises(SettingsError, match="cannot be read"):
        settings.check_files()


@pytest.mark.parametrize("choice", ["builtin", "ppocr"])
def test_load_recognizer_decodes_as_the_settings_say(choice: str, tmp_path: Path) -> None:
    if choice == "ppocr":
        pytest.importorskip("rapidocr", reason="pip install 'stream-ocr[ppocr]'")
    words = tmp_path / "words.txt"
    words.write_text("gate\n")
    for constraints, text in (
        ("lexicon_distance=1", "GATF"),
        (f"lexicon={words}", "GATE"),
        ("pattern='[A-E]*T[A-E]*'", "BATE"),
        ("beam=4", "GATF"),
    ):
        overrides = [f"models={choice}", f"recognition.{constraints}", "device=cpu"]
        recognizer = zoo.load_recognizer(Settings.load(overrides=overrides))
        assert recognizer.decode(scores("GATF", {0: ("B", 0.1), 3: ("E", 0.1)}, recognizer.charset)).text == text
