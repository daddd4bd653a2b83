from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from stream_ocr.config.settings import Settings
from stream_ocr.errors import SettingsError, WeightsError
from stream_ocr.models import presets
from stream_ocr.models.recognition.language_model import LanguageModel, hash_keys, polynomial_hashes
from stream_ocr.models.weights import weights_folder
from stream_ocr.training.language_model import train

WORDS = Counter({"street": 50.0, "station": 40.0, "läuft": 30.0, "it's": 30.0})


@pytest.fixture(scope="module")
def model() -> LanguageModel:
    return train(WORDS)


def test_word_scores_are_probabilities_of_letters_and_the_end(model: LanguageModel) -> None:
    known, part, misread = model.word_scores(["street", "stree", "strfet"])
    assert -2 < known < 0
    assert part < known - 2, "the word goes on"
    assert misread < known - 4
    assert model.word_scores([]) == []


def test_word_scores_do_not_depend_on_the_other_words(model: LanguageModel) -> None:
    alone = [model.word_scores([word])[0] for word in ("street", "a", "station")]
    assert model.word_scores(["street", "a", "station"]) == pytest.approx(alone)


@pytest.mark.parametrize(("right", "wrong"), [("STREET", "STRFET"), ("Läuft", "Lauft"), ("It's", "lt's")])
def test_text_scores_prefer_words_in_any_case(model: LanguageModel, right: str, wrong: str) -> None:
    scores = model.text_scores([right, wrong])
    assert scores[0] > scores[1]


@pytest.mark.parametrize(("one", "other"), [("LS15", "LS16"), ("TF1", "KB7"), ("12:30", "12:39"), ("GO", "QO")])
def test_text_scores_are_the_same_for_any_code_of_one_form(model: LanguageModel, one: str, other: str) -> None:
    assert len(set(model.text_scores([one, other]))) == 1


def test_text_scores_are_neutral_about_letters_that_the_model_does_not_know(model: LanguageModel) -> None:
    assert len(set(model.text_scores(["\u044f\u0431\u043b", "\u0434\u043e\u043c"]))) == 1


def test_text_scores_of_names_depend_on_their_length_only_a_little(model: LanguageModel) -> None:
    short, long = model.text_scores(["Xqzvw", "Xqzvwxqzvw"])
    assert abs(long - short) < 3


def test_save_and_load_keep_the_scores(model: LanguageModel, tmp_path: Path) -> None:
    model.save(tmp_path / "model.npz")
    loaded = LanguageModel.load(tmp_path / "model.npz")
    texts = ["street", "Strfet 7", "it's late"]
    assert loaded.text_scores(texts) == model.text_scores(texts)
    assert (loaded.order, loaded.size) == (model.order, model.size)


@pytest.mark.parametrize("content", [b"", b"no zip", b"PK\x03\x04 cut"])
def test_load_refuses_a_file_that_is_no_table(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "model.npz").write_bytes(content)
    with pytest.raises(WeightsError, match="language model"):
        LanguageModel.load(tmp_path / "model.npz")


def test_load_refuses_a_table_of_something_else_and_a_missing_one(tmp_path: Path) -> None:
    np.savez(tmp_path / "other.npz", order=3)
    for name in ("other.npz", "missing.npz"):
        with pytest.raises(WeightsError, match="language model"):
            LanguageModel.load(tmp_path / name)


@pytest.mark.parametrize("rows", [(0, 0, 0), (4, 4, 3), (2, 4, 4)])
def test_load_refuses_columns_that_do_not_fit(tmp_path: Path, rows: tuple[int, int, int]) -> None:
    columns = [np.zeros(count, np.uint8) for count in rows]
    np.savez(tmp_path / "odd.npz", order=3, key_differences=columns[0], costs=columns[1], back_off=columns[2])
    with pytest.raises(WeightsError, match="its columns have the shapes"):
        LanguageModel.load(tmp_path / "odd.npz")


def test_load_refuses_a_damaged_table(model: LanguageModel, tmp_path: Path) -> None:
    model.save(tmp_path / "model.npz")
    content = bytearray((tmp_path / "model.npz").read_bytes())
    content[len(content) // 2] ^= 0xFF
    (tmp_path / "model.npz").write_bytes(content)
    with pytest.raises(WeightsError, match="cannot be read"):
        LanguageModel.load(tmp_path / "model.npz")


def test_hashes_of_ngrams_differ() -> None:
    codes_NL = np.array([[ord(a), ord(b)] for a in "abcdef" for b in "abcdef"], np.uint32)
    assert len(set(hash_keys(polynomial_hashes(codes_NL)).tolist())) == len(codes_NL)


@pytest.mark.parametrize(
    ("right", "wrong"),
    [("INTELLIGENT", "NTELLIGENT"), ("conclusión", "conclusiòn"), ("gefährlich", "gefihrlich"), ("příliš", "prilis")],
)
def test_built_in_model_knows_words_of_several_languages(right: str, wrong: str) -> None:
    scores = LanguageModel.load(weights_folder() / f"{presets.LANGUAGE_MODEL}.npz").text_scores([right, wrong])
    assert scores[0] > scores[1]


@pytest.mark.parametrize("table", ["missing.npz", "."])
def test_settings_refuse_a_path_that_is_no_file(tmp_path: Path, table: str) -> None:
    settings = Settings.load(overrides=[f"recognition.language_model={tmp_path / table}"])
    with pytest.raises(SettingsError, match="there is no file"):
        settings.check_files()


def test_language_model_path_follows_the_settings(tmp_path: Path) -> None:
    def path(value: str) -> Path | None:
        return presets.language_model_path(Settings.load(overrides=[f"recognition.language_model={value}"]).recognition)

    assert path("off") is None
    assert path("auto") == weights_folder() / f"{presets.LANGUAGE_MODEL}.npz"
    assert path(str(tmp_path)) == tmp_path
